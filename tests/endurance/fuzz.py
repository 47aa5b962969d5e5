"""The page's server, fed by atheris: requests that grow from sound ones, their bodies pictures.

    python -m tests.endurance.fuzz                        (ten minutes on one core)
    python -m tests.endurance.fuzz -max_total_time=60     (libFuzzer's options)

Its parsers are those of the request's head (path, query, Host, Origin, type and length), which
are the page's own, and of the picture. Whatever comes, the answer is one that the page knows, and
an error is one line; anything else ends the program, and a file beside it has the request. It
needs atheris, which there is for Linux: pip install atheris. How many requests there were is kept
in results/endurance/fuzz.json.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from tests.endurance.kept import keep

COMMAND = "python -m tests.endurance.fuzz"

STATUSES = {200, 400, 403, 404, 405, 408, 413, 415}
MINUTES = 10
INSTRUMENTED = ["mnist_arch", "PIL", "starlette"]
PATHS = ("classify", "classify?number=1", "maps/0/0", "maps/0/1?number=1", "state", "")
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")


def request(target: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as it is sent."""
    lines = [f"{'POST' if body else 'GET'} /{target}", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def seeds() -> Iterator[bytes]:
    """Sound requests: pictures of each format and mode, and every path."""
    from PIL import Image

    from tests.factories import FIVE, SEVEN, drawn, written

    five = Image.fromarray(drawn(FIVE, times=0.3, at=(4, 4), pen=5)[:64, :48])
    both = Image.fromarray(drawn(FIVE, [(x + 150, y) for x, y in SEVEN]))
    kind = {"Content_Type": "image/png"}
    for name in FORMATS:
        for mode in ("L", "RGB"):
            yield request(PATHS[0], written(five.convert(mode), name), **kind)
    for mode in ("1", "P", "LA", "RGBA", "I;16"):
        yield request(PATHS[1], written(five.convert(mode), "PNG"), **kind)
    for path in PATHS:
        yield request(path, written(both, "PNG") if "/" in path or "cl" in path else b"", **kind)
    yield request(PATHS[0], b"x", Content_Type="text/html; charset=utf-8", Content_Length="1")
    yield request(PATHS[0], b"x", Origin="http://[::1]:80", Content_Length="99999999999", **kind)


@contextmanager
def answering(app: Any) -> Iterator[Callable[[bytes], int]]:
    """Yield a function that hands a request to an application, and returns the answer's status."""

    def answer(content: bytes) -> int:
        head, _, body = content.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        method, _, target = first.partition(b" ")
        path, _, query = target.partition(b"?")
        headers = [(name.strip().lower(), value.strip()) for name, _, value in split(lines)]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "root_path": "",
            "method": method.decode("latin-1").upper(),
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        parts = [body[: len(body) // 2], body[len(body) // 2 :]]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not parts:
                return {"type": "http.disconnect"}
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        loop.run(app(scope, receive, send))
        status = int(sent[0]["status"])
        said = b"".join(message.get("body", b"") for message in sent[1:])
        assert status in STATUSES, (status, said)
        if status != 200 and said:
            line = json.loads(said)["error"]
            assert "\n" not in line, line
            assert len(line) < 1_000, line
        return status

    with asyncio.Runner() as loop:
        yield answer


def split(lines: list[bytes]) -> Iterator[tuple[bytes, bytes, bytes]]:
    return (line.partition(b":") for line in lines if b":" in line)


def fuzz(options: list[str]) -> None:
    """Let atheris make requests, in this process, which it ends."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        import torch

        from mnist_arch.page.app import application
        from tests.page.factories import untrained
    torch.set_num_threads(1)
    with (
        answering(application(untrained("mlp"))) as answer,
        tempfile.TemporaryDirectory() as corpus,
    ):
        for number, content in enumerate(seeds()):
            Path(corpus, str(number)).write_bytes(content)

        def ignored(content: bytes) -> None:
            answer(content)  # atheris takes no answer

        atheris.Setup([COMMAND, *options, corpus], ignored)
        atheris.Fuzz()


def main(options: list[str]) -> int:
    if not find_spec("atheris"):
        sys.stderr.write("the page is not fuzzed: there is no atheris here\n")
        return 0
    given = [f"-max_total_time={60 * MINUTES}", "-max_len=40000", "-timeout=60"]
    # What atheris itself keeps grows without end; tests.page.load measures what the page does.
    given += ["-rss_limit_mb=0", "-malloc_limit_mb=1024", *options]
    here = [sys.executable, "-m", "tests.endurance.fuzz", "--inside", *given]
    said = ""
    with subprocess.Popen(here, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stderr
        for line in process.stderr:
            sys.stderr.write(line)
            said = line if line.startswith("Done ") else said
    done = re.match(r"Done (\d+) runs in (\d+) second", said)
    if done:
        requests, seconds = map(int, done.groups())
        found = {
            "requests": requests,
            "seconds": seconds,
            "findings": int(process.returncode != 0),
        }
        keep("fuzz", "the page", found, COMMAND, ["the page"])
    return process.returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        fuzz(sys.argv[2:])
    else:
        sys.exit(main(sys.argv[1:]))
