r"""Which settings make the fewest validation errors? A search, which the same command resumes.

    python -m experiments.tune rates --trials 30 --seeds 0,1 model=mlp recipe.validation=0.1 \
        'recipe.optimizer.lr=tag(log,interval(1e-4,1e-2))' 'recipe.batch_size=choice(32,64,128)'

Words are those of experiments.run. One whose value is an interval(LOW,HIGH), int(interval(...)),
range(START,STOP,STEP) or choice(A,B,...) is searched; tag(log,interval(...)) searches magnitudes.
Each trial trains once with every seed, and its value is the mean of the validation errors. Optuna
proposes the settings (TPE), and ends a trial that after some epoch is worse than the median of
those before it. The test digits are never classified. All of it is in runs/studies/NAME.
"""

import json
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from experiments.command import Parser, run_command, say
from experiments.startup import import_lightning
from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.reports.table import Column, Table
from mnist_arch.runs import records
from mnist_arch.runs.config import CONF, Config, compose, explanation, several_seeds
from mnist_arch.runs.folders import finished
from mnist_arch.runs.identity import identity

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

SET_HERE = {
    "seed": "use --seeds",
    "runs": "use --runs",
    "figures": "trials are not drawn",
    "test": "nothing is chosen by test digits",
}
ENDS = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "interrupted"}
SHOWN = 10  # trials, on the screen
LARGEST = 200_000_000  # bytes: 10,000 trials of 100 epochs have 100 MB


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("name", help="of the study")
    parser.add_argument("settings", nargs="+", metavar="word", help="settings, fixed or searched")
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="in all (20)")
    parser.add_argument("--seeds", metavar="N..N", help="of each trial, or N,N,... (0 alone)")
    parser.add_argument("--sampler-seed", type=int, default=0, metavar="N", help="(0)")
    parser.add_argument("--no-pruning", action="store_true", help="train every trial to its end")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    args = parser.parse_args()
    if args.trials < 1:
        raise UserError(f"--trials {args.trials}: must be 1 or more")
    folder = args.runs / "studies" / args.name
    with initialize_config_dir(CONF, version_base="1.3"):
        search = Search(
            args.settings, [0] if args.seeds is None else several_seeds(args.seeds), folder
        )
        subject = search.subject()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / ".lock").acquire(blocking=False):
                study = opened(folder, subject, pruning=not args.no_pruning)
                search.run(study, args.trials, args.sampler_seed)
                complete = conclude(study, search)
        except Timeout as error:
            raise UserError(f"{folder}: another process is at work on this study") from error
        except OSError as error:
            raise UserError(f"{folder}: cannot be kept there ({error})") from error
    if not complete:
        sys.exit(1)


