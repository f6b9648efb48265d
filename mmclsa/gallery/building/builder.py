"""Filling an index: resumable, and never half a unit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.gallery.building.embedder import Embedder
from mmclsa.gallery.building.pipeline import UnitResult, process_units
from mmclsa.gallery.building.spool import Spool
from mmclsa.gallery.building.units import Plan, SourceOptions, Unit

__all__ = ['BuildReport', 'IndexSink', 'build_gallery', 'pending_units', 'records_of']

COMMIT_SECONDS = 15.0
# Tracks are numbered from 0 in each unit of a video, and a unit has less than so many.
_TRACKS_PER_FRAME = 10_000


@dataclass
class BuildReport:
    """What a build did.

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

    def merge(self, other: BuildReport) -> None:
        """Add the figures of another process."""
        self.pictures += other.pictures
        self.people += other.people
        for source, reason in other.skipped.items():
            self.skipped.setdefault(source, reason)


class IndexSink:
    """Takes results into an index and commits them from time to time.

    Args:
        index: Opened for writing.
        camera: Name of the camera, for the records.
        commit_seconds: Work that a kill can cost, at most.
    """

    def __init__(
        self, index: GalleryIndex, camera: str = '', commit_seconds: float = COMMIT_SECONDS
    ) -> None:
        self.index = index
        self.camera = camera
        self.commit_seconds = commit_seconds
        self._spool = Spool(index.path)
        self._committed = time.monotonic()

    def take(self, results: Iterable[UnitResult]) -> None:
        """Add finished units; what is there already is not added again.

        Args:
            results: Of units; those that gave nothing are left to be tried again.
        """
        self._add(results)
        if time.monotonic() - self._committed >= self.commit_seconds:
            self.commit()

    def commit(self) -> None:
        """Make durable what was taken, and what other processes have spooled."""
        spooled = self._spool.files()
        for path in spooled:
            self._add(self._spool.read(path))
        self.index.commit()
        for path in spooled:
            path.unlink(missing_ok=True)
        self._committed = time.monotonic()

    def close(self) -> None:
        """Commit, and clear away the spool."""
        self.commit()
        self._spool.clear()

    def _add(self, results: Iterable[UnitResult]) -> None:
        for result in results:
            if result.done:
                embeddings = result.embeddings.reshape(len(result.scores), self.index.model.dims)
                records = records_of(result, self.camera)
                self.index.add(embeddings, records, shard=result.unit.key)


def records_of(result: UnitResult, camera: str = '') -> list[GalleryRecord]:
    """Make the records of a unit's people.

    Args:
        result: The unit's result.
        camera: Name of the camera.

    Returns:
        A record a person, in order. Track ids are unique within the source.
    """
    first = result.unit.start * _TRACKS_PER_FRAME
    rows = zip(result.frames, result.times, result.boxes, result.scores, result.track_ids)
    return [
        GalleryRecord(
            source=result.unit.source,
            frame=int(frame),
            time=float(moment),
            box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            score=float(score),
            camera=camera,
            track_id=int(track) + first if track >= 0 else -1,
        )
        for frame, moment, box, score, track in rows
    ]


def pending_units(index: GalleryIndex, plan: Plan) -> list[Unit]:
    """List the units of a plan that an index does not have.

    Args:
        index: The index.
        plan: What shall be in it.

    Returns:
        Units, in order.
    """
    done = index.shards()
    return [unit for unit in plan.units if unit.key not in done]


def build_gallery(
    index: GalleryIndex,
    embedder: Embedder,
    plan: Plan,
    options: SourceOptions | None = None,
    batch_size: int = 8,
    workers: int = 2,
    commit_seconds: float = COMMIT_SECONDS,
    on_pictures: Callable[[int], None] | None = None,
) -> BuildReport:
    """Find and describe everybody in some sources and put them into an index.

    Killed at any moment and called again, it ends in the same index as if it
    had never been killed.

    Args:
        index: Opened for writing, with the embedder's model.
        embedder: Finds people.
        plan: The units to go through; those that the index has are passed over.
        options: Of the sources.
        batch_size: Pictures that go through the network at once.
        workers: Threads that decode pictures and prepare them.
        commit_seconds: Commit so often; work that a kill can cost.
        on_pictures: Told how many pictures have gone through, for a progress bar.

    Returns:
        What was done.
    """
    began = time.monotonic()
    options = options or SourceOptions()
    sink = IndexSink(index, options.camera, commit_seconds)
    sink.commit()  # what a killed build has spooled
    units = pending_units(index, plan)
    report = BuildReport(known=len(plan.units) - len(units), skipped=dict(plan.skipped))
    try:
        for result in process_units(units, embedder, options, batch_size, workers, on_pictures):
            report.count(result)
            sink.take([result])
    except KeyboardInterrupt:
        sink.commit()
        raise
    sink.close()
    report.seconds = time.monotonic() - began
    return report
