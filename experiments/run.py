"""Train one architecture by a recipe, test it once, and leave a folder with the evidence.

    python -m experiments.run model=lenet5 seed=0
    python -m experiments.run -m model=dense,mlp,lenet5 seed=0,1
    python -m experiments.run model=mlp seeds=0..31     (32 runs trained together, as one)
    python -m experiments.run resume=runs/lenet5-seed0  (an interrupted run, wherever it lies)

A run that was interrupted is resumed where it was saved last, at most trainer.save_every seconds
before, when the same command is typed again, and one that is finished is not trained again, unless
with again=true. A sweep (-m) leaves out what is finished, tries again what failed, and ends with a
table.
The folder holds record.json (mnist_arch/runs/records.py says what is in it), predictions.npz (test
scores and labels, in file order; of validation images with test=false), checkpoints/, figures/,
the loggers' files and config.yaml.
"""

import shlex
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.command import run_command, say
from experiments.startup import import_lightning
from experiments.sweeps import attempt, draw_undrawn, once, tell_finished, to_its_end
from mnist_arch.errors import UserError
from mnist_arch.runs import records
from mnist_arch.runs.config import CONF, Config, quoted, typed
from mnist_arch.runs.folders import interrupted_config

RESUME = "resume="
SWEEP = ("-m", "--multirun")
OPTIONS = (  # Hydra's own
    *("--help", "--hydra-help", "--version", "--cfg", "--resolve", "--package", "--run"),
    *("--multirun", "--shell-completion", "--config-path", "--config-name", "--config-dir"),
    *("--experimental-rerun", "--info"),
)


@hydra.main(version_base="1.3", config_path=CONF, config_name="config")
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
    folders, before = once(lambda: config, command)()
    if before:
        tell_finished(folders)
    if config.seeds:
        from mnist_arch.analysis.groups import groups  # scipy, which training does without
        from mnist_arch.reports import results

        table = results.results(groups([records.read(folder) for folder in folders]))
        print(f"\n{table.text()}")


def resume(words: Sequence[str]) -> None:
    """Go on with the run whose folder one of the words names."""
    first, *others = [word.removeprefix(RESUME) for word in words if word.startswith(RESUME)]
    rest = [word for word in words if not word.startswith(RESUME)]
    if others:
        raise UserError(f"{RESUME}{others[0]}: one run at a time")
    if (Path(first) / "record.json").exists():
        draw_undrawn([Path(first)])
        say(f"finished before -> {first}")
        return
    interrupted_config(Path(first), rest)  # a mistake need not wait for Lightning
    import_lightning()
    import mnist_arch
    from mnist_arch.reports.summary import summary

    command = shlex.join(["python", "-m", "experiments.run", *words])
    run = mnist_arch.resume(first, overrides=rest, command=command)
    print(f"{summary(run.record)} -> {run.folder}")


def checked(words: Sequence[str]) -> list[str]:
    """Return a command line as Hydra takes it: -m comes first.

    Raises:
        UserError: A setting is given as an option.
    """
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        option, equals, value = word.partition("=")
        known = any(each.startswith(option) for each in OPTIONS)  # argparse takes abbreviations
        if option.startswith("--") and not known:
            setting = f"{option[2:]}={value if equals else following}"
            raise UserError(f"{word}: settings have no dashes; say {setting}")
    sweep = [word for word in words if word in SWEEP]
    settings = [word for word in words if word not in SWEEP]
    return sweep[:1] + [word if sweep and "," in word else quoted(word) for word in settings]


def command_line() -> None:
    """Run what was typed."""
    if any(word.startswith(RESUME) for word in sys.argv[1:]):
        resume(sys.argv[1:])
        return
    sys.argv[1:] = checked(sys.argv[1:])
    to_its_end(main)


if __name__ == "__main__":
    run_command(command_line)
