"""What the command lines share: a user's mistake is one line on standard error, exit code 2."""

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

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
    if isinstance(error, OmegaConfBaseException):
        # omegaconf raises either for a key that a structured config does not have.
        if isinstance(error, (KeyError, AttributeError)) and error.parent_node is not None:
            return f"no setting '{error.full_key}'; {_near(str(error.key), error.parent_node)}"
        first_line = str(error).strip().partition("\n")[0]
        return f"{error.full_key}: {first_line}" if error.full_key else first_line
    if _cannot_merge_into_null(error):
        return (
            "a word sets a part of a setting that is null, which a command line cannot do; "
            "write it into a file of conf/experiment"
        )
    if isinstance(error, (HydraException, OSError)):
        return " ".join(str(error).split())
    return None


def _cannot_merge_into_null(error: BaseException) -> bool:
    """Recognise what omegaconf 2.3 raises for a dictionary over a typed null."""
    if not isinstance(error, (AttributeError, AssertionError)) or "NoneType" not in str(error):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return any("omegaconf" in frame.filename for frame in frames[-1:])


def _near(key: str, node: Any, known: Iterable[str] | None = None) -> str:
    """Suggest a setting below the node that has this very name, or one in it with a like name."""

    def below(values: Any, prefix: str) -> Iterator[str]:
        for name, value in values.items() if isinstance(values, dict) else ():
            if name == key and prefix:
                yield f"{prefix}{name}"
            if name != "hydra":
                yield from below(value, f"{prefix}{name}.")

    found = next(below(OmegaConf.to_container(node), ""), None)
    return f"did you mean {found}?" if found else suggestion(key, known or map(str, node))


def typed(settings: DictConfig) -> Any:
    """Turn composed settings into the dataclass they were composed by.

    Raises:
        UserError: A key was added (``+key=value``) that the dataclass does not have, or a value
            is impossible.
    """
    _refuse_added_keys(settings, "")
    return OmegaConf.to_object(settings)


def _refuse_added_keys(settings: DictConfig, prefix: str) -> None:
    schema = OmegaConf.get_type(settings)
    if not is_dataclass(schema):
        return
    known = [field.name for field in fields(schema)]
    for key in map(str, settings):
        if key not in known:
            raise UserError(f"no setting '{prefix}{key}'; {_near(key, settings, known)}")
        if isinstance(settings[key], DictConfig):
            _refuse_added_keys(settings[key], f"{prefix}{key}.")
