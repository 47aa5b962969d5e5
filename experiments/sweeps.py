"""Many runs by one command: one that fails stops no other, and none that is finished runs again.

Hydra splits `experiments.run -m` into jobs and hands them to its launcher, which does them in this
process or in others. So what became of a job is left as a file in the sweep's folder,
runs/sweeps/DATE, from which the end of the sweep reports: any launcher will do.
"""

import atexit
import math
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from experiments.command import run_command, say
from experiments.startup import import_lightning
from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.runs import records
from mnist_arch.runs.config import Config, explanation
from mnist_arch.runs.folders import all_finished

if TYPE_CHECKING:
    from mnist_arch.runs.train import Run

VERSION = 2  # of the files in a sweep's folder
KILLED = {"TerminatedWorkerError", "BrokenProcessPool"}  # what joblib raises of it
OUTCOME = {"version", "words", "status", "runs", "error", "log"}


class Sweep(Callback):
    """Hydra calls it before the first job of a sweep, and after the last.

    Attributes:
        begun: The folder of the sweep that has begun and not ended; None where there is none.
    """

    begun: ClassVar[Path | None] = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Note how many jobs there will be."""
        folder = Path(config.hydra.sweep.dir)
        words: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
        _conclude(lambda: begin(folder, _count(words)))
        Sweep.begun = folder
        atexit.register(_forget_without_jobs, folder)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Say what became of them; exit code 1 if one failed."""
        folder = Path(config.hydra.sweep.dir)
        with suppress(OSError):
            (folder / "submitit/%j").rmdir()  # submitit makes it, and uses it for nothing
        Sweep.begun = None
        _conclude(lambda: end(folder) or sys.exit(1))


def to_its_end(main: Callable[[], Any]) -> None:
    """Call what may run a sweep; if something ends it early, say what became of its jobs.

    Raises:
        UserError: A process of the launcher was killed.
    """
    try:
        main()
    except Exception as error:
        if type(error).__name__ not in KILLED:
            raise
        raise UserError(
            "a process of the launcher was killed, perhaps because memory ran out; "
            "the same command runs what is left"
        ) from error
    finally:
        if Sweep.begun and _outcomes(Sweep.begun):
            end(Sweep.begun)


def _conclude(action: Callable[[], Any]) -> None:
    """Act as a command: Hydra makes a mere warning of any exception but that of leaving."""
    try:
        run_command(action)
    except Exception:  # noqa: BLE001 a bug must not look like a sweep that went well
        traceback.print_exc()
        sys.exit(1)


