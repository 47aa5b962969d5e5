"""What the command lines share: a user's mistake is one line on standard error, exit code 2."""

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from mnist_arch.errors import UserError
from mnist_arch.runs.config import explanation

ASKED_FOR_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR") == "1"


def run_command(main: Callable[[], Any]) -> None:
    """Call a command line's main function, and leave as its outcome demands.

    What the user caused ends with ``error: ...`` and code 2, Ctrl-C with 130, SIGTERM with 143,
    and a bug with its traceback and 1. HYDRA_FULL_ERROR=1 shows the traceback of all.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands its errors on instead of printing them
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)  # Lightning calls it after its own
    threading.excepthook = _tell_of_thread
    for stream in (sys.stdout, sys.stderr):  # a file's name need not be text
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        main()
        sys.stdout.flush()  # a full disk is noticed here, not when nobody can say it any more
    except BrokenPipeError:  # who reads our output, as `head` does, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # as the shell says of a program that SIGPIPE ended
    except Exception as error:
        line = explanation(error)
        if ASKED_FOR_TRACEBACK or line is None:
            raise
        sys.stderr.write(f"error: {line}\n")
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as end:
        # Lightning turns Ctrl-C into SystemExit(1).
        signals = (each for each in _chain(end) if isinstance(each, KeyboardInterrupt))
        cause = next(signals, None)
        if cause is None or end.__class__ is _Ended:
            raise
        for number in (signal.SIGINT, signal.SIGTERM):  # we are leaving, however often they ask
            signal.signal(number, signal.SIG_IGN)
        word, code = ("terminated", 143) if isinstance(cause, Terminated) else ("interrupted", 130)
        say(word)
        raise _Ended(code) from end


class Terminated(KeyboardInterrupt):
    """SIGTERM came, which ends a command as Ctrl-C does."""


class _Ended(SystemExit):
    """All is said: a command within a command has ended both."""


def _terminate(*_: Any) -> NoReturn:
    raise Terminated


def _tell_of_thread(failed: threading.ExceptHookArgs) -> None:
    """Say in one line that a disk was full for a thread, such as TensorBoard's."""
    line = explanation(failed.exc_value) if failed.exc_value else None
    if ASKED_FOR_TRACEBACK or line is None:
        threading.__excepthook__(failed)
    else:
        say(line)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, and what it was raised in the handling of, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def say(line: str) -> None:
    """Tell the user, on standard error, how it is going."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Parser(argparse.ArgumentParser):
    """Parses a command's arguments; --help shows its module's docstring, a mistake is one line.

    Only settings of a run are given as name=value. Where a command takes none, an argument that
    is given so is refused with what to say for it.

    Args:
        module: Its ``__file__``.
        docstring: Its own.
        old: What to say for names that arguments once had.
    """

    def __init__(
        self, module: str, docstring: str | None, old: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(
            prog=f"python -m experiments.{Path(module).stem}",
            description=docstring,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.old = old

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the command line.

        Raises:
            UserError: It is not as the command takes it.
        """
        if "settings" not in {action.dest for action in self._actions}:
            for word in sys.argv[1:]:
                self._refuse_setting(word)
        return super().parse_args(*args, **kwargs)

    def _refuse_setting(self, word: str) -> None:
        name, equals, value = word.partition("=")
        own = {action.dest: self._said(action, value) for action in self._actions}
        say = {**own, **self.old}
        if equals and name in say and not Path(word).exists():
            raise UserError(
                f"{word}: only settings of a run are given as name=value; here say {say[name]}"
            )

    def _said(self, action: argparse.Action, value: str) -> str:
        if not action.option_strings:
            return f"{shlex.quote(value)} by itself"
        option = action.option_strings[-1]
        return option if action.nargs == 0 else f"{option} {shlex.quote(value)}"

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; --help shows how it is called")

    @property
    def command(self) -> str:
        """The command line as it was typed."""
        return f"{self.prog} {shlex.join(sys.argv[1:])}".rstrip()
