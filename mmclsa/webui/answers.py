"""Records and hits as they go over the wire: names of files, and no path of the server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mmclsa.gallery import GalleryRecord
from mmclsa.utils.times import format_time
from mmclsa.webui.results import Answer, Listing, Sighting
from mmclsa.webui.schemas import FoundHit, SightingDetail, SightingFrame, SightingInfo

__all__ = ['found_hits', 'known', 'listed_sightings', 'rounded', 'sighting_detail']


def known(number: float) -> float | None:
    """Give a number, or None for NaN, which JSON does not know.

    Example:
        >>> known(1.5), known(float('nan'))
        (1.5, None)
    """
    return number if math.isfinite(number) else None


def rounded(box: Sequence[float]) -> list[float]:
    """Round to hundredths of a pixel.

    Example:
        >>> rounded((1, 2.004, 3, 4))
        [1.0, 2.0, 3.0, 4.0]
    """
    return [round(float(value), 2) for value in box]


def found_hits(answer: Answer) -> list[FoundHit]:
    """Write hits.

    Args:
        answer: Of a search.

    Returns:
        For each what the visitor is told.
    """
    return [
        FoundHit(
            rank=rank,
            similarity=round(hit.similarity, 6),
            probability=_probability(hit.probability),
            **_common(hit.row, hit.record, source, hit.row in answer.with_crop),
        )
        for rank, (hit, source) in enumerate(zip(answer.hits, answer.sources), 1)
    ]


def _probability(given: float | None) -> float | None:
    return None if given is None else round(given, 4)


def listed_sightings(listing: Listing) -> list[SightingInfo]:
    """Write rows of the index.

    Args:
        listing: The rows.
    """
    return [
        SightingInfo(**_common(row, record, source, row in listing.with_crop))
        for row, record, source in zip(listing.rows, listing.records, listing.sources)
    ]


def sighting_detail(sighting: Sighting, has_crop: bool) -> SightingDetail:
    """Write a row of the index, with the frames behind it.

    Args:
        sighting: The row.
        has_crop: Whether the index has a crop of it.
    """
    behind = sighting.behind
    frames = [
        SightingFrame(frame=frame, time=known(time), box=rounded(box), score=round(score, 6))
        for frame, time, box, score in zip(
            behind.frames.tolist(),
            behind.times.tolist(),
            behind.boxes.tolist(),
            behind.scores.tolist(),
        )
    ]
    row, record, source = sighting.row, sighting.record, sighting.source
    return SightingDetail(behind=frames, **_common(row, record, source, has_crop))


def _common(row: int, record: GalleryRecord, source: str, has_crop: bool) -> dict[str, Any]:
    return dict(
        row=row,
        source=source,
        frame=record.frame,
        time=known(record.time),
        time_text=format_time(record.time),
        time_from=known(record.time_from),
        time_to=known(record.time_to),
        time_from_text=format_time(record.time_from),
        time_to_text=format_time(record.time_to),
        num_frames=record.num_frames,
        camera=record.camera,
        box=rounded(record.box),
        score=round(record.score, 6),
        track_id=record.track_id,
        has_crop=has_crop,
        crop=f'/api/rows/{row}/crop',
    )
