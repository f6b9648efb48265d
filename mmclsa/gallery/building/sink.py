"""The one place where results become rows of the index, and are committed."""

from __future__ import annotations

import time

from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.gallery.building.joining import join_tracks
from mmclsa.gallery.building.progress import Advance
from mmclsa.gallery.building.report import BuildReport
from mmclsa.gallery.building.spool import Spool, unpack_results
from mmclsa.gallery.building.unit_result import UnitResult
from mmclsa.gallery.building.units import Unit

__all__ = ['COMMIT_SECONDS', 'IndexSink']

COMMIT_SECONDS = 15.0  # work that a kill can cost, at most
# Tracks are numbered from 0 in each unit of a video, and a unit has less than so many.
_TRACKS_PER_FRAME = 10_000


class IndexSink:
    """Takes results into an index and commits them from time to time.

    Args:
        index: Opened for writing.
        report: Where to count what is taken.
        advance: Told how many pictures other processes have spooled.
    """

    def __init__(
        self,
        index: GalleryIndex,
        report: BuildReport | None = None,
        advance: Advance | None = None,
    ) -> None:
        self.index = index
        self.report = BuildReport() if report is None else report
        self.advance = advance
        self._spool = Spool(index.path)
        self._committed = time.monotonic()
        self._rows = len(index)  # that are committed
        self._units: list[Unit] = []  # that are not

    def take(self, result: UnitResult) -> None:
        """Add a unit; one that is there already is not added again.

        Args:
            result: Of the unit; if it gave nothing, it is left to be tried again.
        """
        self._add(result)
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make durable what was taken, and what other processes have spooled."""
        spooled = self._spool.files()
        for path in spooled:
            for result in unpack_results(path.read_bytes(), str(path)):
                self._add(result)
                if self.advance is not None:
                    self.advance(result.num_pictures)
        self.index.commit(join_tracks(self.index, self._units, self._rows))
        self._rows, self._units = len(self.index), []
        for path in spooled:
            path.unlink(missing_ok=True)
        self._committed = time.monotonic()

    def close(self) -> None:
        """Commit, and clear away the spool."""
        self.commit()
        self._spool.clear()

    def _add(self, result: UnitResult) -> None:
        self.report.count(result)
        if result.done:
            embeddings = result.embeddings.reshape(len(result.scores), self.index.model.dims)
            self.index.add(
                embeddings,
                _records_of(result),
                shard=result.unit.key,
                crops=result.crops or None,
                behind=result.behind or None,
                pairs=result.pairs,
            )
            self._units.append(result.unit)


def _records_of(result: UnitResult) -> list[GalleryRecord]:
    """Make a record a row, in order; track ids are unique within the source."""
    first = result.unit.start * _TRACKS_PER_FRAME
    rows = zip(result.frames, result.times, result.boxes, result.scores, result.track_ids)
    return [
        GalleryRecord(
            source=result.unit.source,
            frame=int(frame),
            time=float(moment),
            box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            score=float(score),
            camera=result.camera,
            track_id=int(track) + first if track >= 0 else -1,
            stay=result.stay(row),
        )
        for row, (frame, moment, box, score, track) in enumerate(rows)
    ]
