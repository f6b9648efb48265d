"""A build's progress bar and summary on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

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

from mmclsa.gallery.building.builder import BuildReport

__all__ = ['Advance', 'print_report', 'progress_bar']

_MAX_SKIPPED = 20


class Advance(Protocol):
    """Is told how many pictures have gone through."""

    def __call__(self, count: int) -> None:
        """Move the bar."""


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


def print_report(report: BuildReport, total_people: int, console: Console) -> None:
    """Write what a build did.

    Args:
        report: Of the build.
        total_people: In the index now.
        console: Where to.
    """
    rate = report.pictures / report.seconds if report.seconds else 0.0
    console.print(
        f'{report.pictures} pictures, {report.people} people, '
        f'{report.seconds:.1f} s ({rate:.1f} pictures/s)',
        highlight=False,
    )
    if report.known:
        console.print(f'{report.known} units of work were in the index already', highlight=False)
    console.print(f'{total_people} people in the index', highlight=False)
    if report.skipped:
        console.print(f'{len(report.skipped)} files skipped:', highlight=False)
    for number, reason in enumerate(report.skipped.values()):
        if number == _MAX_SKIPPED:
            console.print(f'  ... and {len(report.skipped) - _MAX_SKIPPED} more', highlight=False)
            break
        console.print(f'  {reason}', highlight=False, markup=False, soft_wrap=True)
