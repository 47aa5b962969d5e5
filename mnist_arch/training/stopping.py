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
_before: dict[int, Any] = {}  # the handlers that there were, while signals are noted
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
    _noted.clear()
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        _before.update({n: h for n, h in handlers.items() if h not in (signal.SIG_IGN, None)})
    listen()
    try:
        yield
    except Stopped:
        pass
    except SystemExit as end:  # which Lightning makes of both signals
        if isinstance(end.__context__, KeyboardInterrupt):
            raise end.__context__ from None
        if not _noted:
            raise
    finally:
        _restore()
        noted = [*_noted]
        _noted.clear()
        _before.clear()
    if noted:
        signal.raise_signal(noted[0])
        raise KeyboardInterrupt  # whoever handled the signal goes on, but the training is over


def listen() -> None:
    """Note signals, though Lightning has meanwhile put a handler of its own before this one."""
    for number in _before:
        signal.signal(number, _note)


def _restore() -> None:
    for number, handler in _before.items():
        signal.signal(number, handler)


def _note(number: int, _: FrameType | None) -> None:
    if _noted:
        _restore()
        signal.raise_signal(number)
    _noted.append(number)
