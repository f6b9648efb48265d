"""Which picture each line of a MOTChallenge gt.txt is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from mmclsa.datasets.readers.mot_frames import Frames
from mmclsa.datasets.readers.mot_text import MOTRow
from mmclsa.errors import DataError

__all__ = ['group_by_frame', 'small_ids']

_LARGEST = 2**63 - 1


def small_ids(rows: Sequence[MOTRow]) -> list[MOTRow]:
    """Number ids anew where one is too large for 64 bits.

    Example:
        >>> row = MOTRow(1, 1, 2**64 - 1, (0, 0, 5, 9), 1, ())
        >>> [row.track for row in small_ids([row, row._replace(track=3)])]
        [2, 1]
    """
    if all(row.track <= _LARGEST for row in rows):
        return list(rows)
    known = {track: n for n, track in enumerate(sorted({r.track for r in rows if r.track > 0}), 1)}
    return [row._replace(track=known.get(row.track, -1)) for row in rows]


def group_by_frame(
    rows: Sequence[MOTRow],
    frames: Frames,
    path: Path,
    left_out: Counter[str],
    disagreements: list[str],
) -> dict[int, list[MOTRow]]:
    """Group lines by the number of the picture that they are of.

    Those before the first picture or behind the last are left out, as the end
    of a video that was cut off; a picture missing in between is a loss.

    Args:
        rows: Lines of people and of what is like them.
        frames: What can be looked at.
        path: The gt.txt, for messages.
        left_out: The count of lines left out is added here.
        disagreements: Sentences are added here.

    Raises:
        DataError: If none is left.
    """
    annotated = {row.frame for row in rows}
    shift = _shift(annotated, frames.sizes.keys(), disagreements)
    first, last = min(frames.sizes), max(frames.sizes)
    grouped: dict[int, list[MOTRow]] = {}
    for row in rows:
        if first <= row.frame + shift <= last:
            grouped.setdefault(row.frame + shift, []).append(row)
        else:
            left_out['boxes in frames that cannot be read'] += 1
    told = f'gt.txt lists frames {min(annotated)} to {max(annotated)}'
    if not grouped:
        raise DataError(
            f'{path}: {told[len("gt.txt ") :]}, but those that can be read are {first} to {last}, '
            'so that nobody is left'
        )
    absent = sum(not first <= frame + shift <= last for frame in annotated)
    if absent:
        disagreements.append(
            f'{told}, but {absent} of them cannot be read: there are {first} to {last}'
        )
    return grouped


def _shift(annotated: Collection[int], available: Collection[int], told: list[str]) -> int:
    """Find what to add to gt.txt's frames to have the numbers of the pictures.

    Both count from 1 in MOTChallenge; either may count from 0.
    """
    shift = 0
    if 0 in annotated and 0 not in available and 1 in available:
        shift = 1
    elif 0 in available and 0 not in annotated:
        equal, before = (sum(f - n in available for f in annotated) for n in (0, 1))
        shift = -1 if before > equal else 0
        if not shift:
            told.append(
                'its pictures count from 0, but gt.txt lists no frame 0: frames are taken to be '
                'the pictures of the same number'
            )
    if shift:
        told.append(
            f'gt.txt counts frames from {1 - (shift + 1) // 2}, its pictures from '
            f'{(shift + 1) // 2}: frame {min(annotated)} is taken as picture '
            f'{min(annotated) + shift}'
        )
    return shift
