"""A build's progress bar on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ['Advance', 'ShowProgress', 'no_progress', 'progress_bar']


#: Is told how many pictures have gone through.
Advance = Callable[[int], None]
#: Is told how many pictures are expected, and shows progress while its block lasts.
ShowProgress = Callable[[int], AbstractContextManager[Advance]]


class _Rate(ProgressColumn):
    """Pictures a second."""

    def render(self, task: Task) -> Text:
        """Write the rate of late."""
        speed = task.finished_speed or task.speed
        return Text('' if speed is None else f'{speed:.1f} pictures/s')


@contextmanager
def progress_bar(total: int, console: Console) -> Iterator[Advance]:
    """Show a bar with rate and remaining time.

    Args:
        total: Pictures that are expected.
        console: Where to.

    Yields:
        A function to move it on.
    """
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task('Building', total=total)
        yield lambda count: progress.advance(task, count)


@contextmanager
def no_progress(_: int) -> Iterator[Advance]:
    """Show nothing."""
    yield lambda _: None
