"""What a user can cause, said in one line."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user can put right: the message says what was wrong, where, and what to do.

    The command lines print it as one line and exit with code 2.
    """


def suggestion(wrong: str, valid: Iterable[str]) -> str:
    """Name the valid word nearest to the wrong one, or all of them when none is near."""
    words = sorted(valid)
    near = get_close_matches(wrong, words, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"valid are {', '.join(words)}"


def printable(text: str) -> str:
    """Replace control characters in what anybody may have written, such as names in files."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
