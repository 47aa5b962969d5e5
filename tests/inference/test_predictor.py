"""A network that classifies pictures."""

import json
import math
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import mnist_arch
from mnist_arch.errors import UserError
from mnist_arch.inference import pictures
from mnist_arch.inference.predictor import LEAST_SCORES, Predictor, least_score, pixels
from mnist_arch.inference.preprocess import BLANK, SEVERAL
from mnist_arch.models.heads import RadialBasis, Softmax
from mnist_arch.models.network import Network
from mnist_arch.reports.figures.pictures import sheet
from tests.factories import FIVE, SEVEN, drawn

ROOT = Path(mnist_arch.__file__).parent.parent


class Fixed(Network):
    """Gives every image the same scores."""

    head = Softmax()

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scored = torch.tensor(scores)

    def forward(self, images: Tensor) -> Tensor:
        return self.scored.expand(len(images), 10)


def test_called_it_is_its_network() -> None:
    net = mnist_arch.build("lenet5")
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(Predictor(net)(images), net(images), rtol=0, atol=0)


def test_the_best_two_are_the_networks_own(tmp_path: Path) -> None:
    predictor = Predictor(mnist_arch.build("lenet5"))
    five = drawn(FIVE)
    Image.fromarray(five).save(tmp_path / "five.png")
    sources = (five, torch.from_numpy(five.copy())[None], Image.fromarray(five))
    files = (tmp_path / "five.png", str(tmp_path / "five.png"))
    for picture in (*sources, *files, files[0].read_bytes()):
        answer = predictor.predict(picture)
        image = torch.from_numpy(answer.image)[None, None]
        ten = predictor.net.probabilities(image)[0]
        best = ten.topk(2)
        assert answer.probabilities == pytest.approx(ten.tolist(), rel=1e-6)
        assert [answer.digit, answer.runner_up] == best.indices.tolist()
        probabilities = [answer.probability, answer.runner_up_probability]
        assert probabilities == pytest.approx(best.values.tolist(), rel=1e-6)
        assert answer.image.any()


def test_every_form_of_a_picture_is_the_same_picture(tmp_path: Path) -> None:
    predictor, five = Predictor(mnist_arch.build("mlp")), drawn(FIVE)
    path = tmp_path / "five.png"
    Image.fromarray(five).save(path)
    rgb, tensor = np.stack([five] * 3, axis=2), torch.from_numpy(five.copy())
    opaque = np.dstack([rgb, np.full_like(five, 255)])
    with path.open("rb") as file:
        forms = {
            "path": path,
            "string": str(path),
            "bytes": path.read_bytes(),
            "bytearray": bytearray(path.read_bytes()),
            "memoryview": memoryview(path.read_bytes()),
            "file": file,
            "file in memory": BytesIO(path.read_bytes()),
            "Pillow": Image.fromarray(five),
            "(H, W)": five,
            "(H, W, 1)": five[..., None],
            "(1, H, W)": five[None],
            "(H, W, 3)": rgb,
            "(H, W, 3) of floats": rgb.astype(np.float32),
            "(H, W, 3) of integers": rgb.astype(np.int64),
            "(H, W, 3) of 16 bits": rgb.astype(np.uint16) * 257,
            "(H, W, 4)": opaque,
            "torch (H, W)": tensor,
            "torch (1, H, W)": tensor[None],
            "torch (3, H, W)": tensor.expand(3, -1, -1),
            "torch (3, H, W) of floats": tensor.expand(3, -1, -1).float(),
            "torch (H, W, 3)": torch.from_numpy(rgb),
        }
        images = {name: predictor.predict(picture).image for name, picture in forms.items()}
    for name, image in images.items():
        np.testing.assert_array_equal(image, images["path"], err_msg=name)


def test_colour_is_weighed_as_by_pillow() -> None:
    """Rec. 601 luma, as a picture file has it; and what is transparent is paper."""
    page = np.full((90, 90, 4), 255, np.uint8)
    page[20:70, 40:48] = (30, 60, 200, 255)
    page[:10] = (0, 0, 0, 0)
    np.testing.assert_array_equal(pixels(page), pictures.read(Image.fromarray(page)))
    rgb = page[..., :3].copy()
    np.testing.assert_array_equal(pixels(rgb), pictures.read(Image.fromarray(rgb)))
    np.testing.assert_array_equal(pixels(rgb.astype(np.uint16) * 257), pixels(rgb))
    np.testing.assert_array_equal(pixels(rgb > 100), pixels((rgb > 100) * np.uint8(255)))
    np.testing.assert_array_equal(
        pixels(torch.from_numpy(rgb).permute(2, 0, 1)), pictures.read(Image.fromarray(rgb))
    )


