"""What an inferencer gives, writes and prints of each picture."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terminaltables import AsciiTable

from mmclsa.errors import ConfigError
from mmclsa.media import Picture, is_video
from mmclsa.structures import FoundPeople
from mmclsa.utils.io import check_writable, write_json
from mmclsa.utils.text import counted
from mmclsa.utils.times import format_time

__all__ = [
    'OutputFiles',
    'OutputNames',
    'as_prediction',
    'check_call',
    'drawing_paths',
    'drawing_suffix',
    'people_table',
]

_DRAWN_AS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


class OutputNames:
    """Names for the files of pictures, of which no two in a folder have one.

    A picture is called as its file, a frame of a video has its number behind
    that, arrays are numbered.

    Example:
        >>> import numpy as np
        >>> array, names = np.zeros((4, 4, 3), np.uint8), OutputNames()
        >>> pictures = [Picture(array, 'x/a.jpg'), Picture(array, 'y/a.png'), Picture(array)]
        >>> names.stems('out', pictures)
        ['a', 'a_1', '00000000']
        >>> names.stems('out', [Picture(array, 'y/a.png'), Picture(array)])
        ['a_1', '00000001']
    """

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, tuple[str, int]]] = {}
        self._arrays: dict[str, int] = {}

    def stems(self, folder: str | Path, pictures: Sequence[Picture]) -> list[str]:
        """Name pictures.

        Args:
            folder: Where the files will be.
            pictures: The pictures.

        Returns:
            A name without suffix for each; the same for a file that had one
            in this folder before.
        """
        return [self._stem(os.path.abspath(folder), picture) for picture in pictures]

    def _stem(self, folder: str, picture: Picture) -> str:
        key = (picture.source, picture.frame)
        wanted = Path(picture.source).stem
        if is_video(picture.source):
            wanted = f'{wanted}_{picture.frame:06d}'
        if not picture.source:
            number = self._arrays[folder] = self._arrays.get(folder, -1) + 1
            key, wanted = ('', number), f'{number:08d}'
        taken = self._taken.setdefault(folder, {})
        name, number = wanted, 0
        while taken.setdefault(name, key) != key:
            number += 1
            name = f'{wanted}_{number}'
        return name


@dataclass(frozen=True)
class OutputFiles:
    """Where a batch of pictures is drawn and described.

    Attributes:
        folder: Has ``vis/`` and ``preds/``.
        stems: Names without suffix, one a picture.
    """

    folder: str | Path
    stems: Sequence[str]

    def drawings(self, pictures: Sequence[Picture]) -> list[str]:
        """Give the files of drawings, in the pictures' own formats where these are written."""
        names = [stem + drawing_suffix(one) for stem, one in zip(self.stems, pictures)]
        return [str(Path(self.folder) / 'vis' / name) for name in names]

    def write_predictions(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Write what :func:`as_prediction` gave, a JSON file a picture.

        Raises:
            UserError: If the folder cannot be written to.
        """
        for stem, prediction in zip(self.stems, predictions):
            write_json(Path(self.folder) / 'preds' / f'{stem}.json', prediction)


def check_call(
    return_datasamples: object, batch_size: int, out_dir: str | Path, options: Mapping[str, Any]
) -> None:
    """Refuse arguments of a call that cannot be meant.

    Args:
        return_datasamples: Of the call.
        batch_size: Of the call.
        out_dir: Of the call.
        options: Its other arguments, by name.

    Raises:
        ConfigError: If one is out of range, or two exclude each other.

    Example:
        >>> check_call(4, 1, '', {})
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: return_datasamples must be True or False, not 4 (the second
        argument is not batch_size, which has to be named)
    """
    if not isinstance(return_datasamples, bool):
        raise ConfigError(
            f'return_datasamples must be True or False, not {return_datasamples} (the second '
            'argument is not batch_size, which has to be named)'
        )
    if batch_size < 1:
        raise ConfigError(f'batch_size must be at least 1, but is {batch_size}')
    least = options.get('pred_score_thr')
    if least is not None and not 0 <= least <= 1:
        raise ConfigError(f'pred_score_thr must lie in 0..1, but is {least}')
    if out_dir and options.get('img_out_dir'):
        raise ConfigError('either out_dir or img_out_dir may be given, not both')
    if out_dir:
        check_writable(out_dir)


def drawing_paths(
    pictures: Sequence[Picture], files: OutputFiles | None, img_out_dir: str | Path = ''
) -> list[str | None]:
    """Give the file that each picture is drawn into.

    Args:
        pictures: The pictures.
        files: Of an ``out_dir``; None if there is none.
        img_out_dir: Or a folder for drawings alone.

    Returns:
        Paths; None where nothing is to be written.
    """
    if files is not None:
        return [*files.drawings(pictures)]
    if not img_out_dir:
        return [None] * len(pictures)
    stems = [Path(one.source).stem or f'array_{number}' for number, one in enumerate(pictures)]
    names = [f'{stem}_{one.frame:06d}.png' for stem, one in zip(stems, pictures)]
    return [str(Path(img_out_dir) / name) for name in names]


def drawing_suffix(picture: Picture) -> str:
    """Tell the format in which a picture is drawn: its own, where that is written.

    Example:
        >>> import numpy as np
        >>> array = np.zeros((4, 4, 3), np.uint8)
        >>> drawing_suffix(Picture(array, 'a.PNG')), drawing_suffix(Picture(array, 'a.heic'))
        ('.PNG', '.jpg')
    """
    suffix = Path(picture.source).suffix
    return suffix if suffix.lower() in _DRAWN_AS else '.jpg'


def as_prediction(picture: Picture, people: FoundPeople, embeddings: bool = True) -> dict[str, Any]:
    """Give what was found in plain lists.

    Args:
        picture: Where it was found.
        people: The people.
        embeddings: Give embeddings too.

    Returns:
        ``source``, ``frame``, ``time`` (None for a picture), ``labels`` (0, a
        person), ``bboxes``, ``scores`` and ``embeddings``; what JSON can say.
    """
    time = None if math.isnan(picture.time) else picture.time
    result: dict[str, Any] = dict(source=picture.source, frame=picture.frame, time=time)
    result.update(labels=[0] * len(people.scores))
    result.update(bboxes=people.boxes.tolist(), scores=people.scores.tolist())
    if embeddings:
        result['embeddings'] = people.embeddings.tolist()
    return result


def people_table(picture: Picture, people: FoundPeople) -> str:
    """Write what was found as a table, with a line above that says where.

    Args:
        picture: Where it was found.
        people: The people, numbered from 1 in their order.

    Returns:
        Several lines.

    Example:
        >>> import numpy as np
        >>> people = FoundPeople(np.array([[1, 2, 31, 62.0]]), np.array([0.9]), np.zeros((1, 8)))
        >>> print(people_table(Picture(np.zeros((96, 64, 3), np.uint8), 'a.jpg'), people))
        a.jpg: 1 person
        +--------+-------+-----------+
        | person | score | box       |
        +--------+-------+-----------+
        | 1      | 0.900 | 1 2 31 62 |
        +--------+-------+-----------+
    """
    where = picture.source or 'array'
    if is_video(picture.source):
        where += f', frame {picture.frame}, {format_time(picture.time)}'
    count = len(people.scores)
    title = f'{where}: {counted(count, "person") if count else "no people"}'
    rows = [['person', 'score', 'box']]
    for number, (box, score) in enumerate(zip(people.boxes, people.scores), 1):
        rows.append([str(number), f'{score:.3f}', ' '.join(f'{value:.0f}' for value in box)])
    return f'{title}\n{AsciiTable(rows).table}' if count else title
