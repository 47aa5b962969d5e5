"""The page under load: 16 clients at once, beside one that uploads rubbish and one that is slow.

    python -m tests.page.load                          (2,000 requests; prints what came of them)
    python -m tests.page.load --requests 200 lenet5 mlp dense

The networks have the weights they are drawn with: right is what they answer when asked directly.
What came of at least 2,000 requests is kept in results/endurance/load.json.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch

import mnist_arch
from mnist_arch.analysis.speed import processor
from mnist_arch.page.app import MOST_BYTES
from mnist_arch.page.nets import classify, load_nets
from tests.endurance.kept import keep, read
from tests.factories import FIVE, SEVEN
from tests.page.factories import picture, saved

ROOT = Path(mnist_arch.__file__).parent.parent
COMMAND = "python -m tests.page.load"
REQUESTS = 2_000  # fewer are only tried
WARM = 100  # requests after which memory shall not grow any more
NAMES = ("lenet5", "mlp")
PICTURES = [picture(FIVE), picture(SEVEN), picture(FIVE, [(x + 150, y) for x, y in SEVEN])]


@dataclass(frozen=True)
class Outcome:
    """What came of so many requests.

    Attributes:
        latencies: Seconds until each answer.
        wrong: How many answers were not those of the networks, to rubbish included.
        refusals: The statuses of what was answered to rubbish; 200 where the decoder does not look
            at the byte that was changed, as in the length of the last chunk, which it reads on.
        slow_bytes: That the slow client had sent before it was cut off, or all was over.
        memory: Bytes that the server held after each tenth request from the WARM-th on.
        work: Seconds of a core that the server spent for each request, rubbish included.
    """

    latencies: list[float]
    wrong: int
    refusals: list[int]
    slow_bytes: int
    memory: list[int]
    work: float

    @property
    def growth(self) -> float:
        """By what share the memory has grown since the first WARM requests."""
        return self.memory[-1] / self.memory[0] - 1


@contextmanager
def serving(checkpoints: Sequence[Path]) -> Iterator[tuple[int, int]]:
    """Serve some networks in a process of their own; gives its id and its port."""
    words = [
        sys.executable,
        "-m",
        "experiments.page",
        "--only",
        "--port",
        "0",
        *map(str, checkpoints),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield server.pid, int(server.stdout.readline().split()[0].rpartition(":")[2])
    finally:
        server.terminate()
        server.communicate()


def family(process: int) -> list[int]:
    """A process, and those that it has started."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *map(int, children)]


def resident(process: int) -> int:
    """Bytes of memory that a process and its children hold."""
    pages = [int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in family(process)]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def worked(process: int) -> float:
    """Seconds of a core that a process and its children have used."""
    stats = [Path(f"/proc/{each}/stat").read_text() for each in family(process)]
    fields = [each.rpartition(")")[2].split() for each in stats]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def ask(browser: http.client.HTTPConnection, content: bytes) -> tuple[int, Any]:
    browser.request("POST", "/classify", content, {"Content-Type": "image/png"})
    answer = browser.getresponse()
    return answer.status, json.loads(answer.read())