def test_several_pictures_give_a_list_of_the_answers_of_each(tmp_path: Path) -> None:
    predictor = Predictor(mnist_arch.build("mlp"))
    five, seven = drawn(FIVE), drawn(SEVEN)
    Image.fromarray(seven).save(tmp_path / "seven.png")
    each = [predictor.predict(five).to_dict(), predictor.predict(seven).to_dict()]
    stacked = np.stack([five, seven])
    for several in (
        [five, tmp_path / "seven.png"],
        (five, Image.fromarray(seven)),
        (page for page in (five, seven)),
        torch.from_numpy(stacked)[:, None],
        stacked[..., None],
    ):
        answers = predictor.predict(several)
        for answer, alone in zip(answers, each, strict=True):
            assert answer.to_dict().keys() == alone.keys()
            assert answer.digit == alone["digit"]
            assert answer.probabilities == pytest.approx(alone["probabilities"], rel=1e-5)
    assert predictor.predict([]) == []


def test_many_pictures_are_more_than_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, sizes = Predictor(Fixed([1.0] + [0.0] * 9)), []
    monkeypatch.setattr("mnist_arch.inference.predictor.EVALUATION_BATCH", 3)
    forward = predictor.net.forward
    monkeypatch.setattr(
        predictor.net, "forward", lambda images: sizes.append(len(images)) or forward(images)
    )
    assert len(predictor.predict(drawn(FIVE) for _ in range(7))) == 7
    assert sizes == [3, 3, 1]


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.full((28, 28), 0.5), r"from 0.5 to 0.5: expected 0 to 255; multiply it by 255"),
        (torch.full((3, 28, 28), 0.5), r"expected 0 to 255; multiply it by 255"),
        (np.full((28, 28, 3), 256), "in colour of int64: expected values from 0 to 255"),
        (np.full((28, 28, 3), np.nan), "in colour of float64: expected values from 0 to 255"),
        (np.full((28, 28, 3), -1.0), "in colour of float64: expected values from 0 to 255"),
        (np.zeros((5, 28, 28)), r"of shape \(5, 28, 28\)"),
        (np.zeros((28, 0, 3), np.uint8), r"of shape \(28, 0, 3\)"),
        (StringIO("text"), "a file opened as text; open a picture with mode 'rb'"),
        (7, "no picture but int; give a path, bytes or pixels"),
        (BytesIO(b"no picture"), "picture: no picture of the formats PNG"),
        ([drawn(FIVE), np.full((28, 28), 0.5)], r"number 1 \(from 0\): a picture with pixel"),
        ([drawn(FIVE), "nowhere.png"], "^nowhere.png: no such file"),
    ],
)
def test_what_is_no_picture_is_named(picture: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Predictor(mnist_arch.build("mlp")).predict(picture)
    assert "\n" not in str(caught.value)


def test_an_answer_says_itself_and_is_plain_data() -> None:
    sure = Predictor(Fixed([2.0, 1.0] + [-50.0] * 8), least_score=1)
    answer = sure.predict(drawn(FIVE))
    share = 1 / (1 + math.exp(-1))
    assert repr(answer) == "Answer(0, 73.1 %; else 1, 26.9 %)"
    plain = json.loads(json.dumps(answer.to_dict()))
    assert plain == answer.to_dict()
    assert (plain["digit"], plain["runner_up"], plain["doubt"]) == (0, 1, None)
    assert plain["probabilities"][:2] == pytest.approx([share, 1 - share])
    both = np.concatenate([drawn(FIVE), drawn(SEVEN)], axis=1)
    assert repr(sure.predict(both)) == f"Answer(0, 73.1 %; else 1, 26.9 %; doubtful: {SEVERAL})"
    assert repr(sure.predict(np.zeros((99, 99), np.uint8))) == f"Answer(None; {BLANK})"


def test_blank_and_several_are_doubtful_whatever_the_network_says() -> None:
    sure = Predictor(Fixed([50.0] + [0] * 9), least_score=1)
    assert sure.predict(drawn(FIVE)).doubt is None
    blank = sure.predict(np.zeros((99, 99), np.uint8))
    assert (blank.digit, blank.doubt, blank.probabilities) == (None, BLANK, [0] * 10)
    both = np.concatenate([drawn(FIVE), drawn(SEVEN)], axis=1)
    assert sure.predict(both).doubt == SEVERAL
    assert [answer.doubt for answer in sure.predict_number(both)] == [None, None]
    assert sure.predict_number(np.zeros((99, 99), np.uint8)) == []


def test_a_date_is_digits_and_signs_in_their_places() -> None:
    date = Path(__file__).parent / "cases/date_12-05.png"
    answers = Predictor(Fixed([50.0] + [0] * 9)).predict_number(date)
    assert answers.text == "00/00"
    assert answers.doubt is None
    assert repr(answers) == "Number('00/00')"
    doubtful = Predictor(Fixed([50.0] + [0] * 9), least_score=60).predict_number(date)
    assert doubtful.doubt == "; ".join(["0: like no digit it knows"] * 4)
    assert [answer.sign for answer in answers] == [None, None, "/", None, None]
    assert answers[2].digit is None
    height, width = 160, 470
    for answer, following in zip(answers, [*answers[1:], None], strict=True):
        top, left, bottom, right = answer.box
        assert 0 <= top < bottom <= height
        assert 0 <= left < right <= (following.box[1] if following else width)


def test_an_answer_with_a_low_top_score_is_doubtful() -> None:
    scores = torch.tensor([[3.0] + [0.0] * 9, [2.0] + [-50.0] * 9])
    net = Fixed([0.0] * 10)
    assert Predictor(net, least_score=2.5).doubts(scores).tolist() == [False, True]
    # Unmeasured: softmax of 3 against nine zeros is 0.69, of 2 against nothing 1.
    assert Predictor(net).doubts(scores).tolist() == [True, False]


def test_the_network_of_1998_doubts_by_its_own_class() -> None:
    """Eq. 9: "none of them" has the penalty j beside half of those of the digits. It has a
    probability of 0.1 where the digit's is nine times as likely, log 9 nearer."""
    net = mnist_arch.build("lenet5_1998")
    assert isinstance(net.head, RadialBasis)
    limit, far = -2 * (net.head.j - math.log(9)), [-9 * net.head.j] * 9
    scores = torch.tensor([[limit + 0.1, *far], [limit - 0.1, *far]])
    assert Predictor(net).doubts(scores).tolist() == [False, True]


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "float64", "sparse", "int64", "bool"])
def test_a_tensor_of_any_kind_is_a_picture(kind: str) -> None:
    page = torch.from_numpy(drawn(FIVE) > 127)
    kinds = {"sparse": page.float().mul(255).to_sparse(), "bool": page}
    picture = kinds[kind] if kind in kinds else page.to(getattr(torch, kind)) * 255
    answer = Predictor(mnist_arch.build("mlp")).predict(picture)
    assert answer.digit is not None


