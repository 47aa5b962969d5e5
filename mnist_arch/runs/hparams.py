"""TensorBoard's HParams tab: a row for each run, its result before its settings.

The tab orders columns by their internal names, settings before metrics, and at its usual width
shows the first five. So the results of the test are columns like the settings, and the internal
names begin with a digit that nobody sees.
"""

from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2

from mnist_arch.runs.identity import described
from mnist_arch.runs.metrics import METRICS
from mnist_arch.runs.records import Record

RESULTS = {"accuracy": "test accuracy, %", "errors": "test errors"}


def settings(record: Record) -> dict[str, Any]:
    """Choose the settings that the tab compares: the same for every run, none of them empty."""
    config = record.config
    own = record.recipe == record.architecture
    changes = [record.label] if record.label else described(record.variant)
    return {
        "network": record.architecture,
        "recipe": ", ".join(["own" if own else record.recipe, *changes]),
        "data": record.data,
        "epochs": record.epochs,
        "learning rate": config.get(
            "recipe.optimizer.lr", record.history.get("learning_rate", [0.0])[0]
        ),
        "batch size": config["recipe.batch_size"],
        "optimizer": config["recipe.optimizer._target_"].rpartition(".")[2],
        "seed": record.seed,
    }


def log(logger: TensorBoardLogger, record: Record) -> None:
    """Write a run's row."""
    writer = logger.experiment._get_file_writer()  # opens it again where nothing was logged before
    for summary in summaries(record):
        writer.add_summary(summary, record.epochs)


def summaries(record: Record) -> list[Summary]:
    """Make a run's row: the columns, which are those of every run, and its values."""
    results = {title: record.score("test", name) for name, title in RESULTS.items()}
    values = results | settings(record)
    columns = {title: f"{place} {title}" for place, title in enumerate(values)}
    known = {columns[title]: value for title, value in values.items() if value is not None}
    return [
        summary_v2.hparams_config_pb(
            [summary_v2.HParam(name, display_name=title) for title, name in columns.items()],
            [summary_v2.Metric(f"test/{name}") for name in METRICS],
        ),
        summary_v2.hparams_pb(known, trial_id=trial(record)),
    ]


def trial(record: Record) -> str:
    """Name a row, what mostly tells it from others first: a narrow column cuts long names off.

    Two rows of the same name would be taken for one.
    """
    special = [record.recipe] if record.recipe != record.architecture else []
    special += [record.data] if record.data != "mnist" else []
    special += [record.precision] if record.precision != "32-true" else []
    special += [] if record.tested else ["not tested"]
    special += [record.label] if record.label else described(record.variant)
    name = f"{record.architecture} seed {record.seed}"
    return f"{name}: {', '.join(special)}" if special else name
