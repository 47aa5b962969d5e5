"""The page's server: pictures come in, what the networks read in them goes out.

It keeps no picture, logs none, and answers a mistake with one line, {"error": ...}. Pages of other
sites cannot use it: their Origin is refused, and so is, of a server on the loopback, a Host that
is not the loopback's (a name of theirs that was bound to it).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_arch.errors import UserError
from mnist_arch.page.nets import Net, found, load_nets, maps, read

MOST_BYTES = 10_000_000  # of one picture
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FILES = {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Step:
    """How far a training has come.

    Attributes:
        net: Which network.
        epoch: Whole epochs done.
        epochs: Of how many; None as long as that is not known.
        run: The folder of the finished run; None before it is finished.
    """

    net: str
    epoch: int = 0
    epochs: int | None = None
    run: Path | None = None


Train = Callable[[], AsyncIterator[Step]]


class Page:
    """The nets that read, and the training that may be offered while there are none."""

    def __init__(self, nets: Sequence[Net], train: Train | None) -> None:
        self.nets, self.train = list(nets), train
        self.steps: dict[str, Step] = {}
        self.error: str | None = None
        self.training: asyncio.Task[None] | None = None
        self.turn = asyncio.Lock()  # one picture at a time; who waits holds nobody up

    def state(self) -> dict[str, Any]:
        """Return the nets, and how the training stands."""
        return {
            "nets": [
                {"title": net.title, "about": net.about, "meaning": net.meaning}
                for net in self.nets
            ],
            "most_bytes": MOST_BYTES,
            "training": {
                "offered": self.train is not None and not self.nets,
                "running": self.training is not None and not self.training.done(),
                "error": self.error,
                "steps": [
                    {"net": step.net, "epoch": step.epoch, "epochs": step.epochs}
                    | {"finished": step.run is not None}
                    for step in self.steps.values()
                ],
            },
        }

    def begin(self) -> None:
        """Begin the training, unless it has begun."""
        if self.train is None or self.nets:
            raise HTTPException(409, "there are trained nets; nothing is trained here")
        if self.training is None or self.training.done():
            self.steps, self.error = {}, None
            self.training = asyncio.create_task(self._train(self.train))

    async def _train(self, train: Train) -> None:
        runs = []
        try:
            async for step in train():
                self.steps[step.net] = step
                if step.run:
                    runs.append(step.run)
            self.nets = await asyncio.to_thread(load_nets, runs)
        except UserError as error:
            self.error = str(error)

    async def end(self) -> None:
        """End a training that is under way."""
        if self.training:
            self.training.cancel()
            await asyncio.gather(self.training, return_exceptions=True)


def application(
    nets: Sequence[Net], train: Train | None = None, *, loopback: bool = True
) -> Starlette:
    """Make the server of some nets; ``train`` is offered where there are none.

    ``loopback`` says that it is reached from this machine only.
    """
    page = Page(nets, train)

    async def state(_: Request) -> Response:
        return JSONResponse(page.state())

    async def begin(_: Request) -> Response:
        page.begin()
        return JSONResponse(page.state())

    async def answer(request: Request) -> Response:
        picture = await body(request)
        number = request.query_params.get("number") == "1"
        async with page.turn:
            return JSONResponse(await asyncio.to_thread(read, page.nets, picture, number=number))

    async def feature_maps(request: Request) -> Response:
        net, sign = (_index(request, name) for name in ("net", "sign"))
        picture = await body(request)
        number = request.query_params.get("number") == "1"
        async with page.turn:
            signs, _ = await asyncio.to_thread(found, picture, number=number)
            if net >= len(page.nets) or sign >= len(signs):
                raise HTTPException(404, "no such net, or no such sign in the picture")
            return JSONResponse(await asyncio.to_thread(maps, page.nets[net], signs[sign]))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await page.end()

    return Starlette(
        routes=[
            *(Route(path, _file(name)) for path, name in FILES.items()),
            Route("/state", state),
            Route("/train", begin, methods=["POST"]),
            Route("/read", answer, methods=["POST"]),
            Route("/maps", feature_maps, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, loopback=loopback)],
        exception_handlers={
            UserError: lambda _, error: _refused(400, str(error)),
            HTTPException: lambda _, error: _refused(error.status_code, error.detail),
            ClientDisconnect: lambda *_: Response(status_code=400),
            Exception: lambda *_: _refused(500, "the server failed; its terminal says why"),
        },
        lifespan=lifespan,
    )


async def body(request: Request) -> bytes:
    """Receive a picture; of what is too large no more is read than tells so.

    Raises:
        HTTPException: It is said to be no picture (415), or is larger than MOST_BYTES (413).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise HTTPException(415, f"no picture, but {kind[:50] or 'of no type'}")
    received = bytearray()
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) <= MOST_BYTES:
        async for part in request.stream():
            received += part
            if len(received) > MOST_BYTES:
                break
        else:
            return bytes(received)
    raise HTTPException(413, f"the picture is larger than {MOST_BYTES // 1_000_000} MB")


def _index(request: Request, name: str) -> int:
    value = request.query_params.get(name, "0")
    if not (value.isascii() and value.isdecimal()) or len(value) > 4:
        raise HTTPException(400, f"{name}: must be a number")
    return int(value)


def _file(name: str) -> Callable[[Request], Any]:
    async def send(_: Request) -> Response:
        return FileResponse(Path(__file__).with_name(name))

    return send


def _refused(status: int, why: str) -> Response:
    # What is left of a body that was not read must not be taken for the next request.
    headers = {"Connection": "close"} if status == 413 else {}
    return JSONResponse({"error": why}, status, headers)


class Guard:
    """Refuses what a page of another site sends, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self.app, self.loopback = app, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self.refusal(Headers(scope=scope))
        app = _refused(403, refusal) if refusal else self.app
        await app(scope, receive, send_with_headers)

    def refusal(self, headers: Headers) -> str | None:
        """Say why a request is refused; None if it is not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            name = None
        if self.loopback and name not in LOOPBACK:
            return "this page is for this machine only; open it at 127.0.0.1 or localhost"
        if origin is not None and origin != f"http://{host}":
            return "a page of another site cannot use this one"
        return None
