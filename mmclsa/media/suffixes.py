"""What a file's name says: picture, video, or neither."""

from __future__ import annotations

from pathlib import PurePath

__all__ = ['IMAGE_SUFFIXES', 'VIDEO_SUFFIXES', 'is_picture', 'is_video']

#: Suffixes of the pictures that mmclsa reads, in lower case.
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')
#: Suffixes of the videos that mmclsa reads, in lower case.
VIDEO_SUFFIXES = (
    *('.mp4', '.avi', '.mkv', '.mov', '.webm', '.m4v'),
    *('.mpg', '.mpeg', '.ts', '.wmv', '.flv'),
)


def is_picture(path: str | PurePath) -> bool:
    """Say whether a file is a picture by its name, whatever is in it.

    Example:
        >>> is_picture('a.JPG'), is_picture('a.mp4'), is_picture('jpg')
        (True, False, False)
    """
    return str(path).lower().endswith(IMAGE_SUFFIXES)


def is_video(path: str | PurePath) -> bool:
    """Say whether a file is a video by its name, whatever is in it.

    Example:
        >>> is_video('a.MP4'), is_video('a.png'), is_video('mp4')
        (True, False, False)
    """
    return str(path).lower().endswith(VIDEO_SUFFIXES)
