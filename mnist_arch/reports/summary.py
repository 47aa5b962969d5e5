"""A run's result in one line."""

from mnist_arch.runs.records import Record


def summary(record: Record) -> str:
    """Say how well a run classifies the split that judges it, and how long it trained."""
    split = record.judging_split
    scores, images = record.scores[split], record.images[split]
    return (
        f"{record.architecture} seed={record.seed}: {scores['accuracy']:.2f} % on "
        f"{record.data_title} {split} ({scores['errors']:,} errors of {images:,}), "
        f"loss {scores['loss']:.4f}, {record.epochs} epoch{'s' * (record.epochs > 1)} "
        f"in {record.seconds['training']:.0f} s"
    )
