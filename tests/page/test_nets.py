"""What networks answer side by side, and which runs are on the page."""

from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mnist_arch
from mnist_arch.errors import UserError
from mnist_arch.page.nets import (
    classify,
    find_signs,
    first_seeds,
    leading,
    load_nets,
    maps,
    without_weights,
)
from mnist_arch.runs.shipped import FOLDER, READER
from tests.factories import FIVE, SEVEN, finished_run
from tests.page.factories import Constant, net, picture, saved, untrained


def test_answers_are_those_of_the_predictors() -> None:
    nets, five = untrained("lenet5", "mlp", "lenet5_1998"), picture(FIVE)
    answers = classify(nets, five, number=False)
    for each, row in zip(nets, answers["nets"], strict=True):
        own = each.predictor.predict(five)
        assert row["text"] == str(own.digit)
        assert row["signs"] == [
            {"digit": own.digit, "probability": own.probability}
            | {"probabilities": own.probabilities, "doubt": own.doubt}
        ]
        image = np.frombuffer(b64decode(answers["signs"][0]["image"]), np.uint8)
        assert (image.reshape(28, 28) == own.image).all()
    assert answers["size"] == (320, 320)


def test_a_number_is_classified_digit_by_digit() -> None:
    (lenet5,) = nets = untrained("lenet5")
    both = picture(FIVE, [(x + 150, y) for x, y in SEVEN])
    own = lenet5.predictor.predict_number(both)
    (row,) = classify(nets, both, number=True)["nets"]
    assert len(own) == 2
    assert [sign["digit"] for sign in row["signs"]] == [answer.digit for answer in own]
    assert row["text"] == "".join(str(answer.digit) for answer in own)


@pytest.mark.parametrize("number", [False, True])
def test_a_blank_picture_has_no_answer(number: bool) -> None:
    answers = classify(untrained("mlp", "dense"), picture(), number=number)
    assert answers["signs"] == []
    assert [row["text"] for row in answers["nets"]] == ["", ""]
    assert answers["summary"] == "Nothing written."


@pytest.mark.parametrize(
    ("digits", "doubtful", "summary"),
    [
        ("7", "", "A predicts 7."),
        ("7", "A", "A predicts 7, in doubt."),
        ("77", "B", "Both networks predict 7; 1 in doubt."),
        ("777", "ABC", "All 3 networks predict 7; all in doubt."),
        ("71", "", "A predicts 7; B predicts 1."),
        ("177", "", "B and C predict 7; A predicts 1."),
        ("7711", "", "A and B predict 7; C and D predict 1."),
        ("77712", "", "3 of 5 networks predict 7; D predicts 1; E predicts 2."),
    ],
)
def test_one_sentence_tells_who_disagrees_and_how_many_are_in_doubt(
    digits: str, doubtful: str, summary: str
) -> None:
    nets = [
        net(Constant(int(digit), sure=title not in doubtful), title)
        for title, digit in zip("ABCDE", digits, strict=False)
    ]
    assert classify(nets, picture(FIVE), number=False)["summary"] == summary


def test_a_net_differs_only_from_an_answer_that_leads() -> None:
    for digits, differs in (("717", "010"), ("71", "00"), ("7711", "0000"), ("7", "0")):
        nets = [net(Constant(int(digit)), str(place)) for place, digit in enumerate(digits)]
        rows = classify(nets, picture(FIVE), number=False)["nets"]
        assert "".join(str(int(row["differs"])) for row in rows) == differs
    assert leading([]) is None


SHAPES = [  # LeCun et al. 1998, section II-B
    *(("pixels", (1, 32, 32)), ("C1", (6, 28, 28)), ("S2", (6, 14, 14)), ("C3", (16, 10, 10))),
    *(("S4", (16, 5, 5)), ("C5", (120, 1, 1)), ("F6", (84,)), ("output", (10,))),
]


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_the_feature_maps_are_the_layers_of_the_paper(name: str) -> None:
    (lenet5,) = untrained(name)
    (sign,), _ = find_signs(picture(FIVE), number=False)
    layers = maps(lenet5, sign)
    assert [(layer["name"], layer["shape"]) for layer in layers] == SHAPES
    f6 = layers[6]
    bitmap = (1, 12, 7) if name == "lenet5_1998" else (1, 1, 84)  # fig. 3: codes are bitmaps
    assert (f6["count"], f6["height"], f6["width"]) == bitmap


