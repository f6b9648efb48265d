"""Pictures of what an index holds: from its footage, and from its crops."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery import GalleryRecord
from mmclsa.media import VideoReader, is_video, read_picture

__all__ = ['decode_crop', 'load_record_pictures']


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


def load_record_pictures(records: Sequence[GalleryRecord]) -> list[np.ndarray | None]:
    """Load the pictures of records.

    Args:
        records: Of an index.

    Returns:
        For each its picture (H, W, 3), uint8, RGB; None where it is missing or
        broken. A video is decoded once.
    """
    scenes: list[np.ndarray | None] = [None] * len(records)
    videos: dict[str, VideoReader] = {}
    for number in sorted(range(len(records)), key=lambda n: (records[n].source, records[n].frame)):
        record = records[number]
        try:
            if is_video(record.source):
                video = videos.setdefault(record.source, VideoReader(record.source))
                picture = video[record.frame]
            else:
                picture = read_picture(record.source)
        except DataError:
            continue
        scenes[number] = np.ascontiguousarray(picture[..., ::-1])
    return scenes
