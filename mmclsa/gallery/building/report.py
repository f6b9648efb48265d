"""What a build did, and its summary on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from mmclsa.gallery.building.reading import CLOCKS
from mmclsa.gallery.building.unit_result import UnitResult
from mmclsa.utils.text import counted

__all__ = ['BuildReport', 'print_report']

_MAX_SKIPPED = 20


@dataclass
class BuildReport:
    """What a build did, all of its processes together.

    Attributes:
        pictures: That went through the network.
        people: Rows that came of them: sightings in videos, or detections.
        detections: How often somebody was found in a picture.
        known: Units that the index had already.
        skipped: Files that could not be read, or not to their end, and why.
        passed_over: How many files that are no footage lie among it, by kind.
        renewed: Files that have changed since the index had them.
        unnamed: Files whose name is not of the pattern.
        gone: Files that the index has people of, and that are no longer there.
        clocks: Where the times of files are from, one of
            :data:`~mmclsa.gallery.building.reading.CLOCKS`, by file.
        seconds: How long it took.
    """

    pictures: int = 0
    people: int = 0
    detections: int = 0
    known: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)
    renewed: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    clocks: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    gone: list[str] = field(default_factory=list)

    @property
    def nothing_read(self) -> bool:
        """Whether there were files, and none of them could be read, now or before."""
        return bool(self.skipped) and not self.pictures and not self.known

    def count(self, result: UnitResult) -> None:
        """Add a unit's figures."""
        self.pictures += result.num_pictures
        self.people += len(result.scores)
        self.detections += result.num_detections
        if result.clock:
            self.clocks[result.unit.source] = result.clock
        if result.problem:
            self.skipped.setdefault(result.unit.source, result.problem)


def print_report(report: BuildReport, total_rows: int, console: Console) -> None:
    """Write what a build did.

    Args:
        report: Of the build.
        total_rows: Of the index now.
        console: Where to.
    """
    rate = report.pictures / report.seconds if report.seconds else 0.0
    people = counted(report.people, 'person')
    if report.detections != report.people:
        people = counted(report.people, 'sighting of people', 'sightings of people')
        people += f' from {counted(report.detections, "detection")}'
    did = f'{counted(report.pictures, "picture")}, {people}, {report.seconds:.1f} s'
    lines = [f'{did} ({rate:.1f} pictures/s)']
    if report.known:
        units = counted(report.known, 'unit of work was', 'units of work were')
        lines.append(f'{units} in the index already')
    if report.renewed:
        files = counted(
            len(report.renewed), 'file had changed, and was', 'files had changed, and were'
        )
        lines.append(f'{files} looked at again')
    if report.gone:
        lines.append(_tell_gone(report.gone))
    lines.append(f'{counted(total_rows, "row")} in the index, each a person or a sighting of one')
    for clock, count in sorted(Counter(report.clocks.values()).items()):
        lines.append(f'{counted(count, "file has its", "files have their")} time {CLOCKS[clock]}')
    if report.passed_over:
        kinds = sorted(report.passed_over.items(), key=lambda item: (-item[1], item[0]))
        words = ', '.join(f'{kind} {number}' for kind, number in kinds[:_MAX_SKIPPED])
        if more := len(kinds[_MAX_SKIPPED:]):
            words += f' and {counted(more, "more kind")}'
        others = counted(sum(report.passed_over.values()), 'other is', 'others are')
        lines.append(f'{others} no footage: {words}')
    ending = 'that is not of the pattern'
    lines += _some(report.unnamed, f'file has a name {ending}', f'files have a name {ending}')
    lines += _some(list(report.skipped.values()), 'file skipped', 'files skipped')
    for line in lines:
        # A name that is no UTF-8 would break the terminal.
        printable = line.encode('utf-8', 'backslashreplace').decode()
        console.print(printable, highlight=False, markup=False, soft_wrap=True)


def _tell_gone(gone: Sequence[str]) -> str:
    files = counted(len(gone), 'file of the index is', 'files of the index are')
    such = f'such as {gone[0]}' if len(gone) > 1 else gone[0]
    return (
        f'{files} no longer there ({such}): the people stay in it until '
        'tools/prune_gallery.py INDEX_DIR --gone deletes them'
    )


def _some(lines: Sequence[str], one: str, several: str) -> list[str]:
    """List lines below a title, but not too many."""
    if not lines:
        return []
    more = [f'  ... and {len(lines) - _MAX_SKIPPED} more'] * (len(lines) > _MAX_SKIPPED)
    title = counted(len(lines), one, several)
    return [f'{title}:', *(f'  {line}' for line in lines[:_MAX_SKIPPED]), *more]
