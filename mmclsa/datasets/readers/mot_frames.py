"""The frames of a MOTChallenge sequence: pictures or a video, and what is said of them."""

from __future__ import annotations

import configparser
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mmclsa.errors import DataError
from mmclsa.media import VideoReader, is_picture, is_video, picture_size
from mmclsa.utils.progress import told_when_slow
from mmclsa.utils.text import read_text

__all__ = ['Frames', 'count_frames', 'find_frames', 'read_seqinfo']

Size = tuple[int, int]

_NUMBER = re.compile(r'\d+$')
_NUMERIC = re.compile(r'\d{1,9}(\.0*)?')
_THREADS = 8
# Without seqinfo.ini, and where it names a folder that is not there.
_IMAGE_DIR = 'img1'


@dataclass(frozen=True)
class Frames:
    """What of a sequence can be looked at.

    Attributes:
        sizes: Width and height by frame number, as the pictures are; the
            numbers are those of the pictures' names, or of a video's frames
            from 1.
        images: Picture by frame number; empty for a video.
        video: The video file, or None.
        disagreements: Sentences on what seqinfo.ini or a video's header says
            otherwise.
        left_out: How many files there are that are no frames, by kind.
    """

    sizes: Mapping[int, Size]
    images: Mapping[int, Path]
    video: Path | None
    disagreements: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read_seqinfo(folder: Path) -> dict[str, str]:
    """Read seqinfo.ini.

    Returns:
        Values of its section ``[Sequence]`` by name in lower case; empty if
        there is no such file.

    Raises:
        DataError: If it is no ini file, or a size is no number.
    """
    path = folder / 'seqinfo.ini'
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(read_text(path))
        section = next(name for name in parser.sections() if name.lower() == 'sequence')
    except (configparser.Error, StopIteration, OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path} is no ini file with a section [Sequence]') from error
    info = {name: value.strip() for name, value in parser[section].items() if value.strip()}
    if not all(_NUMERIC.fullmatch(info.get(name, '0')) for name in ('imwidth', 'imheight')):
        raise DataError(f'{path}: imWidth or imHeight is no number')
    return info


def count_frames(video: Path) -> int:
    """Count the frames of a video that can be decoded, by decoding all of it.

    Shows how far it is where that takes long.

    Raises:
        DataError: If it is missing or cannot be decoded.
    """
    reader, readable = VideoReader(video), 0
    frames = told_when_slow(reader.read(), reader.num_frames, f'counting frames of {video.name}')
    for frame, _ in frames:
        readable = frame + 1
    reader.close()
    return readable


def find_frames(
    folder: Path, info: Mapping[str, str], count: Callable[[Path], int] = count_frames
) -> Frames:
    """Find the frames of a sequence: pictures, or else one video.

    A picture's frame is the number at the end of its name. Sizes and numbers
    are those of the files, whatever seqinfo.ini says.

    Raises:
        DataError: If there is neither, or two pictures are the same frame, or
            none can be read.
    """
    left_out: Counter[str] = Counter()
    disagreements: list[str] = []
    images = _find_images(folder, info, left_out, disagreements)
    if images:
        frames = Frames(_measure(images, disagreements), images, None, disagreements, left_out)
    else:
        video = _find_video(folder, info)
        size, readable = _video_size(video), count(video)
        announced = VideoReader(video).num_frames
        if not readable:
            raise DataError(f'video {video} has no frame that can be decoded')
        if readable != announced:
            disagreements.append(
                f'{video.name} announces {announced} frames, but {readable} can be decoded'
            )
        sizes = dict.fromkeys(range(1, readable + 1), size)
        frames = Frames(sizes, {}, video, disagreements, left_out)
    _compare(frames, info)
    return frames


def _find_images(
    folder: Path, info: Mapping[str, str], left_out: Counter[str], disagreements: list[str]
) -> dict[int, Path]:
    """Find the pictures by frame number."""
    named = info.get('imdir', _IMAGE_DIR).replace('\\', '/')
    # Beside a video a picture is a cover, not a frame.
    places = (named, _IMAGE_DIR) if _videos_in(folder) else (named, _IMAGE_DIR, '.')
    for place in places:
        images = _pictures_in(folder / place, left_out)
        if images:
            if place != named:
                where = f'the folder {place}' if place != '.' else "the sequence's own folder"
                disagreements.append(f'pictures are looked for in {named}, but are in {where}')
            return images
    return {}


