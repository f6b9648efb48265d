"""Building an index: resumable, never half a unit, the same whoever computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Protocol

from mmclsa.gallery import GalleryIndex, SearchFilter
from mmclsa.gallery.building.embedder import Embedder
from mmclsa.gallery.building.pipeline import InProcess
from mmclsa.gallery.building.progress import Advance, ShowProgress, no_progress
from mmclsa.gallery.building.report import BuildReport
from mmclsa.gallery.building.sink import IndexSink
from mmclsa.gallery.building.unit_result import UnitResult
from mmclsa.gallery.building.units import Plan, SourceOptions
from mmclsa.gallery.gone import gone_sources

__all__ = ['Workers', 'build_gallery', 'fill_index', 'run_build']


class Workers(Protocol):
    """How units reach those who compute, and how the results come back.

    All else of a build is the same whoever computes: :class:`InProcess`, the
    processes of ``torchrun``, or :class:`RayActors`.
    """

    def results(self, plan: Plan, advance: Advance) -> Generator[UnitResult, None, None]:
        """Go through the units of a plan.

        Args:
            plan: What is to be done.
            advance: Told how many pictures of the results have gone through.

        Yields:
            The results, but those that were left in the spool of the index.
        """


def run_build(
    open_index: Callable[[], GalleryIndex],
    plan_sources: Callable[[], Plan],
    workers: Workers,
    progress: ShowProgress = no_progress,
) -> tuple[BuildReport, int]:
    """Plan, open, fill, optimize and close: a whole build command.

    Args:
        open_index: Opens the index for writing.
        plan_sources: Makes the plan; called once, and first, so that a wrong
            source leaves no empty index behind.
        workers: Find the people.
        progress: See :func:`fill_index`.

    Returns:
        What was done, and how many rows the index has now.
    """
    plan = plan_sources()
    with open_index() as index:
        report = fill_index(index, workers, plan, progress)
        index.optimize()
        return report, len(index)


def build_gallery(
    index: GalleryIndex,
    embedder: Embedder,
    plan: Plan,
    options: SourceOptions | None = None,
    batch_size: int = 8,
    threads: int = 2,
    progress: ShowProgress = no_progress,
) -> BuildReport:
    """Find and describe everybody in some sources and put them into an index, in this process.

    Args:
        index: Opened for writing, with the embedder's model.
        embedder: The model, such as a ``PersonSearchInferencer``.
        plan: Of :func:`plan_units`.
        options: What to take of the sources; None for all of them.
        batch_size: Pictures that go through the network at once, at most.
        threads: That decode pictures and prepare them.
        progress: See :func:`fill_index`.

    Returns:
        What was done; see :func:`fill_index`.
    """
    own = InProcess(embedder, options or SourceOptions(), batch_size, threads)
    return fill_index(index, own, plan, progress)


def fill_index(
    index: GalleryIndex,
    workers: Workers,
    plan: Plan,
    progress: ShowProgress = no_progress,
) -> BuildReport:
    """Find and describe everybody in some sources and put them into an index.

    Killed at any moment and called again, it ends in the same index as if it
    had never been killed. A file that has changed since the index had it is
    looked at again, in place of what the index has of it.

    Args:
        index: Opened for writing, with the workers' model.
        workers: Find the people.
        plan: The units to go through; those that the index has are passed over.
        progress: Shows how far it is.

    Returns:
        What was done.
    """
    began = time.monotonic()
    IndexSink(index).commit()  # what a killed build has spooled
    renewed = _forget_outdated(index, plan)
    pending = plan.pending(index.shards())
    report = BuildReport(
        known=len(plan.units) - len(pending.units),
        skipped=dict(plan.skipped),
        passed_over=dict(plan.passed_over),
        renewed=renewed,
        unnamed=list(plan.unnamed),
    )
    with progress(pending.num_pictures) as advance:
        sink = IndexSink(index, report, advance)
        with closing(workers.results(pending, advance)) as results:
            try:
                for result in results:
                    sink.take(result)
            except KeyboardInterrupt:
                sink.commit()
                raise
        sink.close()
    report.gone = gone_sources(index, {unit.source for unit in plan.units if unit.stamp})
    report.seconds = time.monotonic() - began
    return report


def _forget_outdated(index: GalleryIndex, plan: Plan) -> list[str]:
    """Delete the people of files that have changed, which makes these undone."""
    outdated = plan.outdated(index.shards())
    if outdated:
        rows = index.find(SearchFilter(sources=list(outdated)))
        index.delete(rows, [key for keys in outdated.values() for key in keys])
    return list(outdated)