class Search:
    """Settings of which some are searched.

    Args:
        words: As typed.
        seeds: Of each trial.
        folder: The study's, for its runs.

    Raises:
        UserError: Nothing is searched, or a value that may be tried is impossible.
    """

    def __init__(self, words: Sequence[str], seeds: list[int], folder: Path) -> None:
        self.seeds, self.folder = seeds, folder
        parsed = {word: parse(word) for word in words}
        for word, override in parsed.items():
            if reason := SET_HERE.get(override.key_or_group):
                raise UserError(f"{word}: {reason}")
        swept = {word: each for word, each in parsed.items() if each.is_sweep_override()}
        if not swept:
            raise UserError(
                "nothing to search; add a word such as recipe.batch_size=choice(32,64)"
            )
        self.fixed = [word for word in words if word not in swept]
        self.searched = {word.partition("=")[0]: each for word, each in swept.items()}
        values = {key: tried(override) for key, override in self.searched.items()}
        self.first = {key: some[0] for key, some in values.items()}
        for key, some in values.items():
            for value in some:
                self.compose(self.first | {key: value})

    def words(self, values: dict[str, Any]) -> list[str]:
        """Return the searched words with their values, which are short to type."""
        return [f"{key}={short(values[key])}" for key in self.searched]

    def compose(self, values: dict[str, Any], seed: int = 0) -> Config:
        """Compose the settings of a run."""
        own = [f"seed={seed}", "test=false", "figures=false", f"runs={self.folder}"]
        return compose([*self.fixed, *self.words(values), *own])

    def distributions(self) -> "dict[str, BaseDistribution]":
        """Say in Optuna's terms what is searched."""
        return {key: distribution(override) for key, override in self.searched.items()}

    def subject(self) -> str:
        """Return, as JSON, what two commands share that belong to the same study.

        Raises:
            UserError: Optuna is missing, or no images are held out for validation.
        """
        try:
            from optuna.distributions import distribution_to_json
        except ModuleNotFoundError as error:
            raise UserError("optuna is missing: pip install 'mnist_arch[tune]'") from error
        searched = self.distributions()
        config = self.compose(self.first)
        import_lightning()
        from mnist_arch.runs import assemble

        data = assemble.data_module(config)
        data.setup()
        if not data.validation:
            raise UserError("no images are for validation; set recipe.validation, say to 0.1")
        values = {
            "searched": {key: distribution_to_json(searched[key]) for key in sorted(searched)},
            "settings": identity(config.settings),
            "seeds": self.seeds,
        }
        return json.dumps(values, sort_keys=True)

    def run(self, study: "optuna.Study", total: int, sampler_seed: int) -> None:
        """Do trials until there are so many; one that was interrupted is resumed first.

        Each proposal is drawn from a seed of its own, so that interruptions do not change it.
        """
        import optuna
        from optuna.trial import TrialState

        distributions = self.distributions()
        for trial in study.get_trials(states=[TrialState.RUNNING]):
            if trial.params.keys() == distributions.keys():
                self.attempt(study, optuna.trial.Trial(study, trial._trial_id), total)
            else:  # it was interrupted while Optuna proposed its settings
                study.tell(trial.number, state=TrialState.FAIL)
        while (number := len(study.trials)) < total:
            study.sampler = optuna.samplers.TPESampler(seed=sampler_seed + number)
            self.attempt(study, study.ask(distributions), total)

    def attempt(self, study: "optuna.Study", trial: "Trial", total: int) -> None:
        """Do a trial, and tell the study what came of it; only an interruption is raised."""
        from optuna import TrialPruned
        from optuna.trial import TrialState

        say(f"trial {trial.number + 1} of {total}: {shlex.join(self.words(trial.params))}")
        reported = {*study.trials[trial.number].intermediate_values}

        def report(epochs: int, errors: float) -> None:
            if epochs not in reported:
                trial.report(errors, epochs)
            if trial.should_prune():
                raise TrialPruned

        try:
            value = mean(self.errors(trial.params, seed, report) for seed in self.seeds)
        except TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
            say("pruned: after as many epochs worse than the median of the trials before it")
        except Exception as error:  # noqa: BLE001 whatever it is, the next trial is not to blame
            log = self.folder / f"{trial.number}.log"
            files.write(log, "".join(traceback.format_exception(error)))
            study.tell(trial, state=TrialState.FAIL)
            say(f"failed: {explanation(error) or f'{type(error).__name__}: {error}'} ({log})")
        else:
            study.tell(trial, value)
            say(f"{value:g} validation errors")

    def errors(
        self, values: dict[str, Any], seed: int, report: Callable[[int, float], None]
    ) -> float:
        """Train, unless an equal run is finished; returns the errors of the weights that are kept.

        Those of each epoch are reported, by the number of epochs that the trial has done.
        """
        from pytorch_lightning.callbacks import LambdaCallback

        from mnist_arch.runs.train import train

        config = self.compose(values, seed)
        before = self.seeds.index(seed) * config.recipe.max_epochs
        if folder := finished(self.folder, config):
            record = records.read(folder)
            for epoch, errors in enumerate(record.history["validation/errors"], 1):
                report(before + epoch, errors)
        else:
            words = [*self.fixed, *self.words(values), f"seed={seed}", "test=false"]
            follow = LambdaCallback(
                on_train_epoch_end=lambda trainer, _: report(
                    before + trainer.current_epoch + 1,
                    trainer.callback_metrics["validation/errors"].item(),
                )
            )
            command = shlex.join(["python", "-m", "experiments.run", *words])
            record = train(config, command=command, callbacks=[follow]).record
        return record.scores["validation"]["errors"]


