"""docs/endurance.md says what the records say."""

from pathlib import Path

from tests.endurance.page import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_that_of_the_records() -> None:
    assert (ROOT / "docs/endurance.md").read_text() == page(ROOT / "results/endurance")
