"""What visitors ask the gallery for, as it is found, before it goes over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mmclsa.evaluation.functional import Calibration
from mmclsa.gallery import Contents, GalleryRecord, Hit
from mmclsa.structures.sightings import TrackFrames

__all__ = ['Answer', 'Listing', 'Sighting', 'Summary']


@dataclass(frozen=True)
class Summary:
    """What is in the index.

    Attributes:
        contents: Of the index.
        state: A text that changes when the index does.
        unit: What a row is: ``sighting`` or ``detection``.
        has_crops: Whether the index keeps a crop of each record.
        calibration: What turns similarities into probabilities; None if nothing does.
    """

    contents: Contents
    state: str
    unit: Literal['sighting', 'detection']
    has_crops: bool
    calibration: Calibration | None = None


@dataclass(frozen=True, eq=False)
class Sighting:
    """A row of the index.

    Attributes:
        row: Its number.
        record: Its record.
        behind: The frames behind it.
        source: What visitors know its file as.
    """

    row: int
    record: GalleryRecord
    behind: TrackFrames
    source: str


@dataclass(frozen=True, eq=False)
class Answer:
    """What a search found.

    Attributes:
        hits: Best first.
        with_crop: Rows of these of which the index has a crop.
        sources: For each hit what visitors know its file as.
        warnings: What the visitor should know beside.
        searched: How many rows the index has.
        state: Of the index, as :attr:`Summary.state`.
    """

    hits: Sequence[Hit]
    with_crop: frozenset[int]
    sources: Sequence[str]
    warnings: Sequence[str]
    searched: int
    state: str


@dataclass(frozen=True, eq=False)
class Listing:
    """Some rows of the index, in the order of their numbers.

    Attributes:
        rows: Their numbers.
        records: Of each.
        sources: For each what visitors know its file as.
        with_crop: Rows of these of which the index has a crop.
        total: How many there are, these among them.
    """

    rows: Sequence[int]
    records: Sequence[GalleryRecord]
    sources: Sequence[str]
    with_crop: frozenset[int]
    total: int
