"""A training that is asked to end does so where nothing is lost.

The first Ctrl-C or SIGTERM is noted, and obeyed once the state is saved; a second is obeyed at
once.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_noted: list[int] = []


class Stopped(Exception):  # noqa: N818 nothing went wrong
    """Leads out of a training that a signal has asked to end."""


def asked() -> bool:
    """Whether the training that is under way is to end."""
    return bool(_noted)


@contextmanager
def gently() -> Iterator[None]:
    """Note the first signal; leave by it when the training inside has ended, or is `Stopped`.

    A signal that is ignored stays so, and outside of the main thread nothing is changed.

    Raises:
        KeyboardInterrupt: Ctrl-C came. SIGTERM does what it would have done without this.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        before = {n: each for n, each in handlers.items() if each not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _: FrameType | None) -> None:
        if _noted:
            restore()
            signal.raise_signal(number)
        _noted.append(number)

    _noted.clear()
    for number in before:
        signal.signal(number, note)
    try:
        yield
    except Stopped:
        pass
    except SystemExit as end:  # which Lightning makes of Ctrl-C
        if isinstance(end.__context__, KeyboardInterrupt):
            raise end.__context__ from None
        raise
    finally:
        restore()
    if _noted:
        signal.raise_signal(_noted[0])
        raise KeyboardInterrupt  # whoever handled the signal goes on, but the training is over
