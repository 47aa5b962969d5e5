"""How far a long loop is: a bar on a terminal, once two seconds have gone by."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

PATIENCE = 2  # seconds


def progress(items: Iterable[Item], title: str) -> Iterator[Item]:
    """Hand on items, and show on standard error how many are done, if that is a terminal."""
    from tqdm import tqdm

    bar = tqdm(items, title, delay=PATIENCE, leave=False, disable=None, dynamic_ncols=True)
    return iter(bar)
