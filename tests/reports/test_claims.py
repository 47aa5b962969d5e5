"""The page of claims in words: written from records, whatever there is of them."""

from pathlib import Path

import pytest
from PIL import Image

from experiments.robustness import figures
from mnist_arch.analysis.robustness import averaged, read_all
from mnist_arch.reports.claims import page
from mnist_arch.reports.figures.style import curves_digest
from tests.analysis.test_folds import folds
from tests.factories import group, record, untested
from tests.reports.test_results import RESULTS

ALL_IMAGES = {"recipe.keep": "last", "recipe.validation": 0}


def test_what_was_not_measured_is_said(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert text.count("**Not measured yet**") == 6
    assert "none holds" in text


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ([90, 100, 110], "**Holds**: it loses accuracy, less than"),
        ([150, 160, 170], "**Holds**: it loses accuracy, as much as"),
        ([55, 65, 75], "**Does not hold**"),
        ([50, 150, 250], "**Cannot be judged** with"),
        ([160], "**Cannot be judged**: one run"),
    ],
)
def test_a_verdict_has_its_words(errors: list[int], words: str, tmp_path: Path) -> None:
    name = {"architecture": "regularized_cnn"}
    own = group([60, 70, 80], **name)
    whole = group(errors, **name, variant=ALL_IMAGES)
    for number, each in enumerate([*own.records, *whole.records]):
        (tmp_path / str(number)).mkdir()
        each.write(tmp_path / str(number))
    assert words in page(tmp_path)


def test_only_runs_that_were_tested_judge(tmp_path: Path) -> None:
    whole = {"architecture": "regularized_cnn", "variant": ALL_IMAGES}
    runs = [
        record([10] * 9 + [20], architecture="dropout_cnn"),
        untested(architecture="dropout_cnn", seed=1),
        record(architecture="regularized_cnn"),
        untested(**whole),
    ]
    for number, run in enumerate(runs):
        (tmp_path / str(number)).mkdir()
        run.write(tmp_path / str(number))
    text = page(tmp_path)
    assert "2.00 % of the 9s (20 of 1,000)" in text
    assert "**Not measured yet**: there is no run of" in text


def test_digits_are_judged_by_all_images_where_there_are_folds(tmp_path: Path) -> None:
    """Seeds tell nothing of other digits: here 9 is the hardest of one sample only."""
    for seed in range(10):
        run = record([5] * 9 + [20 + seed % 3], architecture="dropout_cnn", seed=seed)
        (tmp_path / str(seed)).mkdir()
        run.write(tmp_path / str(seed))
    assert "1 holds" in page(tmp_path).replace("\n", " ")
    (tmp_path / "folds").mkdir()
    for number, fold in enumerate(folds([10] * 10, architecture="dropout_cnn")):
        (tmp_path / "folds" / str(number)).mkdir()
        fold.write(tmp_path / "folds" / str(number))
    text = page(tmp_path).replace("\n", " ")
    assert "none holds" in text
    assert "**Holds** on the 10,000 test images" in text


def test_the_committed_page_is_what_the_committed_records_make() -> None:
    docs = RESULTS.parent / "docs"
    assert (docs / "claims.md").read_text() == page(RESULTS)
    for name in ("robustness.png", "robustness_mnist_c.png", "corruptions.png"):
        assert f"({name})" in page(RESULTS)
        assert (docs / name).is_file()
    for name, figure in figures(averaged(read_all(RESULTS / "robustness"))).items():
        with Image.open(docs / f"{name}.png") as png:
            assert png.info["Description"] == f"curves {curves_digest(figure)}"
