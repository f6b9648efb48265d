"""One build in several processes that ``torchrun`` has started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from torch import distributed

from mmclsa.errors import ConfigError, UserError
from mmclsa.gallery import GalleryIndex, ModelIdentity
from mmclsa.gallery.building.builder import COMMIT_SECONDS, BuildReport, IndexSink, pending_units
from mmclsa.gallery.building.embedder import Embedder
from mmclsa.gallery.building.pipeline import UnitResult, process_units
from mmclsa.gallery.building.spool import Spool
from mmclsa.gallery.building.units import Plan, SourceOptions, Unit

__all__ = ['build_in_processes', 'is_launched', 'share_of']

# A rank may wait for the others as long as the longest video takes.
_TIMEOUT = timedelta(days=30)


def is_launched() -> bool:
    """Say whether ``torchrun`` has started this process beside others."""
    return int(os.environ.get('WORLD_SIZE', '1')) > 1 and 'RANK' in os.environ


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


@contextmanager
def _process_group() -> Iterator[None]:
    """Join the other processes, unless somebody has; leave them again in order.

    A process that ends with its group still there dies now and then, of threads
    of gloo that are still at work (github.com/pytorch/pytorch/pull/179291).
    """
    if distributed.is_initialized():
        yield
        return
    distributed.init_process_group('gloo', timeout=_TIMEOUT)
    try:
        yield
    finally:
        distributed.destroy_process_group()


@_process_group()
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
        commit_seconds: Likewise.

    Returns:
        In the first process what all did together, and the index, which is
        the caller's to close; in the others their own part, and None.

    Raises:
        UserError: In every process, if the first cannot begin.
        ConfigError: If the processes have different models.
    """
    identity = embedder.identity
    rank, world_size = distributed.get_rank(), distributed.get_world_size()
    began = time.monotonic()
    index, start = _begin(open_index, plan_sources, identity) if rank == 0 else (None, None)
    start = _broadcast(start)
    if start.error:
        raise UserError(start.error)
    if start.identity and (difference := start.identity.difference(identity)):
        raise ConfigError(f'the processes have different models: {difference}')
    share = share_of(start.units, rank, world_size)
    results = process_units(share, embedder, options, batch_size)
    report = BuildReport()
    if index is None:
        _spool(results, Spool(start.path), report, commit_seconds)
        _gather(report)
        return report, None
    sink = IndexSink(index, options.camera, commit_seconds)
    for result in results:
        report.count(result)
        sink.take([result])
    for other in _gather(report)[1:]:
        report.merge(other)
    sink.close()
    report.known, report.seconds = start.known, time.monotonic() - began
    report.skipped.update(start.skipped)
    return report, index


@dataclass(frozen=True)
class _Start:
    """What the first process tells the others."""

    path: str = ''
    identity: ModelIdentity | None = None
    units: Sequence[Unit] = ()
    known: int = 0
    skipped: Mapping[str, str] = field(default_factory=dict)
    error: str = ''


def _begin(
    open_index: Callable[[], GalleryIndex],
    plan_sources: Callable[[], Plan],
    identity: ModelIdentity,
) -> tuple[GalleryIndex | None, _Start]:
    try:
        plan = plan_sources()
        index = open_index()
    except UserError as error:
        return None, _Start(error=str(error))
    IndexSink(index).commit()  # what killed processes have spooled
    units = pending_units(index, plan)
    known = len(plan.units) - len(units)
    return index, _Start(str(index.path.resolve()), identity, units, known, plan.skipped)


def _spool(
    results: Iterable[UnitResult], spool: Spool, report: BuildReport, seconds: float
) -> None:
    """Hand results over from time to time."""
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


def _broadcast(start: _Start | None) -> _Start:
    box: list[Any] = [start]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def _gather(report: BuildReport) -> list[BuildReport]:
    """Wait for all; give the first process everybody's report."""
    first = distributed.get_rank() == 0
    reports: list[Any] | None = [None] * distributed.get_world_size() if first else None
    distributed.gather_object(report, reports, dst=0)
    return reports or []
