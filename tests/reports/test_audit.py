"""The page of the digits that nearly every network misclassifies."""

from pathlib import Path

import pytest

from mnist_arch.analysis.audit import audit
from mnist_arch.data import sources
from mnist_arch.reports import audit as report
from mnist_arch.runs.records import mask
from tests.factories import record

ROOT = Path(__file__).parents[2]


def test_the_committed_page_is_what_the_committed_records_make() -> None:
    test = sources.load("mnist", sources.default_root()).test
    found = audit(report.counted(ROOT / "results"))
    assert (ROOT / "docs/audit.md").read_text(encoding="utf-8") == report.text(found, test)


@pytest.mark.parametrize(
    "changes",
    [{"data": "emnist_digits"}, {"variant": {"recipe.l2": 1e-4}}, {"label": "distorted"}, {}],
)
def test_recipes_as_they_stand_count_where_images_are_named(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    flags = mask([True] + [False] * 9_999)
    for name, other in (("counts", {}), ("other", changes or {"misclassified": None})):
        record(1, **{"misclassified": flags} | other).write(tmp_path)
        (tmp_path / "record.json").rename(tmp_path / f"{name}.json")
    assert [*report.counted(tmp_path)] == [tmp_path / "counts.json"]
