"""What a file's name says: picture, video, or neither."""

from __future__ import annotations

from pathlib import PurePath

__all__ = ['IMAGE_SUFFIXES', 'VIDEO_SUFFIXES', 'is_picture', 'is_video']

#: Suffixes of the pictures that mmclsa reads, in lower case.
IMAGE_SUFFIXES = (
    *('.jpg', '.jpeg', '.jpe', '.jfif', '.jif', '.mpo', '.png', '.apng', '.bmp', '.dib'),
    *('.webp', '.tif', '.tiff', '.ppm', '.pgm', '.pbm', '.pnm', '.jp2', '.j2k', '.jpf'),
    *('.tga', '.pcx', '.sgi', '.qoi', '.avif', '.heic', '.heif', '.hif'),
)
#: Suffixes of the videos that mmclsa reads, in lower case; a GIF is a short video.
VIDEO_SUFFIXES = (
    *('.mp4', '.avi', '.mkv', '.mov', '.qt', '.webm', '.m4v', '.f4v', '.3gp', '.3g2', '.gif'),
    *('.mpg', '.mpeg', '.mpe', '.m1v', '.m2v', '.mpv', '.vob', '.mod', '.tod', '.mxf', '.dv'),
    *('.ts', '.mts', '.m2ts', '.m2t', '.trp', '.wmv', '.asf', '.flv', '.ogv', '.ogm', '.divx'),
    *('.rm', '.rmvb', '.nut', '.ivf', '.y4m', '.mjpg', '.mjpeg', '.dav', '.insv', '.lrv'),
    *('.h264', '.264', '.avc', '.h265', '.265', '.hevc'),
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
