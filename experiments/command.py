"""What the command lines share: a user's mistake is one line on standard error, exit code 2."""

import os
import sys
from collections.abc import Callable
from typing import Any

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from mnist_arch.errors import UserError, suggestion

ASKED_FOR_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR") == "1"


def run_command(main: Callable[[], Any]) -> None:
    """Call a command line's main function, and leave as its outcome demands.

    What the user caused ends with ``error: ...`` and code 2, an interruption with 130, and a bug
    with its traceback and 1. HYDRA_FULL_ERROR=1 shows the traceback of all three.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands its errors on instead of printing them
    try:
        main()
    except Exception as error:
        line = explanation(error)
        if ASKED_FOR_TRACEBACK or line is None:
            raise
        sys.stderr.write(f"error: {line}\n")
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as end:
        # Lightning turns Ctrl-C into SystemExit(1).
        if not isinstance(end.__context__ or end, KeyboardInterrupt):
            raise
        sys.stderr.write("interrupted\n")
        sys.exit(130)


def explanation(error: BaseException) -> str | None:
    """Say in one line what the user did wrong; None for what is no user's fault."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}={name}: no such choice; {suggestion(name, error.options or ())}"
    if isinstance(error, ConfigCompositionException) and error.__cause__:
        return explanation(error.__cause__)
    if isinstance(error, ConfigKeyError) or _is_unknown_attribute(error):
        return _unknown_key(error)
    if isinstance(error, OmegaConfBaseException):
        key = f"{error.full_key}: " if error.full_key else ""
        return key + _first_line(error)
    return _first_line(error) if isinstance(error, HydraException) else None


def _is_unknown_attribute(error: BaseException) -> bool:
    return isinstance(error, OmegaConfBaseException) and isinstance(error, AttributeError)


def _unknown_key(error: Any) -> str:
    parent = error.parent_node
    known = [str(key) for key in parent] if parent is not None else []
    return f"no setting {error.full_key!r}; {suggestion(str(error.key), known)}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
