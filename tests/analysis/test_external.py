"""How pictures are classified, measured: counts that a plain loop gives too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mnist_arch
from mnist_arch.analysis import challenges, external, kinds
from mnist_arch.analysis.ablation import ABLATIONS
from mnist_arch.analysis.external import NO_DIGITS, Challenge, ExternalValidity, challenge
from mnist_arch.data import sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.inference.preprocess import Preprocessor
from mnist_arch.runs.records import read_as
from tests.factories import finished_run


@pytest.fixture(scope="module")
def data() -> sources.Dataset:
    """MNIST-5k with ten test digits."""
    whole = sources.load("mnist_5k", Path("unused"))
    return replace(whole, test=Split(whole.test.images[::50], whole.test.labels[::50]))


@pytest.fixture(scope="module")
def pictures(data: sources.Dataset) -> Iterator[Challenge]:
    uci, labels = external.uci()
    assert len(uci) == len(labels) == 1797
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external, "uci", lambda: (uci[:10], labels[:10]))
        yield challenge(data, no_digits=5, of_a_kind=2)


def test_the_counts_are_those_of_one_picture_after_the_other(
    tmp_path: Path, data: sources.Dataset, pictures: Challenge
) -> None:
    config = {"recipe.augmentation._target_": "some"}
    sums = {"data_sha256": data.sha256}
    folder = finished_run(tmp_path / "mlp", "mlp", config=config, provenance=sums)
    record = external.measure(folder, data, pictures, ablation_digits=10)
    net = mnist_arch.load(folder)
    for kind, some in pictures.pictures.items():
        predicted = torch.tensor([net.predict(each).digit for each in some])
        assert record.errors[kind] == int((predicted != pictures.truth[kind]).sum())
    scores = net.net(data.test.images)
    wrong, doubted = scores.argmax(1) != data.test.labels, net.doubts(scores)
    assert (record.originals, record.doubted) == (int(wrong.sum()), int(doubted.sum()))
    assert record.doubted_errors == int((wrong & doubted).sum())
    assert record.accepted.keys() == {*NO_DIGITS, "two digits"}
    for kind, prepared in pictures.no_digits.items():
        accepted = [answer.doubt is None for answer in net.answers(prepared)]
        assert record.accepted[kind] == sum(accepted)
    assert (record.digits, record.uci_digits, record.no_digits) == (10, 10, 5)
    assert [*record.kinds] == [*kinds.DIGITS, *kinds.NUMBERS]
    assert record.of_a_kind == 2
    for kind in ("plain", kinds.TRANSPARENT, "dates"):
        some, texts = kinds.held_out(kind, 2, data.test)
        misread, undoubted = 0, 0
        for picture, text in zip(map(Image.fromarray, some), texts, strict=True):
            number = kind == "dates"
            answers = net.predict_number(picture) if number else [net.predict(picture)]
            wrong = "".join(answer.text for answer in answers) != text
            misread += wrong
            undoubted += wrong and all(answer.doubt is None for answer in answers)
        assert record.kinds[kind] == [misread, undoubted]
    assert record.augmented
    assert [*record.ablation] == ["", *ABLATIONS]
    assert record.ablation[""].items() <= record.errors.items()
    errors: dict[str, list[int]] = {}
    for step in ("", "polarity", "background", "fit_to_box"):
        preprocessor = ABLATIONS[step].preprocessor if step else Preprocessor()
        for kind in ("enlarged", "photographed", "uci"):
            prepared = [preprocessor.prepare(each) for each in pictures.pictures[kind]]
            pairs = zip(net.answers(prepared), pictures.truth[kind].tolist(), strict=True)
            errors.setdefault(step, []).append(sum(a.digit != digit for a, digit in pairs))
        assert [*record.ablation[step].values()] == errors[step]
    assert errors["polarity"] != errors[""]  # by chance, this network tells the steps apart
    record.write(tmp_path / "record.json")
    assert read_as(ExternalValidity, tmp_path / "record.json") == record


def test_a_run_on_other_data_is_refused(
    tmp_path: Path, data: sources.Dataset, pictures: Challenge
) -> None:
    folder = finished_run(tmp_path / "mlp", "mlp")
    with pytest.raises(UserError, match="mlp: not a run on MNIST"):
        external.measure(folder, data, pictures)


def test_the_same_pictures_are_drawn_again(data: sources.Dataset, pictures: Challenge) -> None:
    again = challenge(data, no_digits=5, of_a_kind=2)
    for kind, some in pictures.pictures.items():
        for one, other in zip(some, again.pictures[kind], strict=True):
            np.testing.assert_array_equal(one, other)


def test_about_half_of_the_enlarged_digits_are_inverted(data: sources.Dataset) -> None:
    """Of 200 draws 100 +- 7; a digit's corners are background."""
    draws, image = np.random.default_rng(0), data.test.images[0, 0].numpy()
    corners = [challenges.enlarged(image, draws)[0, 0] for _ in range(200)]
    assert 100 - 3 * 7 <= sum(corner == 255 for corner in corners) <= 100 + 3 * 7


def test_coarse_values_keep_their_ink_when_enlarged() -> None:
    """Of 8x8 values 0..16, with a margin of one: 10x10 cells of 400 pixels."""
    values = np.zeros((8, 8))
    values[2:6, 3:5] = 16
    large = challenges.smoothly_enlarged(values)
    assert large.shape == (200, 200)
    assert large[60:140, 80:120].mean() > 200
    assert large.mean() / 255 == pytest.approx(8 / 100, rel=0.03)
