"""Results on their way from a process that computes to the one that writes the index."""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery.building.unit_result import UnitResult
from mmclsa.gallery.building.units import Unit
from mmclsa.structures import PairCounts, TrackFrames
from mmclsa.utils.io import atomic_write

__all__ = ['Spool', 'pack_results', 'unpack_results']

_VALUES = ('num_pictures', 'problem', 'camera', 'clock')
_ARRAYS = ('frames', 'times', 'boxes', 'scores', 'embeddings', 'track_ids')
_BEHIND = ('frames', 'times', 'boxes', 'scores')
_BROKEN = (ValueError, LookupError, TypeError, OSError, EOFError, AttributeError, BadZipFile)


def pack_results(results: Sequence[UnitResult]) -> bytes:
    """Turn results into bytes, without pickle.

    Args:
        results: Of any units.

    Returns:
        An NPZ file.
    """
    arrays: dict[str, Any] = {
        f'{name}_{number}': array
        for number, result in enumerate(results)
        for name, array in _arrays_of(result).items()
    }
    heads = [
        dict(unit=asdict(result.unit), **{name: getattr(result, name) for name in _VALUES})
        for result in results
    ]
    arrays['head'] = np.frombuffer(json.dumps(heads).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def unpack_results(data: bytes, where: str = 'the results') -> list[UnitResult]:
    """Undo :func:`pack_results`.

    Args:
        data: An NPZ file.
        where: What it is, for the message.

    Returns:
        The results.

    Raises:
        DataError: If it is none.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return [
                UnitResult(
                    unit=Unit(**head.pop('unit')),
                    **{name: arrays[f'{name}_{number}'] for name in _ARRAYS},
                    **_kept_of(arrays, f'_{number}'),
                    **head,
                )
                for number, head in enumerate(json.loads(arrays['head'].tobytes()))
            ]
    except _BROKEN as error:
        raise DataError(f'{where} are no packed results: {error}') from error


def _arrays_of(result: UnitResult) -> dict[str, np.ndarray]:
    """Put a result into arrays; what is a list of things becomes one array and their sizes."""
    arrays = {name: getattr(result, name) for name in _ARRAYS}
    if result.crops:
        arrays['crops'] = np.frombuffer(b''.join(result.crops), np.uint8)
        arrays['crop_sizes'] = np.array([len(crop) for crop in result.crops], np.int64)
    if result.behind:
        tracks = [track for track in result.behind if track is not None]
        arrays['behind_sizes'] = np.array(
            [0 if track is None else len(track.frames) for track in result.behind], np.int64
        )
        if tracks:
            for name in _BEHIND:
                arrays[f'behind_{name}'] = np.concatenate([getattr(t, name) for t in tracks])
    if result.pairs is not None:
        arrays['pairs'] = np.stack([result.pairs.same, result.pairs.different])
        if result.pairs.num_tracks is not None:
            arrays['pair_tracks'] = np.array(result.pairs.num_tracks, np.int64)
    return arrays


def _kept_of(arrays: Mapping[str, np.ndarray], end: str) -> dict[str, Any]:
    """Undo :func:`_arrays_of`; an older mmclsa has left nothing of this."""
    kept: dict[str, Any] = {}
    if f'crops{end}' in arrays:
        ends = np.cumsum([0, *arrays[f'crop_sizes{end}'].tolist()]).tolist()
        data = arrays[f'crops{end}'].tobytes()
        kept['crops'] = [data[low:high] for low, high in zip(ends, ends[1:])]
    if f'behind_sizes{end}' in arrays:
        sizes = arrays[f'behind_sizes{end}'].tolist()
        cuts = np.cumsum(sizes)[:-1]
        parts = (
            [np.split(arrays[f'behind_{name}{end}'], cuts) for name in _BEHIND]
            if any(sizes)
            else [[()] * len(sizes)] * len(_BEHIND)
        )
        kept['behind'] = [TrackFrames(*p) if n else None for n, *p in zip(sizes, *parts)]
    if f'pairs{end}' in arrays:
        tracks = arrays.get(f'pair_tracks{end}')
        same, different = arrays[f'pairs{end}']
        kept['pairs'] = PairCounts(same, different, None if tracks is None else int(tracks))
    return kept


class Spool:
    """A folder in the index where processes leave results for the writer.

    Args:
        index_path: Folder of the index.
    """

    def __init__(self, index_path: str | Path) -> None:
        self.folder = Path(index_path) / 'spool'

    def write(self, results: Sequence[UnitResult]) -> None:
        """Leave finished units, whole or not at all.

        Args:
            results: Their results.

        Raises:
            UserError: If the folder cannot be written to.
        """
        with atomic_write(self.folder / f'{os.getpid()}-{uuid.uuid4().hex}.npz') as temporary:
            temporary.write_bytes(pack_results(results))

    def files(self) -> list[Path]:
        """List what lies there, in a fixed order."""
        return sorted(self.folder.glob('[0-9]*.npz'))

    def clear(self) -> None:
        """Remove the folder with what killed processes left half-written."""
        for path in self.folder.glob('.*.tmp.npz'):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()