def rubbish() -> Iterator[bytes]:
    """What is no picture: random bytes, half a picture, one with a byte changed, far too much."""
    draws = random.Random(0)
    for turn in itertools.count():
        changed = bytearray(PICTURES[0])
        changed[draws.randrange(8, 40)] ^= 255
        kinds = [draws.randbytes(5_000), PICTURES[0][: len(PICTURES[0]) // 2], bytes(changed), b""]
        yield bytes(MOST_BYTES + 1) if turn % 20 == 19 else kinds[turn % len(kinds)]


def measure(requests: int, clients: int = 16, names: Sequence[str] = NAMES) -> Outcome:
    """Ask so many times, and count."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = [saved(Path(folder) / f"{name}.ckpt", name) for name in names]
        nets = load_nets(checkpoints)
        expected = [_texts(classify(nets, each, number=False)) for each in PICTURES]
        with serving(checkpoints) as (process, port):
            return _measured(process, port, expected, requests, clients)


def _texts(answers: Any) -> list[Any]:
    return [answers["summary"], *(net["text"] for net in answers["nets"])]


def _measured(
    process: int, port: int, expected: list[Any], requests: int, clients: int
) -> Outcome:
    done = threading.Event()
    numbers, lock = iter(range(requests)), threading.Lock()
    latencies: list[float] = []
    memory: list[int] = []
    wrong: list[int] = []

    def client(_: int) -> None:
        browser = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                browser.close()
                return
            started = time.perf_counter()
            status, answers = ask(browser, PICTURES[number % len(PICTURES)])
            with lock:
                latencies.append(time.perf_counter() - started)
                if status != 200 or _texts(answers) != expected[number % len(PICTURES)]:
                    wrong.append(number)
                if len(latencies) >= WARM and len(latencies) % 10 == 0:
                    memory.append(resident(process))

    def vandal() -> list[int]:
        refusals = []
        for content in rubbish():
            if done.is_set():
                return refusals
            browser = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            status, answers = ask(browser, content)
            refusals.append(status)
            if status == 200 and _texts(answers) != expected[0]:  # that of the picture unchanged
                with lock:
                    wrong.append(-len(refusals))
            browser.close()
            done.wait(0.05)
        return refusals

    def slow() -> int:
        sent = 0
        with socket.create_connection(("127.0.0.1", port)) as line:
            head = "POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
            line.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode())
            while not done.wait(0.1):
                try:
                    line.sendall(b"x")
                except OSError:  # its time is over
                    break
                sent += 1
        return sent

    before = worked(process)
    with ThreadPoolExecutor(clients + 2) as threads:
        others = threads.submit(vandal), threads.submit(slow)
        try:
            list(threads.map(client, range(clients)))
        finally:
            done.set()
        refusals, sent = others[0].result(), others[1].result()
    work = (worked(process) - before) / (requests + len(refusals))
    return Outcome(latencies, len(wrong), refusals, sent, memory, work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*NAMES])
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--clients", type=int, default=16)
    args = parser.parse_args()
    outcome = measure(args.requests, args.clients, args.names)
    milliseconds = [1000 * each for each in outcome.latencies]
    memory = [each / 1e6 for each in outcome.memory]
    statuses = {each: outcome.refusals.count(each) for each in sorted(set(outcome.refusals))}
    if args.requests >= REQUESTS:
        name = ", ".join(args.names)
        found = {
            "requests": args.requests,
            "clients": args.clients,
            "wrong": outcome.wrong,
            "median_ms": median(milliseconds),
            "99_percent_within_ms": quantiles(milliseconds, n=100)[-1],
            "core_ms": 1000 * outcome.work,
            "growth_percent": 100 * outcome.growth,
            "megabytes": memory[-1],
            "rubbish": {str(status): count for status, count in statuses.items()},
            "processor": processor()["model"],
            "date": datetime.now(UTC).date().isoformat(),
        }
        command = COMMAND if args.names == [*NAMES] else f"{COMMAND} {' '.join(args.names)}"
        keep("load", name, found, command, [*(read("load") | {name: None})])
    sys.stdout.write(
        f"{len(milliseconds):,} requests of {args.clients} clients, {outcome.wrong} wrong\n"
        f"median {median(milliseconds):.0f} ms, "
        f"99 % within {quantiles(milliseconds, n=100)[-1]:.0f} ms; "
        f"{1000 * outcome.work:.1f} ms of a core for each\n"
        f"memory {memory[0]:.0f} MB after {WARM}, {memory[-1]:.0f} MB at the end "
        f"({100 * outcome.growth:+.1f} %)\n"
        f"answers to {len(outcome.refusals)} uploads of rubbish, by status: {statuses}\n"
    )


if __name__ == "__main__":
    main()