def parse(word: str) -> Override:
    """Parse a word as Hydra does.

    Raises:
        UserError: It is none.
    """
    try:
        loader = GlobalHydra.instance().config_loader()
        return OverridesParser.create(loader).parse_override(word)
    except HydraException as error:
        raise UserError(f"{word}: {explanation(error)}") from error


def short(value: Any) -> Any:
    """Round a number to four digits, and leave what is no such number."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def tried(override: Override) -> list[Any]:
    """List values of a searched word: all of them, or the ends of an interval."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [value.start, value.end]
    return [*override.sweep_string_iterator()]


def distribution(override: Override) -> "BaseDistribution":
    """Translate a searched word; choices are kept as they were typed.

    Raises:
        UserError: Its numbers make no interval or range.
    """
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    value: Any = override.value()
    try:
        if isinstance(value, IntervalSweep):
            kind: Any = IntDistribution if isinstance(value.start, int) else FloatDistribution
            return kind(value.start, value.end, log="log" in value.tags)
        if isinstance(value, RangeSweep):
            steps = sorted(value.range())
            kind = IntDistribution if isinstance(steps[0], int) else FloatDistribution
            return kind(steps[0], steps[-1], step=abs(value.step))
        return CategoricalDistribution([*override.sweep_string_iterator()])
    except ValueError as error:
        raise UserError(f"{override.input_line}: {error}") from error


def opened(folder: Path, subject: str, *, pruning: bool) -> "optuna.Study":
    """Open the study in a folder, or begin it.

    Raises:
        UserError: It is another search, or no study.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / "study.db"
    if path.exists():
        files.plain(path, LARGEST)
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{path}",
            study_name=folder.name,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner() if pruning else optuna.pruners.NopPruner(),
        )
        study.get_trials()
        before = study.user_attrs.get("subject", subject)
    # Optuna, SQLAlchemy and SQLite each raise their own of what is damaged.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not a readable study ({reason}); choose another name") from error
    if before != subject:
        raise UserError(f"{folder}: is a study of other words or seeds; choose another name")
    study.set_user_attr("subject", subject)
    return study


def conclude(study: "optuna.Study", search: Search) -> bool:
    """Print the best trials, and what to type for the best; returns whether none has failed.

    The table of all is kept in the study's folder, as table.md and table.csv.
    """
    ends, folder = [*ENDS], search.folder
    trials = sorted(
        study.get_trials(deepcopy=False),
        key=lambda trial: (ends.index(trial.state.name), trial.value or 0, trial.number),
    )
    columns = [Column("trial"), Column("validation errors", "{:g}"), Column("state")]
    columns += [Column(key, key=key) for key in search.searched]
    rows = [
        (
            trial.number + 1,
            trial.value,
            ENDS[trial.state.name],
            *(short(trial.params.get(key)) for key in search.searched),
        )
        for trial in trials
    ]
    files.write(folder / "table.md", Table(columns, rows).markdown() + "\n")
    files.write(folder / "table.csv", Table(columns, rows).csv())
    print(f"\n{Table(columns, rows[:SHOWN]).text()}\n\n{folder}/table.md, {folder}/table.csv")
    if trials[0].state.name == "COMPLETE":
        words = ["python", "-m", "experiments.run", *search.fixed, *search.words(trials[0].params)]
        print(f"\nThe fewest validation errors, {trials[0].value:g}, by\n  {shlex.join(words)}")
    return all(trial.state.name != "FAIL" for trial in trials)


if __name__ == "__main__":
    run_command(main)
