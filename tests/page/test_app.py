"""The page's server: what it answers, and what it refuses."""

import asyncio
import re
import threading
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette

import mnist_arch
from mnist_arch import page
from mnist_arch.inference.pictures import MOST_PIXELS
from mnist_arch.page.app import FILES, HEADERS, MOST_BYTES, application
from tests.factories import FIVE, png
from tests.page.factories import picture, untrained

PICTURE = {"content-type": "image/png"}


def client(app: Starlette) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1:8000")


def ask(app: Starlette, path: str, content: Any = None, headers: Any = PICTURE) -> Response:
    """Get a path, or post a picture there."""

    async def answer() -> Response:
        async with client(app) as browser:
            method = "GET" if content is None else "POST"
            return await browser.request(method, path, content=content, headers=headers)

    return asyncio.run(answer())


def test_a_picture_gets_an_answer_of_every_net() -> None:
    answers = ask(application(untrained("lenet5", "mlp")), "/classify", picture(FIVE)).json()
    assert [len(row["text"]) for row in answers["nets"]] == [1, 1]
    assert answers["size"] == [320, 320]


def test_the_page_names_its_networks_and_the_command_that_trains_each_other_one() -> None:
    state = ask(application(untrained("mlp", "lenet5")), "/state").json()
    assert [net["title"] for net in state["nets"]] == ["MLP", "LeNet-5"]
    commands = {each["command"] for each in state["without_weights"]}
    others = {*mnist_arch.architectures()} - {"mlp", "lenet5"}
    assert commands == {f"python -m experiments.run model={name}" for name in others}


def test_feature_maps_are_those_of_one_net_and_one_sign() -> None:
    app = application(untrained("mlp", "lenet5"))
    parts = ask(app, "/maps/1/0", picture(FIVE)).json()
    assert [layer["name"] for layer in parts["layers"]][:2] == ["pixels", "C1"]
    assert len(b64decode(parts["saliency"]["pixels"])) == 28 * 28
    for path in ("/maps/2/0", "/maps/0/1", "/maps/-1/0", "/maps/a/0"):
        assert ask(app, path, picture(FIVE)).status_code == 404


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (b"", PICTURE, 400, "empty"),
        (b"no picture", PICTURE, 400, "PNG"),
        (picture(FIVE)[:300], PICTURE, 400, "readable"),
        (png(10_000, 10_000), PICTURE, 400, f"{MOST_PIXELS:,}"),
        (b"<svg/>", {"content-type": "text/html"}, 415, "text/html"),
        (b"x", {"content-type": "a\x0bb\x1f\tc"}, 415, "a?b??c"),
        (b"x", {}, 415, "no type"),
        (b"x", PICTURE | {"host": "evil.example"}, 403, "this machine"),
        (b"x", PICTURE | {"host": "[::1"}, 403, "this machine"),
        (b"x", PICTURE | {"origin": "http://evil.example"}, 403, "another site"),
        (b"x", PICTURE | {"origin": "null"}, 403, "another site"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,
)
def test_a_hostile_request_gets_one_line_and_the_next_one_its_answer(
    content: bytes,
    headers: dict[str, str],
    status: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    app = application(untrained("mlp"))
    refusal = ask(app, "/classify", content, headers)
    assert refusal.status_code == status
    assert words in refusal.json()["error"]
    assert "\n" not in refusal.json()["error"]
    assert ask(app, "/classify", picture(FIVE)).status_code == 200
    assert not [*tmp_path.iterdir()]


def test_what_is_not_there_is_not_elsewhere_either() -> None:
    app = application([], loopback=False)
    for path in ("/classify/", "/state/", "/maps/0/0/"):
        answer = ask(app, path, headers={"host": "evil.example"})
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"}), path


def test_the_page_is_for_this_machine_only_unless_told_otherwise() -> None:
    other = {"host": "digits.example"}
    assert ask(application([]), "/", headers=other).status_code == 403
    assert ask(application([], loopback=False), "/", headers=other).status_code == 200
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        own = {"host": host, "origin": f"http://{host}"}
        assert ask(application([]), "/", headers=own).status_code == 200


def test_what_is_too_large_is_not_kept_and_the_sender_sees_why() -> None:
    parts_read = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal parts_read
        for _ in range(30):
            parts_read += 1
            yield bytes(MOST_BYTES // 10)

    declared = PICTURE | {"content-length": str(3 * MOST_BYTES)}
    for number, headers in enumerate((PICTURE, declared), start=1):
        refusal = ask(application([]), "/classify", parts(), headers)
        assert refusal.status_code == 413
        assert "10 MB" in refusal.json()["error"]
        assert refusal.headers["connection"] == "close"
        assert parts_read == 30 * number  # to its end: closing on unread bytes resets the line


def test_what_does_not_arrive_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnist_arch.page.app.PATIENCE", 0.2)

    async def slowly() -> AsyncIterator[bytes]:
        yield picture(FIVE)[:100]
        await asyncio.sleep(20)

    refusal = ask(application([]), "/classify", slowly())
    assert refusal.status_code == 408
    assert refusal.headers["connection"] == "close"


def test_every_answer_carries_the_headers_and_nothing_comes_from_elsewhere() -> None:
    app = application([])
    for path in (*FILES, "/state", "/nowhere"):
        answer = ask(app, path)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        addresses = set(re.findall(r"https?://[^'\"]+", answer.text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path  # of the icon: a name
    assert "default-src 'self'" in HEADERS["Content-Security-Policy"]
    own = Path(page.__file__).parent
    shown = {path.name for kind in ("html", "css", "js") for path in own.glob(f"*.{kind}")}
    assert shown == set(FILES.values())


def test_the_nets_take_one_picture_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feature maps are taken by hooks on a net, which would see another picture's too."""
    inside, most = 0, 0

    def enter(*_: Any) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.05)

    def leave(*_: Any) -> None:
        nonlocal inside
        inside -= 1

    monkeypatch.setattr("mnist_arch.page.app._cores", lambda: 2)
    (net,) = shown = untrained("mlp")
    net.predictor.net.register_forward_pre_hook(enter)
    net.predictor.net.register_forward_hook(leave)

    async def all_at_once() -> set[int]:
        async with client(application(shown)) as browser:
            paths = ("/classify", "/maps/0/0", "/classify", "/maps/0/0")
            posts = (browser.post(each, content=picture(FIVE), headers=PICTURE) for each in paths)
            return {answer.status_code for answer in await asyncio.gather(*posts)}

    assert asyncio.run(all_at_once()) == {200}
    assert most == 1


def test_a_slow_net_delays_no_other_request() -> None:
    (net,) = nets = untrained("mlp")
    entered, release = threading.Event(), threading.Event()

    def wait(*_: Any) -> None:
        entered.set()
        assert release.wait(20)

    net.predictor.net.register_forward_pre_hook(wait)

    async def both() -> tuple[int, int]:
        async with client(application(nets)) as browser:
            request = browser.post("/classify", content=picture(FIVE), headers=PICTURE)
            slow = asyncio.create_task(request)
            await asyncio.to_thread(entered.wait, 20)
            status = (await browser.get("/state")).status_code
            assert not slow.done()
            release.set()
            return status, (await slow).status_code

    assert asyncio.run(both()) == (200, 200)
