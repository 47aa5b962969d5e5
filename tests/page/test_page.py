"""The page's server: what the nets read, and what it refuses."""

import asyncio
import json
import re
import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.applications import Starlette

import mnist_arch
from mnist_arch import page
from mnist_arch.errors import UserError
from mnist_arch.inference.pictures import MOST_PIXELS
from mnist_arch.inference.predictor import Answer, Predictor
from mnist_arch.page.app import HEADERS, MOST_BYTES, Step, application
from mnist_arch.page.nets import Net, leading, load_nets, said
from tests.inference.test_pictures import png as bomb
from tests.inference.test_predictor import Fixed
from tests.inference.test_preprocess import FIVE, SEVEN, drawn

PICTURE = {"content-type": "image/png"}


async def ask_in(
    app: Starlette, path: str, parts: Iterable[bytes] | None = None, headers: Any = PICTURE
) -> tuple[int, Any, dict[str, str], int]:
    """Ask as a browser does: status, what it said, headers, and how many parts it took."""
    name, _, query = path.partition("?")
    given = {"host": "127.0.0.1:8000"} | dict(headers)
    scope = {
        "type": "http",
        "method": "GET" if parts is None else "POST",
        "path": name,
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in given.items()],
    }
    waiting, taken, sent, ended = iter(parts or ()), 0, [], False

    async def receive() -> dict[str, Any]:
        nonlocal taken, ended
        if ended:
            await asyncio.Event().wait()  # the browser says no more
        part = next(waiting, None)
        taken, ended = taken + (part is not None), part is None
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    answered = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    if answered["content-type"] == "application/json":
        return sent[0]["status"], json.loads(content), answered, taken
    return sent[0]["status"], content.decode(), answered, taken


def ask(*words: Any, **named: Any) -> tuple[int, Any, dict[str, str], int]:
    return asyncio.run(ask_in(*words, **named))


