"""Pictures of what an index holds: from its footage, and from its crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery import GalleryRecord
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.media import VideoReader, is_video, read_picture
from mmclsa.visualization import crop_person

__all__ = ['crops_of', 'decode_crop', 'each_record_picture', 'load_record_pictures']


def decode_crop(crop: bytes) -> np.ndarray:
    """Decode a crop that an index keeps.

    Args:
        crop: A JPEG.

    Returns:
        Shape (H, W, 3), uint8, BGR.

    Raises:
        DataError: If it is none.
    """
    picture = cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR) if crop else None
    if picture is None:
        raise DataError(f'a crop of {len(crop)} bytes in the index is no JPEG')
    return picture


def crops_of(
    index: IndexReader, rows: Sequence[int], records: Sequence[GalleryRecord]
) -> list[np.ndarray | None]:
    """Give a picture of each person: the crop that the index keeps, or one of the footage.

    Args:
        index: The index.
        rows: Rows of it.
        records: Their records.

    Returns:
        Shape (h, w, 3) each, uint8, RGB; None where neither is there.
    """
    kept = index.crops(rows) if len(rows) else {}
    without = [n for n, row in enumerate(rows) if row not in kept]
    pictures: list[np.ndarray | None] = [
        np.ascontiguousarray(decode_crop(kept[row])[..., ::-1]) if row in kept else None
        for row in rows
    ]
    for place, scene in each_record_picture([records[n] for n in without]):
        if scene is not None:
            number = without[place]
            pictures[number] = crop_person(scene, np.array(records[number].box)).copy()
    return pictures


def load_record_pictures(records: Sequence[GalleryRecord]) -> list[np.ndarray | None]:
    """Load the pictures of records.

    Args:
        records: Of an index.

    Returns:
        For each its picture (H, W, 3), uint8, RGB; None where it is missing or
        broken. A video is decoded once.
    """
    scenes = dict(each_record_picture(records))
    return [scenes[number] for number in range(len(records))]


def each_record_picture(
    records: Sequence[GalleryRecord],
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Load the pictures of records, one after the other: a caller need not hold them all.

    Args:
        records: Of an index.

    Yields:
        For each, in the order in which footage is read best, its place and
        what :func:`load_record_pictures` gives.
    """
    video: VideoReader | None = None  # one is open at a time: each has threads and memory
    order = sorted(range(len(records)), key=lambda n: (records[n].source, records[n].frame))
    try:
        for number in order:
            record = records[number]
            try:
                if is_video(record.source):
                    if video is None or video.path != record.source:
                        _close(video)
                        video = VideoReader(record.source)
                    picture = video[record.frame]
                else:
                    picture = read_picture(record.source)
            except DataError:
                yield number, None
            else:
                yield number, np.ascontiguousarray(picture[..., ::-1])
    finally:  # also where the caller stops
        _close(video)


def _close(video: VideoReader | None) -> None:
    if video is not None:
        video.close()
