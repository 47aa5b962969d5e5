"""The page's web server."""

import logging
import socket

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

GRACE = 2  # seconds that clients get to end when the server does


class Server(uvicorn.Server):
    """Serves an application, and ends without a word on clients that hang and are cut off."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                ws="none",
                timeout_graceful_shutdown=GRACE,
            )
        )

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").disabled = True
        await super().shutdown(sockets)