def png(picture: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def untrained(*names: str) -> list[Net]:
    return [Net(name, [name], "", Predictor(mnist_arch.build(name))) for name in names]


def answer(digit: int, doubt: str | None = None) -> Answer:
    return Answer(digit, 0.992, 1, 0.004, [0.1] * 10, doubt, np.zeros((28, 28), np.uint8))


def test_the_page_says_what_the_predictors_say() -> None:
    nets, five = untrained("lenet5", "mlp", "lenet5_1998"), png(drawn(FIVE))
    status, found, _, _ = ask(application(nets), "/read", [five])
    assert status == 200
    for net, said_of_it in zip(nets, found["nets"], strict=True):
        own = net.predictor.predict(five)
        (sign,) = said_of_it["signs"]
        assert (sign["digit"], sign["doubt"]) == (own.digit, own.doubt)
        assert sign["probability"] == own.probability
        assert sign["probabilities"] == own.probabilities
        seen = np.frombuffer(b64decode(found["signs"][0]["image"]), np.uint8)
        assert (seen.reshape(28, 28) == own.image).all()
    assert found["size"] == [320, 320]


def test_a_number_is_read_digit_by_digit() -> None:
    (net,) = nets = untrained("lenet5")
    both = png(np.concatenate([drawn(FIVE), drawn(SEVEN)], axis=1))
    _, found, _, _ = ask(application(nets), "/read?number=1", [both])
    own = net.predictor.predict_number(both)
    assert len(own) == 2
    assert found["nets"][0]["text"] == "".join(str(each.digit) for each in own)
    assert [sign["digit"] for sign in found["nets"][0]["signs"]] == [each.digit for each in own]


@pytest.mark.parametrize("number", [0, 1])
def test_a_blank_picture_has_no_answer(number: int) -> None:
    white = png(np.full((280, 280), 255, np.uint8))
    status, found, _, _ = ask(application(untrained("mlp")), f"/read?number={number}", [white])
    assert (status, found["said"], found["signs"]) == (200, "Nothing written.", [])
    assert found["nets"] == [{"text": "", "differs": False, "signs": []}]


@pytest.mark.parametrize(
    ("titles", "texts", "doubt", "sentence"),
    [
        ("A", "7", None, "A reads 7 (99.2 %)."),
        ("A", "7", "like no digit", "A reads 7 (99.2 %), doubtful: like no digit."),
        ("AB", "77", None, "Both nets read 7."),
        ("ABC", "777", "odd", "All 3 nets read 7; all doubt it."),
        ("AB", "71", None, "A reads 7; B reads 1."),
        ("ABCDE", "77712", None, "3 of 5 nets read 7; D reads 1; E reads 2."),
        ("ABCD", "7711", None, "A and B read 7; C and D read 1."),
        ("ABC", "717", None, "A and C read 7; B reads 1."),
        ("ABC", "177", None, "B and C read 7; A reads 1."),
    ],
)
def test_one_sentence_says_who_disagrees(
    titles: str, texts: str, doubt: str | None, sentence: str
) -> None:
    answers = [[answer(int(text), doubt)] for text in texts]
    assert said([*titles], [*texts], answers) == sentence


def test_a_net_that_differs_is_marked() -> None:
    nets = [
        Net(str(place), [], "", Predictor(Fixed([float(digit == read) for digit in range(10)])))
        for place, read in enumerate((7, 1, 7))
    ]
    _, found, _, _ = ask(application(nets), "/read", [png(drawn(FIVE))])
    assert [net["text"] for net in found["nets"]] == ["7", "1", "7"]
    assert [net["differs"] for net in found["nets"]] == [False, True, False]


def test_only_against_a_majority_can_a_net_differ() -> None:
    assert leading(["7", "7", "1"]) == "7"
    assert leading(["7", "1"]) is None
    assert leading([]) is None


SHAPES = [  # LeCun et al. 1998, section II-B
    *(("pixels", [1, 32, 32]), ("C1", [6, 28, 28]), ("S2", [6, 14, 14]), ("C3", [16, 10, 10])),
    *(("S4", [16, 5, 5]), ("C5", [120, 1, 1]), ("F6", [84]), ("output", [10])),
]


def test_the_feature_maps_are_the_layers_of_the_paper() -> None:
    nets, five = untrained("lenet5", "lenet5_1998"), png(drawn(FIVE))
    app = application(nets)
    _, layers, _, _ = ask(app, "/maps?net=0", [five])
    assert [(layer["name"], layer["shape"]) for layer in layers] == SHAPES
    net, image = nets[0].predictor.net, nets[0].predictor.predict(five).image
    squashed = net.c1(net.pixels(torch.from_numpy(image)[None, None])).tanh()[0].detach().numpy()
    c1 = layers[1]
    levels = np.frombuffer(b64decode(c1["levels"]), np.uint8).reshape(6, 28, 28)
    shown = c1["least"] + levels * ((c1["most"] - c1["least"]) / 255)
    np.testing.assert_allclose(shown, squashed, atol=(c1["most"] - c1["least"]) / 500)

    _, layers, _, _ = ask(app, "/maps?net=1", [five])
    assert [(layer["name"], layer["shape"]) for layer in layers] == SHAPES
    f6 = layers[6]
    assert (f6["count"], f6["height"], f6["width"]) == (1, 12, 7)  # fig. 3: a bitmap
    for there_is_none in ("/maps?net=2", "/maps?sign=1"):
        assert ask(app, there_is_none, [five])[0] == 404
    assert ask(app, "/maps?net=-1", [five])[0] == 400


@pytest.mark.parametrize(
    ("picture", "headers", "status", "words"),
    [
        (b"", PICTURE, 400, "empty"),
        (b"no picture", PICTURE, 400, "no picture of the formats PNG"),
        (png(drawn(FIVE))[:300], PICTURE, 400, "not a readable picture"),
        (bomb(10_000, 10_000), PICTURE, 400, f"more than {MOST_PIXELS:,}"),
        (bomb(90_000, 90_000), PICTURE, 400, "not a readable picture"),
        (bomb(5_000, 5_000), PICTURE, 400, "not a readable picture"),
        (b"<svg/>", {"content-type": "text/html"}, 415, "no picture, but text/html"),
        (b"x", {}, 415, "of no type"),
        (b"x", PICTURE | {"host": "evil.example"}, 403, "this machine only"),
        (b"x", PICTURE | {"host": "[::1"}, 403, "this machine only"),
        (b"x", PICTURE | {"origin": "http://evil.example"}, 403, "another site"),
        (b"x", PICTURE | {"origin": "null"}, 403, "another site"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,
)
def test_what_is_hostile_gets_one_line_and_the_server_goes_on(
    picture: bytes,
    headers: dict[str, str],
    status: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    app = application(untrained("mlp"))
    refused, found, _, _ = ask(app, "/read", [picture], headers=headers)
    assert refused == status
    assert words in found["error"]
    assert "\n" not in found["error"]
    assert ask(app, "/read", [png(drawn(FIVE))])[0] == 200
    assert not [*tmp_path.iterdir()]


def test_the_page_itself_is_for_this_machine_only_unless_told_otherwise() -> None:
    elsewhere = {"host": "digits.example"}
    assert ask(application([]), "/", headers=elsewhere)[0] == 403
    assert ask(application([], loopback=False), "/", headers=elsewhere)[0] == 200
    for here in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        own = {"host": here, "origin": f"http://{here}"}
        assert ask(application([]), "/", headers=own)[0] == 200


def test_of_what_is_too_large_no_more_is_taken_than_tells_so() -> None:
    app, part = application([]), bytes(MOST_BYTES // 10)
    status, found, headers, taken = ask(app, "/read", [part] * 50)
    assert (status, found["error"], taken) == (413, "the picture is larger than 10 MB", 11)
    assert headers["connection"] == "close"
    declared = PICTURE | {"content-length": str(MOST_BYTES + 1)}
    assert ask(app, "/read", [part] * 50, headers=declared)[::3] == (413, 0)


def test_every_answer_carries_the_headers_and_nothing_comes_from_elsewhere() -> None:
    app = application([])
    for path in ("/", "/page.css", "/page.js", "/state", "/nowhere"):
        _, content, headers, _ = ask(app, path)
        assert {key.lower(): value for key, value in HEADERS.items()}.items() <= headers.items()
        addresses = set(re.findall(r"https?://[^'\"]+", str(content)))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path  # of the icon: a name
    assert "default-src 'self'" in HEADERS["Content-Security-Policy"]
    assert {path.suffix for path in Path(page.__file__).parent.glob("page.*")} == {
        *(".html", ".css", ".js")
    }


def test_a_slow_net_holds_up_no_one_else() -> None:
    (net,) = nets = untrained("mlp")
    begun, go_on = threading.Event(), threading.Event()

    def wait(*_: Any) -> None:
        begun.set()
        assert go_on.wait(20)

    net.predictor.net.register_forward_pre_hook(wait)
    app = application(nets)

    async def both() -> tuple[int, int]:
        reading = asyncio.create_task(ask_in(app, "/read", [png(drawn(FIVE))]))
        await asyncio.to_thread(begun.wait, 20)
        status = (await ask_in(app, "/state"))[0]
        assert not reading.done()
        go_on.set()
        return status, (await reading)[0]

    assert asyncio.run(both()) == (200, 200)


def saved(path: Path, name: str, recipe: str) -> Path:
    weights = {f"net.{key}": value for key, value in mnist_arch.build(name).state_dict().items()}
    card = {"architecture": name, "recipe": recipe, "seed": 3}
    torch.save({"mnist_arch": card, "state_dict": weights}, path)
    return path


def test_no_two_nets_have_the_same_title(tmp_path: Path) -> None:
    kinds = [("a", "lenet5"), ("b", "lenet5"), ("c", "modern")]
    nets = load_nets(saved(tmp_path / f"{file}.ckpt", "lenet5", kind) for file, kind in kinds)
    assert [net.title for net in nets] == [
        *("LeNet-5 (a.ckpt)", "LeNet-5 (b.ckpt)", "LeNet-5 (modern)")
    ]
    assert nets[0].about == ["lenet5, seed 3"]


async def shown(app: Starlette, wanted: Any) -> Any:
    """Ask for the state until it is as wanted."""
    for _ in range(2000):
        state = (await ask_in(app, "/state"))[1]
        if wanted(state):
            return state
        await asyncio.sleep(0.005)
    raise AssertionError(state)


def test_where_there_is_no_net_two_are_trained_and_appear(tmp_path: Path) -> None:
    run = saved(tmp_path / "mlp.ckpt", "mlp", "mlp")

    async def trained() -> None:
        go_on, begun = asyncio.Event(), []

        async def train() -> AsyncIterator[Step]:
            begun.append("mlp")
            yield Step("mlp", 1, 5)
            await go_on.wait()
            yield Step("mlp", run=run)

        app = application([], train)
        state = (await ask_in(app, "/state"))[1]
        assert state["training"]["offered"]
        assert not state["training"]["running"]
        assert (await ask_in(app, "/train", [b""]))[0] == 200
        state = await shown(app, lambda state: state["training"]["steps"])
        step = {"net": "mlp", "epoch": 1, "epochs": 5, "finished": False}
        assert state["training"]["steps"] == [step]
        assert state["training"]["running"]
        assert (await ask_in(app, "/train", [b""]))[0] == 200  # the same goes on
        go_on.set()
        state = await shown(app, lambda state: state["nets"])
        assert [net["title"] for net in state["nets"]] == ["MLP"]
        assert begun == ["mlp"]
        assert not state["training"]["offered"]
        assert (await ask_in(app, "/train", [b""]))[0] == 409
        assert (await ask_in(app, "/read", [png(drawn(FIVE))]))[1]["nets"]

    asyncio.run(trained())


def test_a_training_that_fails_says_why_and_one_under_way_ends_with_the_server() -> None:
    async def failing() -> None:
        async def train() -> AsyncIterator[Step]:
            yield Step("mlp")
            raise UserError("no disk")

        app = application([], train)
        await ask_in(app, "/train", [b""])
        state = await shown(app, lambda state: state["training"]["error"])
        assert state["training"]["error"] == "no disk"
        assert state["training"]["offered"]

    async def ended() -> list[str]:
        course = []

        async def train() -> AsyncIterator[Step]:
            try:
                yield Step("mlp")
                await asyncio.sleep(60)
            finally:
                course.append("ended")

        app = application([], train)
        async with app.router.lifespan_context(app):
            await ask_in(app, "/train", [b""])
            await shown(app, lambda state: state["training"]["steps"])
        return course

    asyncio.run(failing())
    assert asyncio.run(ended()) == ["ended"]
