"""The page's server: a picture comes in, the answers of the networks go out.

It stores no picture, logs none, and answers a mistake with one line, {"error": ...}. Pages of
other sites cannot use it: it refuses their Origin and, on the loopback interface, any Host but the
loopback's, such as a name of theirs that resolves to it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
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

from mnist_arch.errors import UserError, printable
from mnist_arch.page.nets import Net, maps, read, saliency, without_weights
from mnist_arch.page.readers import Readers

MOST_BYTES = 10_000_000  # of one picture
PATIENCE = 20  # seconds that a picture may take to arrive
UNREAD = (403, 408, 413, 415)  # the answers that come before the end of a request's body
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DESCRIPTION = (  # of a net
    *("title", "architecture", "recipe", "epochs", "seed", "accuracy", "shipped", "meaning"),
)
SCRIPTS = ("page.js", "cards.js", "elements.js", "pad.js", "photo.js", "save.js", "strokes.js")
FILES = {"/": "page.html"} | {f"/{name}": name for name in ("page.css", *SCRIPTS)}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Page:
    """The nets that classify."""

    def __init__(self, nets: Sequence[Net]) -> None:
        self.nets = nets
        self.readers = Readers(_cores())
        self.one_at_a_time = asyncio.Lock()  # for the nets

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """End what it started when the server ends."""
        yield
        self.readers.close()

    async def state(self, _: Request) -> Response:
        """Describe the nets, and name those without weights."""
        return JSONResponse(
            {
                "nets": [{key: getattr(net, key) for key in DESCRIPTION} for net in self.nets],
                "without_weights": without_weights(self.nets),
                "most_bytes": MOST_BYTES,
            }
        )

    async def classify(self, request: Request) -> Response:
        """Classify a picture with every net."""
        picture, number = await _picture(request)
        found = await self.readers.find(picture, number=number)
        async with self.one_at_a_time:
            return JSONResponse(await asyncio.to_thread(read, self.nets, *found))

    async def maps(self, request: Request) -> Response:
        """Return what one net looks at in one sign of a picture, and its feature maps."""
        picture, number = await _picture(request)
        signs, _ = await self.readers.find(picture, number=number)
        try:
            net = self.nets[request.path_params["net"]]
            sign = signs[request.path_params["sign"]]
        except IndexError:
            raise HTTPException(404, "no such network, or no such sign in the picture") from None

        def parts() -> dict[str, Any]:
            return {"saliency": saliency(net, sign), "layers": maps(net, sign)}

        async with self.one_at_a_time:
            return JSONResponse(await asyncio.to_thread(parts))


def application(nets: Sequence[Net], *, loopback: bool = True) -> Starlette:
    """Make the server of some nets; ``loopback`` says that only this machine can reach it."""
    page = Page(nets)
    app = Starlette(
        routes=[
            *(Route(path, partial(_file, name)) for path, name in FILES.items()),
            Route("/state", page.state),
            Route("/classify", page.classify, methods=["POST"]),
            Route("/maps/{net:int}/{sign:int}", page.maps, methods=["POST"]),
        ],
        lifespan=page.lifespan,
        middleware=[Middleware(Guard, loopback=loopback)],
        exception_handlers={
            UserError: lambda _, error: _error(400, str(error)),
            HTTPException: lambda _, error: _error(error.status_code, error.detail),
            ClientDisconnect: lambda *_: Response(status_code=400),
            Exception: lambda *_: _error(500, "the server failed; its terminal says why"),
        },
    )
    app.router.redirect_slashes = False  # to whatever Host says
    return app


def _cores() -> int:
    """Count the cores that this process may use, where the system tells."""
    tells = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if tells else os.cpu_count() or 1


async def _picture(request: Request) -> tuple[bytes, bool]:
    """Receive a picture, and whether it shows a number; keep no more of it than MOST_BYTES.

    Raises:
        HTTPException: It is declared to be no picture (415), is larger than MOST_BYTES (413), or
            has not arrived after PATIENCE (408).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise HTTPException(415, f"no picture, but {printable(kind[:50]) or 'of no type'}")
    content = bytearray()
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) <= MOST_BYTES:
        try:
            async with asyncio.timeout(PATIENCE):
                async for part in request.stream():
                    content += part
                    if len(content) > MOST_BYTES:
                        break
                else:
                    return bytes(content), request.query_params.get("number") == "1"
        except TimeoutError:
            raise HTTPException(408, f"the picture took more than {PATIENCE} seconds") from None
    raise HTTPException(413, f"the picture is larger than {MOST_BYTES // 1_000_000} MB")


async def _file(name: str, _: Request) -> Response:
    return FileResponse(Path(__file__).with_name(name))


def _error(status: int, message: str) -> Response:
    if status in UNREAD:
        return Unread({"error": message}, status, {"Connection": "close"})
    return JSONResponse({"error": message}, status)


class Unread(JSONResponse):
    """An answer to a request whose body has not been read to its end, and ends the connection.

    What comes after it is read and forgotten, for PATIENCE: closing on unread bytes would reset
    the connection, and the sender never see the answer (RFC 9112, section 9.6).
    """

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if self.status_code != 408:  # who was too slow is not waited for again
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    while (await receive()).get("more_body"):
                        pass
        await send({"type": "http.response.body", "body": b""})


class Guard:
    """Refuses requests from pages of other sites, and puts HEADERS on every answer."""

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
        app = _error(403, refusal) if refusal else self.app
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
