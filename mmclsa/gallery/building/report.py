"""What a build did, and its summary on the terminal."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console

from mmclsa.gallery.building.pipeline import UnitResult

__all__ = ['BuildReport', 'print_report']

_MAX_SKIPPED = 20


@dataclass
class BuildReport:
    """What a build did, all of its processes together.

    Attributes:
        pictures: That went through the network.
        people: Found in them.
        known: Units that the index had already.
        skipped: Files that could not be read, or not to their end, and why.
        seconds: How long it took.
    """

    pictures: int = 0
    people: int = 0
    known: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, result: UnitResult) -> None:
        """Add a unit's figures."""
        self.pictures += result.num_pictures
        self.people += len(result.scores)
        if result.problem:
            self.skipped.setdefault(result.unit.source, result.problem)


def print_report(report: BuildReport, total_people: int, console: Console) -> None:
    """Write what a build did.

    Args:
        report: Of the build.
        total_people: In the index now.
        console: Where to.
    """
    rate = report.pictures / report.seconds if report.seconds else 0.0
    did = f'{report.pictures} pictures, {report.people} people, {report.seconds:.1f} s'
    lines = [f'{did} ({rate:.1f} pictures/s)']
    if report.known:
        lines.append(f'{report.known} units of work were in the index already')
    lines.append(f'{total_people} people in the index')
    if report.skipped:
        lines.append(f'{len(report.skipped)} files skipped:')
        lines += [f'  {reason}' for reason in list(report.skipped.values())[:_MAX_SKIPPED]]
    if len(report.skipped) > _MAX_SKIPPED:
        lines.append(f'  ... and {len(report.skipped) - _MAX_SKIPPED} more')
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
