"""One build in several processes that ``torchrun`` has started."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from mmclsa.errors import ConfigError, UserError
from mmclsa.gallery import GalleryIndex, ModelFingerprint
from mmclsa.gallery.building import sink
from mmclsa.gallery.building.builder import run_build
from mmclsa.gallery.building.pipeline import InProcess
from mmclsa.gallery.building.progress import Advance, ShowProgress, no_progress
from mmclsa.gallery.building.report import BuildReport
from mmclsa.gallery.building.spool import Spool
from mmclsa.gallery.building.unit_result import UnitResult
from mmclsa.gallery.building.units import Plan, Unit, split_units
from mmclsa.utils.processes import Processes, joined_processes

__all__ = ['build_in_ranks', 'plan_in_ranks']

# A rank may wait for the others as long as the longest video takes.
_TIMEOUT = timedelta(days=30)


def build_in_ranks(
    open_index: Callable[[], GalleryIndex],
    plan_sources: Callable[[], Plan],
    own: InProcess,
    index_path: str | Path,
    progress: ShowProgress = no_progress,
) -> tuple[BuildReport, int] | None:
    """Build together with the other processes of ``torchrun``; every one calls this.

    Args:
        open_index: See :func:`run_build`; called in the first process.
        plan_sources: See :func:`run_build`; called in the first process.
        own: Finds people in this process.
        index_path: Folder of the index, which all processes must see: there
            the others leave their results for the first.
        progress: See :func:`fill_index`; shown by the first process, for all.

    Returns:
        In the first process what :func:`run_build` gives; in the others None.

    Raises:
        UserError: In every process, if the first cannot begin.
        ConfigError: If the processes have different models.
    """
    with joined_processes(_TIMEOUT) as processes:
        ranks = _Ranks(processes, own, Path(index_path).resolve())
        if processes.rank > 0:
            ranks.follow()
            return None
        try:
            return run_build(open_index, plan_sources, ranks, progress)
        except UserError as error:
            ranks.call_off(error)
            raise


@contextmanager
def plan_in_ranks(plan_sources: Callable[[], Plan]) -> Iterator[Plan]:
    """Let the first process plan, so that all end at a wrong source before they load a model.

    Every process calls this, and :func:`build_in_ranks` within its block: the
    processes stay joined.

    Args:
        plan_sources: Makes the plan.

    Yields:
        The plan; of the other processes an empty one.

    Raises:
        UserError: In every process, if a source is wrong.
    """
    with joined_processes(_TIMEOUT) as processes:
        plan, error = Plan(()), None
        if processes.rank == 0:
            try:
                plan = plan_sources()
            except UserError as wrong:
                error = wrong
        message = processes.broadcast('' if error is None else str(error))
        if error is not None or message:
            raise error or UserError(message)
        yield plan


@dataclass(frozen=True)
class _Start:
    """What the first process tells the others."""

    index_path: str = ''
    fingerprint: ModelFingerprint | None = None
    units: Sequence[Unit] = ()
    error: str = ''


class _Ranks:
    """All processes of a launch, each of which takes a share of the units.

    The first writes the index and is asked for the results; the others follow.
    """

    def __init__(self, processes: Processes, own: InProcess, index_path: Path) -> None:
        self.processes = processes
        self.own = own
        self.index_path = index_path
        self._told = False

    def results(self, plan: Plan, advance: Advance) -> Generator[UnitResult, None, None]:
        """Start the others, give the results of this one's share, and wait for the others."""
        self._tell(_Start(str(self.index_path), self.own.embedder.fingerprint, plan.units))
        yield from self.own.results(self._share(plan), advance)
        self.processes.gather(None)  # so that the first knows that all have spooled

    def call_off(self, error: UserError) -> None:
        """Let the others end with the same error, if they have not been started."""
        if not self._told:
            self._tell(_Start(error=str(error)))

    def follow(self) -> None:
        """Wait for the start, and spool the results of this process's share now and then."""
        start = self.processes.broadcast(_Start())
        if start.error:
            raise UserError(start.error)
        own = self.own.embedder.fingerprint
        if start.fingerprint and (difference := start.fingerprint.difference(own)):
            raise ConfigError(f'the processes have different models: {difference}')
        spool = Spool(start.index_path)
        waiting, last = [], time.monotonic()
        for result in self.own.results(self._share(Plan(start.units))):
            waiting.append(result)
            if time.monotonic() - last >= sink.COMMIT_SECONDS:
                spool.write(waiting)
                waiting, last = [], time.monotonic()
        if waiting:
            spool.write(waiting)
        self.processes.gather(None)  # so that the first knows that all have spooled

    def _tell(self, start: _Start) -> None:
        self._told = True
        self.processes.broadcast(start)

    def _share(self, plan: Plan) -> Plan:
        shares = split_units(plan.units, self.processes.world_size)
        return replace(plan, units=shares[self.processes.rank])
