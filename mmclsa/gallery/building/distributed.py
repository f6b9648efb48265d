"""One build in several processes that ``torchrun`` has started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from mmclsa.errors import ConfigError, UserError
from mmclsa.gallery import GalleryIndex, ModelFingerprint
from mmclsa.gallery.building.builder import COMMIT_SECONDS, BuildReport, IndexSink, pending_units
from mmclsa.gallery.building.embedder import Embedder
from mmclsa.gallery.building.pipeline import UnitResult, process_units
from mmclsa.gallery.building.spool import Spool
from mmclsa.gallery.building.units import Plan, SourceOptions, Unit
from mmclsa.utils.processes import Processes, joined_processes

__all__ = ['build_in_processes', 'share_of']

# A rank may wait for the others as long as the longest video takes.
_TIMEOUT = timedelta(days=30)


def share_of(units: Sequence[Unit], rank: int, world_size: int) -> list[Unit]:
    """Give a process its part: neighbours, so that a video is decoded in one go.

    Args:
        units: All units.
        rank: Number of the process.
        world_size: How many processes there are.

    Returns:
        Units in order, about as many pictures for each process.

    Example:
        >>> units = [Unit(str(n)) for n in range(5)]
        >>> [[unit.source for unit in share_of(units, rank, 2)] for rank in range(2)]
        [['0', '1'], ['2', '3', '4']]
    """
    # A stretch of a video without a wanted frame has to be gone through all the same.
    ends = np.cumsum([0, *(max(1, unit.num_frames) for unit in units)])[1:]
    total = int(ends[-1]) if len(units) else 0
    first, last = (total * r // world_size for r in (rank, rank + 1))
    low, high = np.searchsorted(ends, [first, last], 'right')
    return list(units[low:high])


def build_in_processes(
    open_index: Callable[[], GalleryIndex],
    plan_sources: Callable[[], Plan],
    embedder: Embedder,
    options: SourceOptions,
    batch_size: int = 8,
    commit_seconds: float = COMMIT_SECONDS,
) -> tuple[BuildReport, GalleryIndex | None]:
    """Build together with the other processes of ``torchrun``; every one calls this.

    The first plans and writes the index. The others leave their results in the
    index's folder, which all must see, and the first takes them in whenever it
    commits.

    Args:
        open_index: Opens the index for writing; called in the first process.
        plan_sources: Makes the plan; called in the first process.
        embedder: Finds people.
        options: Of the sources.
        batch_size: See :func:`build_gallery`.
        commit_seconds: See :func:`build_gallery`.

    Returns:
        In the first process what all did together, and the index, which is
        the caller's to close; in the others their own part, and None.

    Raises:
        UserError: In every process, if the first cannot begin.
        ConfigError: If the processes have different models.
    """
    with joined_processes(_TIMEOUT) as processes:
        began = time.monotonic()
        fingerprint = embedder.fingerprint
        index: GalleryIndex | None = None
        start = _Start()
        if processes.rank == 0:
            index, start = _begin(open_index, plan_sources, fingerprint)
        start = processes.broadcast(start)
        _check(start, fingerprint)
        share = share_of(start.units, processes.rank, processes.world_size)
        results = process_units(share, embedder, options, batch_size)
        if index is None:
            return _hand_over(results, Spool(start.path), processes, commit_seconds), None
        report = _take_in(results, IndexSink(index, options.camera, commit_seconds), processes)
    report.known, report.seconds = start.known, time.monotonic() - began
    report.skipped.update(start.skipped)
    return report, index


def _check(start: _Start, fingerprint: ModelFingerprint) -> None:
    """Refuse to begin what the first process cannot, or has another model for."""
    if start.error:
        raise UserError(start.error)
    if start.fingerprint and (difference := start.fingerprint.difference(fingerprint)):
        raise ConfigError(f'the processes have different models: {difference}')


@dataclass(frozen=True)
class _Start:
    """What the first process tells the others."""

    path: str = ''
    fingerprint: ModelFingerprint | None = None
    units: Sequence[Unit] = ()
    known: int = 0
    skipped: Mapping[str, str] = field(default_factory=dict)
    error: str = ''


def _begin(
    open_index: Callable[[], GalleryIndex],
    plan_sources: Callable[[], Plan],
    fingerprint: ModelFingerprint,
) -> tuple[GalleryIndex | None, _Start]:
    try:
        plan = plan_sources()
        index = open_index()
    except UserError as error:
        return None, _Start(error=str(error))
    IndexSink(index).commit()  # what killed processes have spooled
    units = pending_units(index, plan)
    known = len(plan.units) - len(units)
    return index, _Start(str(index.path.resolve()), fingerprint, units, known, plan.skipped)


def _take_in(results: Iterable[UnitResult], sink: IndexSink, processes: Processes) -> BuildReport:
    """Write this process's results, and those of the others."""
    report = BuildReport()
    for result in results:
        report.count(result)
        sink.take([result])
    for other in processes.gather(report)[1:]:
        report.merge(other)
    sink.close()
    return report


def _hand_over(
    results: Iterable[UnitResult], spool: Spool, processes: Processes, seconds: float
) -> BuildReport:
    """Leave results for the first process from time to time."""
    report = BuildReport()
    waiting: list[UnitResult] = []
    last = time.monotonic()
    for result in results:
        report.count(result)
        waiting.append(result)
        if time.monotonic() - last >= seconds:
            spool.write(waiting)
            waiting, last = [], time.monotonic()
    if waiting:
        spool.write(waiting)
    processes.gather(report)
    return report
