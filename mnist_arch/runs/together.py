"""Several seeds of one run trained in one process: a folder and a record for each."""

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer

from mnist_arch.data.datamodule import MNISTDataModule
from mnist_arch.runs import assemble, records
from mnist_arch.runs.arithmetic import arithmetic
from mnist_arch.runs.config import Config
from mnist_arch.runs.folders import all_finished, run_folder
from mnist_arch.runs.identity import run_name
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.resumption import Place, newest_of_all
from mnist_arch.runs.train import Begun, Run, Stopwatch, fit, prepare, read
from mnist_arch.training.callbacks import Progress
from mnist_arch.training.together import FilesOfCopies


def train_together(
    config: Config, *, command: str = "", callbacks: Sequence[pl.Callback] = ()
) -> list[Run]:
    """Train ``config.seeds`` at once, each as if alone; returns their runs in that order.

    Each run has the folder, the checkpoints and the record that it would have alone, and can be
    resumed alone or together. Seeds whose runs are finished are not trained again.

    Args:
        config: The settings.
        command: What makes all of the runs again; for its record each run has that which makes it
            alone.
        callbacks: More of Lightning's callbacks; they see the means of the runs.

    Raises:
        UserError: The data cannot be had, or a setting is impossible. Nothing is left behind.
    """
    assemble.check_together(config)
    watch, seeds = Stopwatch(), config.seeds or [config.seed]
    configs = [replace(config, seed=seed) for seed in seeds]
    before = all_finished(Path(config.runs), configs)
    runs = {
        each.seed: Run(folder, records.read(folder))
        for each, folder in zip(configs, before, strict=True)
        if folder
    }
    configs = [each for each in configs if each.seed not in runs]
    if configs:
        with watch.measure("start_up"):
            prepare(config)
            data = assemble.data_module(config, assemble.chunk(config, assemble.network(config)))
        with watch.measure("data"):
            read(data, config)
        source = Provenance.of(command, data.sha256)
        with ExitStack() as folders, arithmetic(config):
            lent = [
                folders.enter_context(run_folder(Path(config.runs), run_name(each), each))
                for each in configs
            ]
            begun = []
            for each, folder, saved in zip(configs, lent, newest_of_all(lent), strict=True):
                own = replace(source, command=_alone(command, each.seed))
                begun.append(Begun(each, folder, data, own, watch.seconds, saved))
            for group in _at_equal_places(begun):
                for run in _train(group, data, callbacks):
                    runs[run.record.seed] = run
    return [runs[seed] for seed in seeds]


def _alone(command: str, seed: int) -> str:
    """Turn the command of several seeds into that of one.

    >>> _alone("python -m experiments.run model=mlp seeds=0..31", 3)
    'python -m experiments.run model=mlp seed=3'
    """
    words = shlex.split(command)
    return shlex.join(f"seed={seed}" if word.startswith("seeds=") else word for word in words)


def _at_equal_places(begun: Sequence[Begun]) -> list[list[Begun]]:
    """Divide runs, some of which may have been interrupted before the others."""
    places = [each.before.place if each.before else Place(0, 0) for each in begun]
    return [
        [each for each, own in zip(begun, places, strict=True) if own == place]
        for place in sorted(set(places))
    ]


def _train(
    group: Sequence[Begun], data: MNISTDataModule, callbacks: Sequence[pl.Callback]
) -> list[Run]:
    configs = [each.config for each in group]
    config, folders = configs[0], [each.folder for each in group]
    data.seeds = [each.seed for each in configs]
    copies = assemble.together(configs, folders)
    name = f"{config.model.name}, {len(group)} seeds"
    own = [Progress(name, config.recipe.max_epochs), Timer(), *callbacks]
    files = FilesOfCopies(
        [folder / "checkpoints" for folder in folders],
        [each.metadata for each in group],
        [each.before.path for each in group if each.before],
    )
    trainer = assemble.trainer(
        config, folders[0], own, validate=bool(data.validation), files=files
    )
    resumed = Path("last.ckpt") if files.sources else None  # files knows where they are
    with ExitStack() as attempts:
        for each in group:
            attempts.enter_context(each.unless_diverged())
        fit(trainer, copies, data, resumed)
    runs = []
    for each, loggers in zip(group, copies.copy_loggers, strict=True):
        record = each.finish(copies.loss, trainer.strategy.root_device, loggers)
        runs.append(Run(each.folder, record))
    return runs
