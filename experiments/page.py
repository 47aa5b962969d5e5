"""What do my trained nets read when I write a digit? A page to draw on, in the browser.

    python -m experiments.page                              (the finished runs in runs/)
    python -m experiments.page runs/lenet5-seed0 runs/mlp-seed0

Of runs that differ in their seed only, the first is shown. Where there is no run, the page offers
to train two nets. It is for this machine only, unless --host says otherwise; Ctrl-C ends it.
"""

import argparse
import asyncio
import contextlib
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.command import run_command
from mnist_arch.errors import UserError

if TYPE_CHECKING:
    from mnist_arch.page.app import Step

RUNS = Path("runs")
QUICK = (("model=mlp",), ("model=lenet5", "recipe.max_epochs=3"))  # trained where there is no run
PROGRESS = re.compile(r"\w+ epoch +(\d+)/(\d+): ")  # what a run writes after each epoch
OUTCOME = re.compile(r".+ -> (.+)")  # and at its end


def main() -> None:
    """Load the nets and serve the page."""
    parser = argparse.ArgumentParser(prog="experiments.page", description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs, or checkpoint files")
    parser.add_argument("--host", default="127.0.0.1", help="who may reach it (this machine)")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free")
    asked = parser.parse_args()
    try:
        import uvicorn

        from mnist_arch.page.app import LOOPBACK, application
        from mnist_arch.page.nets import load_nets
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UserError(f"{error.name} is missing: pip install 'mnist_arch[page]'") from error
    loopback = asked.host in LOOPBACK
    with listening(asked.host, asked.port) as bound:
        nets = load_nets(asked.runs or first_seeds(RUNS))
        app = application(nets, None if asked.runs else train, loopback=loopback)
        if not loopback:
            print(f"warning: --host {asked.host}: others can reach the page", file=sys.stderr)
        host = f"[{asked.host}]" if ":" in asked.host else asked.host
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=2
        )

        async def serve() -> None:
            print(f"http://{host}:{bound.getsockname()[1]} (Ctrl-C ends it)", flush=True)
            await uvicorn.Server(config).serve(sockets=[bound])

        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve())


def listening(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        UserError: It is in use, or cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"--host {host} --port {port}: {why}; another may be free, say --port {port + 1}"
        ) from error


def first_seeds(runs: Path) -> list[Path]:
    """Choose the finished runs below a folder that read digits: of each kind the first seed."""
    from mnist_arch.models import ARCHITECTURES
    from mnist_arch.runs import records

    kinds: dict[tuple[object, ...], list[tuple[int, Path]]] = {}
    for path in runs.glob("*/record.json"):
        try:
            record = records.read(path)
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        known = record.architecture in ARCHITECTURES and record.data != "fashion_mnist"
        if known and (path.parent / record.checkpoint).is_file():
            kind = (
                *(record.parameters, record.architecture),
                *(record.recipe, record.data, record.variant),
            )
            kinds.setdefault(kind, []).append((record.seed, path.parent))
    chosen = [min(kinds[kind]) for kind in sorted(kinds)]
    for kind, (_, path) in zip(sorted(kinds), chosen, strict=True):
        if kinds[kind][1:]:
            print(f"{path}: the first of {len(kinds[kind])} seeds")
    return [path for _, path in chosen]


async def train() -> AsyncIterator["Step"]:
    """Train QUICK nets one after the other, each by the command that trains any.

    Raises:
        UserError: One of them failed; the message is the command's last line.
    """
    from mnist_arch.page.app import Step

    for words in QUICK:
        name = words[0].partition("=")[2]
        yield Step(name)
        command = (sys.executable, "-m", "experiments.run", *words, f"runs={RUNS}")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(*command, "figures=false"),
            stdout=pipe,
            stderr=asyncio.subprocess.STDOUT,
            # Small nets gain little from more threads, and the page needs a core too.
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert process.stdout
        try:
            last, outcome = "", None
            async for line in process.stdout:
                last = line.decode(errors="replace").strip() or last
                outcome = OUTCOME.match(last) or outcome
                if told := PROGRESS.match(last):
                    yield Step(name, int(told[1]), int(told[2]))
            if await process.wait() or not outcome:
                raise UserError(f"training {name} failed: {last.removeprefix('error: ')}")
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        yield Step(name, run=Path(outcome[1]))


if __name__ == "__main__":
    run_command(main)