def test_the_bytes_of_feature_maps_span_their_values() -> None:
    (lenet5,) = untrained("lenet5")
    (sign,), _ = find_signs(picture(FIVE), number=False)
    network, c1 = lenet5.predictor.net, maps(lenet5, sign)[1]
    values = network.c1(network.pixels(torch.from_numpy(sign.image)[None, None])).tanh()[0]
    span = c1["most"] - c1["least"]
    pixels = np.frombuffer(b64decode(c1["pixels"]), np.uint8).reshape(6, 28, 28)
    np.testing.assert_allclose(
        c1["least"] + pixels * (span / 255), values.detach().numpy(), atol=span / 500
    )
    assert {pixels.min(), pixels.max()} == {0, 255}


def test_every_network_has_a_place_on_the_page(tmp_path: Path) -> None:
    names = mnist_arch.architectures()
    nets = load_nets(saved(tmp_path / f"{name}.ckpt", name) for name in names)
    assert len({each.title for each in nets}) == len(names) > 8
    answers = classify(nets, picture(FIVE), number=False)
    assert [len(row["signs"][0]["probabilities"]) for row in answers["nets"]] == [10] * len(names)
    (sign,), _ = find_signs(picture(FIVE), number=False)
    for each in nets:
        assert maps(each, sign)[-1]["shape"] == (10,), each.title


def test_no_two_nets_have_the_same_title(tmp_path: Path) -> None:
    kinds = [("a", "lenet5"), ("b", "lenet5"), ("c", "modern")]
    nets = load_nets(saved(tmp_path / f"{file}.ckpt", "lenet5", kind) for file, kind in kinds)
    assert [each.title for each in nets] == [
        *("LeNet-5 (a.ckpt)", "LeNet-5 (b.ckpt)", "LeNet-5 (modern)")
    ]
    assert (nets[0].architecture, nets[0].seed) == ("lenet5", 3)


def finished(folder: Path, **changes: Any) -> Path:
    """The folder of a run whose settings are the changes."""
    return finished_run(folder, config=changes, **changes)


def test_of_each_kind_of_run_the_first_seed_is_shown_the_smallest_network_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lenet5 = finished(tmp_path / "a", architecture="lenet5", parameters=60_806)
    shorter = finished(tmp_path / "b", variant={"recipe.max_epochs": 3})
    finished(tmp_path / "c", seed=2)
    first = finished(tmp_path / "d", seed=1)
    finished(tmp_path / "e", seed=1)  # the same command, typed twice
    finished(tmp_path / "f", data="fashion_mnist")
    (finished(tmp_path / "g", recipe="modern") / "checkpoints/last.ckpt").unlink()
    (tmp_path / "h").mkdir()
    (tmp_path / "h/record.json").write_text("{}")
    assert first_seeds(tmp_path) == [lenet5, first, shorter]
    messages = capsys.readouterr().err.splitlines()
    assert [str(tmp_path / "h/record.json") in messages[0], str(first) in messages[1]] == [
        True
    ] * 2
    assert len(messages) == 2


def test_the_networks_of_the_package_are_on_the_page_and_ones_own_beside_them(
    tmp_path: Path,
) -> None:
    own = finished(tmp_path / "lenet5-seed0", architecture="lenet5")
    sets = first_seeds(FOLDER)
    assert {path.name for path in sets} == {each.name for each in mnist_arch.weights()}
    nets = load_nets([*sets, own])
    (lenet5,) = (net for net in nets if net.title == "LeNet-5")
    assert (lenet5.shipped, lenet5.recipe) == (True, "lenet5")
    assert (lenet5.epochs, lenet5.accuracy) == (20, 99.13)
    assert (nets[-1].title, nets[-1].shipped) == ("LeNet-5 (lenet5-seed0)", False)
    assert [net.shipped for net in nets[:-1]] == [True] * len(sets)


def test_a_title_says_in_what_a_run_differs_from_its_networks_own(tmp_path: Path) -> None:
    folders = [
        finished(tmp_path / "a"),
        finished(tmp_path / "b", variant={"recipe.max_epochs": 3}),
        finished(tmp_path / "c", variant={"recipe.max_epochs": 3}, label="short", seed=1),
        finished(tmp_path / "d", recipe="modern"),
    ]
    nets = load_nets(folders)
    assert [each.title for each in nets] == [
        *("MLP", "MLP (max_epochs=3)", "MLP (short)", "MLP (modern)")
    ]
    assert nets[0].accuracy == 97.59


def test_what_is_no_run_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no finished run's record.json"):
        load_nets([tmp_path])


def test_the_reader_is_called_so_and_is_not_its_architectures_own_network() -> None:
    reader, *others = load_nets([FOLDER / READER])
    assert (reader.title, others) == ("Reader", [])
    assert "Batch-norm CNN" in {each["title"] for each in without_weights([reader])}