def begin(folder: Path, jobs: int | None) -> None:
    """Make a sweep's folder; ``jobs`` is None when nobody knows how many there will be.

    Raises:
        UserError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot make the sweep's folder ({error})") from error
    records.write_values(folder / "sweep.json", {"version": VERSION, "jobs": jobs})


def attempt(
    folder: Path,
    number: int,
    words: Sequence[str],
    job: Callable[[], tuple[list[Path], bool]],
    *,
    fail_fast: bool = False,
) -> list[Path]:
    """Do one job, and leave in the sweep's folder what became of it; what it raises ends here.

    ``number`` counts the jobs from 0, ``words`` are the job's own. ``job`` returns the folders of
    its runs, and whether they were finished before. Returns the folders, too, none if it failed.
    With ``fail_fast`` nothing is done once a job has failed.
    """
    jobs = records.read_values(folder / "sweep.json", {"jobs"}, VERSION)["jobs"]
    title = shlex.join(words) or "no words"
    outcome: dict[str, Any] = dict.fromkeys(sorted(OUTCOME)) | {"version": VERSION, "words": title}
    log = folder / f"{number}.log"
    if fail_fast and any(each["status"] == "failed" for each in _outcomes(folder)):
        outcome["status"] = "not run"
    else:
        say(f"job {number + 1}{f' of {jobs}' if jobs else ''}: {title}")
        try:
            runs, before = job()
        except Exception as error:  # noqa: BLE001 whatever it is, the next job is not to blame
            outcome["status"] = "failed"
            outcome["error"] = explanation(error) or f"{type(error).__name__}: {error}"
            outcome["log"] = str(log)
            files.write(log, "".join(traceback.format_exception(error)))
            say(f"failed: {outcome['error']}")
        else:
            outcome["status"] = "finished before" if before else "finished"
            outcome["runs"] = [*map(str, runs)]
            if before:
                say(f"finished before -> {' '.join(outcome['runs'])}")
    records.write_values(folder / f"{number}.json", outcome)
    return [*map(Path, outcome["runs"] or ())]


def once(configure: Callable[[], Config], command: str) -> Callable[[], tuple[list[Path], bool]]:
    """Make the job of a run, or of several seeds: it trains, unless equal runs are finished.

    ``command`` makes the runs again, for their records.
    """

    def job() -> tuple[list[Path], bool]:
        config = configure()
        seeds = config.seeds or [config.seed]
        configs = [replace(config, seed=seed) for seed in seeds]
        before = all_finished(Path(config.runs), configs)
        if all(before):
            folders = [folder for folder in before if folder]
            draw_undrawn(folders)
            return folders, True
        return [run.folder for run in train(config, command)], False

    return job


def draw_undrawn(folders: Sequence[Path]) -> None:
    """Draw the finished runs among some whose drawing was broken off."""
    for folder in folders:
        if not (folder / "figures").exists():
            record = records.read(folder)
            if record.config.get("figures") and record.tested:
                from mnist_arch.reports import tensorboard  # seconds of imports
                from mnist_arch.runs.train import Run

                tensorboard.show(Run(folder, record), again=False)


def tell_finished(folders: Sequence[Path]) -> None:
    """Print of runs that they were finished before, a line for each."""
    from mnist_arch.reports.summary import summary

    for folder in folders:
        told = f"{summary(records.read(folder))} -> {folder}"
        print(f"{told} (finished before; again=true trains another)")


def train(config: Config, command: str) -> "list[Run]":
    """Train a run, or several seeds, and print a line for each."""
    import_lightning()  # seconds, which a mistyped word or a sweep of finished runs does without
    import mnist_arch
    from mnist_arch.reports.summary import summary

    if config.seeds:
        runs = mnist_arch.train_together(config, command=command)
    else:
        runs = [mnist_arch.train(config, command=command)]
    for run in runs:
        print(f"{summary(run.record)} -> {run.folder}")
    return runs


def end(folder: Path) -> bool:
    """Print the table of a sweep's runs and every failure; returns whether there was none.

    The table is kept in the folder, as table.md and table.csv.
    """
    outcomes = _outcomes(folder)
    jobs = records.read_values(folder / "sweep.json", {"jobs"}, VERSION)["jobs"] or len(outcomes)
    runs = {run: Path(run) for outcome in outcomes for run in outcome["runs"] or ()}
    missing = [outcome for outcome in outcomes if not outcome["runs"]]
    try:
        if runs:
            _show([*runs.values()], folder)
    finally:
        count = len(missing) + max(0, jobs - len(outcomes))
        if count:
            lines = [f"\n{count} of {max(jobs, len(outcomes))} jobs are not finished:"]
            for outcome in missing:
                lines += [f"  {outcome['words']}", f"    {outcome['error'] or outcome['status']}"]
                lines += [f"    {outcome['log']}"] if outcome["log"] else []
            lines += [f"  {count - len(missing)} more"] if count > len(missing) else []
            lines.append("The same command tries these again, and no others.")
            say("\n".join(lines))
    return not count


def _show(runs: list[Path], folder: Path) -> None:
    """Print the table of some runs, and keep it; their means go beside them."""
    from mnist_arch.analysis.groups import groups
    from mnist_arch.reports import results, tensorboard
    from mnist_arch.reports.summary import summary

    run_records = [records.read(run) for run in runs]
    try:
        gathered = groups(run_records)
    except UserError:  # they differ in what tells no experiments apart, such as threads
        print("\n" + "\n".join(f"{summary(each)}, {each.device}" for each in run_records))
        return
    table = results.results(gathered)
    files.write(folder / "table.md", table.markdown() + "\n")
    files.write(folder / "table.csv", table.csv())
    print(f"\n{table.text()}\n\n{folder}/table.md, {folder}/table.csv")
    for mean in tensorboard.write_means(gathered, runs[0].parent):
        print(f"{mean} (for TensorBoard)")


def _forget_without_jobs(folder: Path) -> None:
    """Remove the folder of a sweep that a mistyped word ended before its first job."""
    if {path.name for path in folder.iterdir()} <= {"sweep.json", "multirun.yaml"}:
        for path in folder.iterdir():
            path.unlink()
        for empty in (folder, *folder.parents[:2]):  # runs/sweeps and runs may be of today, too
            with suppress(OSError):  # not empty
                empty.rmdir()


def _outcomes(folder: Path) -> list[dict[str, Any]]:
    paths = [path for path in folder.glob("*.json") if path.stem.isdecimal()]
    paths.sort(key=lambda path: int(path.stem))
    return [records.read_values(path, OUTCOME, VERSION) for path in paths]


def _count(words: list[str]) -> int | None:
    """Count the jobs that a sweep's words say, None if they name ranges and leave it open."""
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    swept = [each for each in parser.parse_overrides(words) if each.is_sweep_override()]
    if not all(each.is_discrete_sweep() for each in swept):
        return None
    return math.prod(len(list(each.sweep_string_iterator())) for each in swept)
