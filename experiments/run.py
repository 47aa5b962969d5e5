"""Train one architecture by a recipe, test it once, and leave a folder with the evidence.

    python -m experiments.run model=lenet5 seed=0
    python -m experiments.run -m model=dense,mlp,lenet5 seed=0,1

A run that was broken off goes on from its last whole epoch when the same command is typed again; a
sweep (-m) leaves out what is finished, tries again what failed, and ends with a table.
The folder holds record.json (mnist_arch/runs/records.py says what is in it), predictions.npz
(test scores and digits, in file order), checkpoints/, figures/, TensorBoard's files, config.yaml.
"""

import itertools
import shlex
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.command import run_command, typed
from experiments.sweeps import attempt
from mnist_arch.errors import UserError
from mnist_arch.runs.config import Config
from mnist_arch.runs.folders import finished, run_folder, run_name


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def main(settings: DictConfig) -> None:
    """Run what the command line says."""
    chosen = HydraConfig.get()
    recipe, overrides = str(chosen.runtime.choices.recipe), list(chosen.overrides.task)

    def job() -> Path:
        return run(typed(settings), recipe, overrides)

    def job_of_a_sweep() -> tuple[Path, bool]:
        before = finished(Path(settings.runs), resolved(typed(settings)))
        return before or job(), before is not None

    if chosen.mode is RunMode.MULTIRUN:
        folder, number = Path(chosen.sweep.dir), chosen.job.num
        attempt(folder, number, overrides, job_of_a_sweep, fail_fast=settings.fail_fast)
    else:
        run_command(job)


def run(config: Config, recipe: str, overrides: list[str]) -> Path:
    """Train, test and record; returns the run's folder.

    ``recipe`` is the recipe's name, ``overrides`` the words that led to ``config``.

    Raises:
        UserError: The data is not to be had, or a setting is impossible. Nothing is left behind.
    """
    started, clock = datetime.now(UTC), [time.perf_counter()]
    # Four seconds of imports, which nobody should wait for to be told of a mistyped word.
    import numpy as np
    import torch

    from mnist_arch.reports.results import summary
    from mnist_arch.runs import assemble, checkpoint, provenance
    from mnist_arch.runs.records import Record
    from mnist_arch.runs.scoring import counted, score
    from mnist_arch.training.callbacks import Card, Progress

    assemble.check_accelerator(config.trainer.accelerator)
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    # Of a single pattern oneDNN's convolutions take four times as long as torch's own.
    torch.backends.mkldnn.enabled = config.recipe.batch_size > 1
    commit, dirty = provenance.commit()
    classifier = assemble.classifier(config, assemble.network(config))
    data = assemble.data_module(config)
    clock.append(time.perf_counter())

    data.setup()
    if config.recipe.keep == "best" and not data.validation:
        raise UserError("recipe.keep=best: nothing is held out; set recipe.validation, say to 0.1")
    clock.append(time.perf_counter())

    name = run_name(config, recipe, overrides)
    with run_folder(Path(config.runs), name, resolved(config)) as folder:
        card = Card(
            {
                "architecture": config.model.name,
                "recipe": recipe,
                "seed": config.seed,
                "data": config.data.name,
                "data_sha256": data.sha256,
                "split_digest": data.split_digest(),
                "versions": provenance.versions(),
                "commit": commit,
                "config": flat(asdict(config)),
            }
        )
        last = folder / "checkpoints/last.ckpt"
        if last.exists():
            card.go_on(checkpoint.read(last), last)
        progress = Progress(config.model.name, config.recipe.max_epochs)
        trainer = assemble.trainer(
            config, folder, [progress, card], validate=bool(data.validation)
        )
        trainer.fit(classifier, data, ckpt_path=last if last.exists() else None, weights_only=True)
        clock.append(time.perf_counter())

        kept = f"checkpoints/{config.recipe.keep}.ckpt"
        net = checkpoint.load(folder / kept).to(trainer.strategy.root_device)
        train = score(net, data.in_order(data.train), classifier.loss)
        validation = (
            score(net, data.in_order(data.validation), classifier.loss)
            if data.validation
            else None
        )
        test = score(net, data.test_dataloader(), classifier.loss) if config.test else None
        clock.append(time.perf_counter())
        seconds = [later - earlier for earlier, later in itertools.pairwise(clock)]

        if test:
            np.savez_compressed(folder / "predictions.npz", scores=test.scores, labels=test.labels)
        record = Record(
            status="finished",
            data_title=data.title,
            overrides=overrides,
            command=shlex.join(["python", "-m", "experiments.run", *overrides]),
            parameters=sum(parameter.numel() for parameter in net.parameters()),
            epochs=config.recipe.max_epochs,
            kept_epoch=checkpoint.read(folder / kept)["epoch"] + 1,
            checkpoint=kept,
            test_errors_by_digit=test.errors_by_digit if test else None,
            test_confusion=test.confusion if test else None,
            history=classifier.history,
            seconds_start_up=seconds[0],
            seconds_data=seconds[1],
            seconds_training=card.seconds,
            seconds_evaluation=seconds[3],
            images_per_second=(data.size or len(train.labels))
            * config.recipe.max_epochs
            / card.seconds,
            device=provenance.device(trainer.strategy.root_device),
            precision=config.trainer.precision,
            dirty=dirty,
            started=started.isoformat(timespec="seconds"),
            interrupted=card.interrupted,
            claim=asdict(config.recipe.claim) if config.recipe.claim else None,
            note=config.recipe.note,
            **counted("train", train),
            **counted("validation", validation),
            **counted("test", test),
            **card.values,
        )
        record.write(folder)
        final = {f"test/{name}": figure for name, figure in record.figures("test").items()}
        trainer.logger.log_hyperparams(hyperparameters(record), final, step=record.epochs)
        trainer.logger.finalize("success")
        if config.figures and test:
            from mnist_arch.reports import tensorboard

            probabilities = net.head.probabilities(test.scores.double())
            tensorboard.show(folder, net.cpu(), record, data.test, probabilities)
    print(f"{summary(record)} -> {folder}")
    return folder


def resolved(config: Config) -> str:
    """Write the settings of a run as YAML."""
    return OmegaConf.to_yaml(asdict(config))


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join the keys of nested dictionaries by dots."""
    joined: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            joined |= flat(value, f"{prefix}{key}.")
        else:
            joined[f"{prefix}{key}"] = value
    return joined


def hyperparameters(record: Any) -> dict[str, Any]:
    """Choose what the HParams tab compares: the same keys for every run, none of them empty."""
    config = record.config
    augmentation = config.get("recipe.augmentation._target_", "none")
    return {
        "architecture": record.architecture,
        "recipe": record.recipe,
        "data": record.data,
        "seed": record.seed,
        "parameters": record.parameters,
        "max_epochs": record.epochs,
        "batch_size": config["recipe.batch_size"],
        "optimizer": config["recipe.optimizer._target_"].rpartition(".")[2],
        "learning_rate": record.history["learning_rate"][0],
        "l2": config["recipe.l2"],
        "augmentation": augmentation.rpartition(".")[2],
        "validation_images": record.validation_images or 0,
    }


if __name__ == "__main__":
    run_command(main)