def _pictures_in(folder: Path, left_out: Counter[str]) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    pictures = [p for p in sorted(folder.iterdir()) if is_picture(p)]
    shown = [p for p in pictures if not p.name.startswith('.') and not p.is_dir()]
    # A thumbnail beside 000001.jpg may end in the same number.
    plain = [path for path in shown if path.stem.isdecimal()]
    chosen = plain or [path for path in shown if _NUMBER.search(path.stem)]
    if pictures and not chosen:
        raise DataError(
            f'the pictures in {folder} have no frame numbers at the end of their names, such as '
            f'{pictures[0].name}, so that gt.txt cannot tell which is which'
        )
    if len(pictures) > len(chosen):
        left_out['pictures without a frame number'] += len(pictures) - len(chosen)
    images: dict[int, Path] = {}
    for path in chosen:
        found = _NUMBER.search(path.stem)
        number = int(found[0]) if found else 0
        if number in images:
            raise DataError(
                f'{images[number]} and {path.name} beside it are both frame {number}: leave one of '
                'them'
            )
        images[number] = path
    return images


def _videos_in(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if is_video(p) and not p.name.startswith('.')]


def _find_video(folder: Path, info: Mapping[str, str]) -> Path:
    videos = _videos_in(folder)
    if len(videos) != 1:
        raise DataError(
            f'the sequence {folder} needs frames in {info.get("imdir", _IMAGE_DIR)}/ or one video '
            f'file, but has {len(videos)} videos and no frames; see docs/datasets.md'
        )
    return videos[0]


def _video_size(video: Path) -> Size:
    reader = VideoReader(video)
    height, width = reader[0].shape[:2]
    reader.close()
    return width, height


def _measure(images: Mapping[int, Path], disagreements: list[str]) -> dict[int, Size]:
    """Read the pictures' sizes; one that cannot be read has the size of most others.

    Whoever looks at it is told that it is broken; the others are not lost for it.
    """

    def measure(path: Path) -> Size | DataError:
        try:
            return picture_size(path)
        except DataError as error:
            return error

    with ThreadPoolExecutor(_THREADS) as pool:
        found = dict(zip(images, pool.map(measure, images.values())))
    sizes = {number: size for number, size in found.items() if not isinstance(size, DataError)}
    if not sizes:
        raise DataError(f'none of the pictures can be read: {next(iter(found.values()))}')
    (usual, _), *others = Counter(sizes.values()).most_common()
    if others:
        told = ', '.join(f'{w} x {h}' for w, h in [usual, *(size for size, _ in others[:3])])
        disagreements.append(f'its pictures have {len(others) + 1} sizes: {told}')
    if len(sizes) < len(found):
        disagreements.append(f'{len(found) - len(sizes)} of its pictures cannot be read')
    return {number: sizes.get(number, usual) for number in sorted(found)}


def _compare(frames: Frames, info: Mapping[str, str]) -> None:
    """Note what seqinfo.ini says otherwise."""
    width, height = (int(float(info.get(name, 0))) for name in ('imwidth', 'imheight'))
    real = Counter(frames.sizes.values()).most_common(1)[0][0]
    if (width or real[0], height or real[1]) != real:
        frames.disagreements.append(
            f'seqinfo.ini says {width} x {height}, but the pictures are {real[0]} x {real[1]}'
        )
    length = info.get('seqlength', '')
    if length and length.partition('.')[0] != str(len(frames.sizes)):
        frames.disagreements.append(
            f'seqinfo.ini says seqLength={length}, but {len(frames.sizes)} frames can be read'
        )
    extension = info.get('imext', '')
    real_ones = Counter(os.path.splitext(path)[1] for path in frames.images.values())
    if extension and real_ones and extension.lower() not in {e.lower() for e in real_ones}:
        frames.disagreements.append(
            f'seqinfo.ini says imExt={extension}, but the pictures end in '
            f'{", ".join(sorted(real_ones))}'
        )