@pytest.mark.parametrize(
    "tensor", [torch.zeros(28, 28, device="meta"), torch.zeros(28, 28, dtype=torch.complex64)]
)
def test_a_tensor_without_pixel_values_is_refused(tensor: torch.Tensor) -> None:
    with pytest.raises(UserError, match="no pixel values in a tensor of torch"):
        Predictor(mnist_arch.build("mlp")).predict(tensor)


def test_five_of_a_hundred_validation_digits_are_below_the_least_score() -> None:
    class Ink(Fixed):
        def forward(self, images: Tensor) -> Tensor:
            return images.float().mean((1, 2, 3))[:, None].expand(-1, 10)

    images = torch.arange(101, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    assert least_score(Ink([0.0] * 10), images) == pytest.approx(5)


def test_the_sheet_shows_every_picture_beside_what_was_seen() -> None:
    picture, image = drawn(FIVE), np.full((28, 28), 7, np.uint8)
    figure = sheet([(picture, image, f"caption {number}") for number in range(5)])
    assert [text.get_text() for text in figure.texts] == [f"caption {n}" for n in range(5)]
    drawn_images = [axes.images[0].get_array() for axes in figure.axes]
    assert len(drawn_images) == 10
    np.testing.assert_array_equal(drawn_images[-2], picture)
    np.testing.assert_array_equal(drawn_images[-1], image)


def test_a_loaded_network_doubts_as_was_measured_for_it(tmp_path: Path) -> None:
    net = mnist_arch.build("mlp")
    weights = {f"net.{name}": value for name, value in net.state_dict().items()}
    measured = json.loads(LEAST_SCORES.read_text())
    for recipe, expected in (("modern", measured["mlp, modern"]), ("another", None)):
        metadata = {"architecture": "mlp", "recipe": recipe}
        torch.save({"mnist_arch": metadata, "state_dict": weights}, tmp_path / "net.ckpt")
        assert mnist_arch.load(tmp_path / "net.ckpt").least_score == expected
