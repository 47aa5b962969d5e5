"""What tests of many short trainings share."""

from dataclasses import replace
from functools import cache

import pytest

from mnist_arch.data import sources
from mnist_arch.data.sources import Dataset
from mnist_arch.data.splits import Split


@cache
def _few() -> Dataset:
    whole = sources.load("mnist_5k", sources.default_root())
    test, validation = (
        Split(split.images[::10], split.labels[::10]) for split in (whole.test, whole.validation)
    )
    return replace(whole, test=test, validation=validation)


@pytest.fixture
def few_to_evaluate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate and test on 50 digits, five of each class: 500 take longer than the training."""
    few = _few()
    monkeypatch.setattr(sources, "_mnist_5k", lambda: few)
