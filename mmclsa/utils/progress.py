"""Progress of what turns out to take long."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ['told_when_slow']

T = TypeVar('T')

PATIENCE = 5.0  # seconds


def told_when_slow(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """Go through items, with a progress bar on standard error from the fifth second on.

    Example:
        >>> sum(told_when_slow([1, 2], total=2, title='adding'))
        3
    """
    begun, bar, task = time.monotonic(), None, None
    try:
        for done, item in enumerate(items):
            if bar is None and time.monotonic() - begun > PATIENCE:
                # Here, as most never need it.
                from rich.console import Console
                from rich.progress import Progress

                bar = Progress(console=Console(stderr=True))
                bar.start()
                task = bar.add_task(title, total=total)
            if bar is not None and task is not None:
                bar.update(task, completed=done)
            yield item
    finally:
        if bar is not None:
            bar.stop()
