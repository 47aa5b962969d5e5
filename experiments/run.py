"""Train one architecture by a recipe, test it once, and leave a folder with the evidence.

    python -m experiments.run model=lenet5 seed=0
    python -m experiments.run -m model=dense,mlp,lenet5 seed=0,1
    python -m experiments.run model=mlp seeds=0..31     (32 runs trained together, as one)
    python -m experiments.run resume=runs/lenet5-seed0  (an interrupted run, wherever it lies)

A run that was interrupted is resumed where it was saved last, at most trainer.save_every seconds
before, when the same command is typed again; a sweep (-m) leaves out what is finished, tries again
what failed, and ends with a table.
The folder holds record.json (mnist_arch/runs/records.py says what is in it), predictions.npz (test
scores and labels, in file order), checkpoints/, figures/, the loggers' files and config.yaml.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.command import run_command, say
from experiments.startup import import_lightning
from experiments.sweeps import attempt, once, to_its_end, train
from mnist_arch.errors import UserError
from mnist_arch.runs.config import Config, typed
from mnist_arch.runs.folders import interrupted_config

RESUME = "resume="


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def main(settings: DictConfig) -> None:
    """Run what the command line says."""
    chosen = HydraConfig.get()
    # As they were typed: an interpolation among them is not yet resolved.
    words: Any = OmegaConf.to_container(chosen.overrides.task, resolve=False)
    command = shlex.join(["python", "-m", "experiments.run", *words])
    if chosen.mode is RunMode.MULTIRUN:
        folder, number = Path(chosen.sweep.dir), chosen.job.num
        job = once(lambda: typed(settings, chosen), command)
        attempt(folder, number, words, job, fail_fast=settings.fail_fast)
    else:
        run_command(lambda: _run(typed(settings, chosen), command))


def _run(config: Config, command: str) -> None:
    if config.trainer.get("fast_dev_run"):
        import_lightning()
        from mnist_arch.runs.train import rehearse

        rehearse(config)
        sys.stderr.write("fast_dev_run: training works; nothing is kept\n")
        return
    runs = train(config, command)
    if config.seeds:
        from mnist_arch.analysis.groups import groups  # scipy, which training does without
        from mnist_arch.reports import results

        table = results.results(groups([run.record for run in runs]))
        print(f"\n{table.text()}")


def resume(words: Sequence[str]) -> None:
    """Go on with the run whose folder one of the words names."""
    first, *others = [word.removeprefix(RESUME) for word in words if word.startswith(RESUME)]
    rest = [word for word in words if not word.startswith(RESUME)]
    if others:
        raise UserError(f"{RESUME}{others[0]}: one run at a time")
    if (Path(first) / "record.json").exists():
        say(f"finished before -> {first}")
        return
    interrupted_config(Path(first), rest)  # a mistake need not wait for Lightning
    import_lightning()
    import mnist_arch
    from mnist_arch.reports.summary import summary

    command = shlex.join(["python", "-m", "experiments.run", *words])
    run = mnist_arch.resume(first, overrides=rest, command=command)
    print(f"{summary(run.record)} -> {run.folder}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if any(argument.startswith(RESUME) for argument in arguments):
        run_command(lambda: resume(arguments))
    else:
        run_command(lambda: to_its_end(main))
