"""What do trained nets make of a digit that I write? A page to draw on, in the browser.

    python -m experiments.page                        (all that come with the package, and runs/)
    python -m experiments.page runs/lenet5-seed3      (those of the package, and this run)
    python -m experiments.page --only lenet5 mlp      (two of the package)

In runs/, of runs that differ in their seed only the first is taken. The page is for this machine
only, unless --host says otherwise; Ctrl-C ends it.
"""

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

from experiments.command import Parser, run_command
from mnist_arch.errors import UserError


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="*", type=Path, help="folders, checkpoint files, or names")
    parser.add_argument("--only", action="store_true", help="show what is named and no more")
    parser.add_argument("--host", default="127.0.0.1", help="who may reach it (this machine)")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free")
    args = parser.parse_args()
    if args.only and not args.runs:
        raise UserError("--only: name what is to be shown")
    try:
        import torch

        from mnist_arch.page.app import LOOPBACK, application
        from mnist_arch.page.nets import first_seeds, load_nets
        from mnist_arch.page.server import Server
        from mnist_arch.runs.shipped import located, shipped
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UserError(f"{error.name} is missing: pip install 'mnist_arch[page]'") from error
    loopback = args.host in LOOPBACK
    with listen(args.host, args.port) as bound:
        own = [located(run) for run in args.runs] or first_seeds(Path("runs"))
        sets = [] if args.only else shipped()
        shown = [each.folder for each in sets if each.record.recipe != "modern"]
        app = application(load_nets(dict.fromkeys([*shown, *own])), loopback=loopback)
        if not loopback:
            sys.stderr.write(
                f"warning: --host {args.host}: whoever reaches this machine can use the page; "
                "what they send is not encrypted\n"
            )
        host = f"[{args.host}]" if ":" in args.host else args.host
        torch.set_num_threads(1)  # to share one picture's work takes longer than to do it
        print(f"http://{host}:{bound.getsockname()[1]} (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(Server(app).serve(sockets=[bound]))


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        UserError: It is in use, or cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"--host {host} --port {port}: {reason}; another may be free, say --port {port + 1}"
        ) from error
    # Inherited by connections. Without it the body of an answer waits for the browser to
    # acknowledge its head, which takes 40 ms; asyncio sets it only on sockets that name their
    # protocol.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


if __name__ == "__main__":
    run_command(main)
