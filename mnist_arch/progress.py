"""How far a long loop is: a bar on a terminal, once two seconds have gone by."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

PATIENCE = 2  # seconds


def progress(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """Hand on items, and show on standard error how many are done, if that is a terminal.

    ``total`` is their number, where they do not know it themselves.
    """
    from tqdm import tqdm

    bar = tqdm(items, title, total, delay=PATIENCE, leave=False, disable=None, dynamic_ncols=True)
    return iter(bar)
