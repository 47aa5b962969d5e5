"""The page of the sources."""

import re
from pathlib import Path

from mnist_arch.analysis.published import Number, Published, Source, Trial, published
from mnist_arch.reports import sources

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"


def test_the_committed_page_is_what_the_claims_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == sources.page()


def test_the_anchor_of_each_source_is_its_key() -> None:
    """An anchor is the heading in lower case, blanks as hyphens, other marks left out."""
    headings = re.findall(r"^## (.*)$", sources.page(), flags=re.MULTILINE)
    anchors = [re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings]
    assert anchors == [*published().sources]


def test_every_printed_number_stands_in_its_sources_section() -> None:
    sections = re.split(r"^## ", sources.page(), flags=re.MULTILINE)[1:]
    for section, source in zip(sections, published().sources.values(), strict=True):
        assert [c.printed for c in source.claims if c.printed not in section] == []
        assert ("No known address" in section) == (source.address is None)


def test_a_row_holds_the_epochs_of_a_curve_and_our_unit_where_it_is_another() -> None:
    curve = [
        Number(metric="accuracy", split="train", epoch=epoch, value=value, printed=printed)
        for epoch, value, printed in ((1, 90.0, "0.900"), (3, 95.0, "5.0 % error"))
    ]
    loss = Number(metric="loss", split="test", value=0.3, printed="0.30")
    trial = Trial(network="mlp", images={"train": 60_000}, numbers=(*curve, loss))
    assert sources.rows(trial) == [
        ("training accuracy", "60,000", "1, 3", "0.900, 5.0 % error", "90.0, 95.0 %"),
        ("test loss", "", "", "0.30", ""),
    ]


def test_a_source_that_says_nothing_but_its_title_has_a_section() -> None:
    source = Source(key="some-2020", title="Some title", published="README", address="https://a.b")
    text = sources.page(Published({"some-2020": source}))
    assert text.endswith("## some-2020\n\n*Some title*. README.\n<https://a.b>.\n")
    assert "No address" not in text
    assert "\n\n\n" not in text


def test_the_page_is_written(tmp_path: Path) -> None:
    sources.write(tmp_path / "sources.md")
    assert (tmp_path / "sources.md").read_text(encoding="utf-8") == sources.page()
