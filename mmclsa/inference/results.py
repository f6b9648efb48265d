"""What a search gives: a table, a file, and pictures."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from terminaltables import AsciiTable

from mmclsa.errors import UserError
from mmclsa.evaluation.functional.calibration import Calibration
from mmclsa.gallery import GalleryRecord, Hit
from mmclsa.inference.queries import QueryPerson
from mmclsa.inference.record_pictures import (
    decode_crop,
    each_record_picture,
    load_record_pictures,
)
from mmclsa.utils.io import write_json
from mmclsa.utils.text import counted
from mmclsa.utils.times import format_time
from mmclsa.visualization import (
    RankedPerson,
    draw_boxes,
    draw_hit,
    draw_rank_list,
    write_picture,
)

__all__ = ['GalleryHits', 'load_record_pictures', 'time_span']


@dataclass(frozen=True, eq=False)
class GalleryHits:
    """Ranked hits of a query, which are printed as a table.

    Attributes:
        query: Who was looked for, one entry a picture.
        hits: Best first.
        crops: JPEG files of the hits that the index keeps one of, by row.
        calibration: What the hits' probabilities were learnt from; None if
            there are none.
    """

    query: Sequence[QueryPerson]
    hits: Sequence[Hit]
    crops: Mapping[int, bytes] = field(default_factory=dict)
    calibration: Calibration | None = None

    def __repr__(self) -> str:
        """Show the table, not the pixels of the query."""
        return self.table()

    def to_dict(self) -> dict[str, Any]:
        """Give plain lists and numbers, as ``results.json`` has them, but for its scenes.

        A hit has ``probability`` where the index knows it, and ``first_frame``,
        ``last_frame``, ``time_from``, ``time_to`` and ``num_frames`` where it is
        a sighting. ``calibration`` says how many pairs the probabilities were
        learnt from, and of how many tracks those of one person are.
        """
        content: dict[str, Any] = dict(query=[_query_as_dict(one) for one in self.query])
        if self.calibration is not None:
            known = self.calibration
            content['calibration'] = dict(
                num_same=known.num_same, num_different=known.num_different
            )
            if known.num_tracks is not None:
                content['calibration']['num_tracks'] = known.num_tracks
        content['hits'] = [_as_dict(*entry) for entry in enumerate(self.hits, 1)]
        return content

    def table(self) -> str:
        """Write the hits as a table; a probability stands beside its similarity."""
        known = any(hit.probability is not None for hit in self.hits)
        measured = ['similarity', 'probability'] if known else ['similarity']
        rows = [['rank', *measured, 'row', 'source', 'frame', 'time', 'camera', 'box']]
        for rank, hit in enumerate(self.hits, 1):
            record = hit.record
            box = ' '.join(f'{value:.0f}' for value in record.box)
            values = [f'{hit.similarity:.3f}']
            if known:
                values.append('' if hit.probability is None else f'{hit.probability:.2f}')
            place = [record.source, str(record.frame), time_span(record), record.camera]
            rows.append([str(rank), *values, str(hit.row), *place, box])
        return str(AsciiTable(rows).table)

    def save(self, out_dir: str | Path, scenes: bool = True) -> list[Path]:
        """Write ``results.json``, ``rank_list.png`` and a scene for each hit.

        They take the place of those of an earlier search, of which
        ``results.json`` lists the scenes.

        Args:
            out_dir: Folder, made if it is not there.
            scenes: Write the scenes; without them, footage is opened only for
                hits that the index keeps no crop of.

        Returns:
            The files. A hit whose picture is no longer there has no scene.

        Raises:
            UserError: If the folder cannot be written to, or a picture that is
                searched, or searched for, would be overwritten.
        """
        folder = Path(out_dir)
        results = folder / 'results.json'
        wanted = [folder / _scene_name(rank) for rank in range(1, len(self.hits) + 1) if scenes]
        self._spare_footage([folder / 'rank_list.png', *wanted])
        # Whoever is killed leaves a list of all that may be there.
        former = set(_scenes_of(results))
        self._write(results, sorted({*wanted, *former}))
        cells, paths = {}, {}
        for place, scene in self._scenes(scenes):
            cells[place] = self._cell(place, scene)
            if scenes and scene is not None:
                hit, rank = self.hits[place], place + 1
                label = [f'{rank}: {_values(hit)}']
                drawn = draw_boxes(scene, np.array([hit.record.box]), label)
                paths[place] = write_picture(wanted[place], drawn)
        rank_list = write_picture(folder / 'rank_list.png', self._joined(cells))
        self._clear(former - {*paths.values()})
        self._write(results, [paths[place] for place in sorted(paths)])
        return [results, rank_list, *(paths[place] for place in sorted(paths))]

    @property
    def _footage(self) -> set[str]:
        used = [hit.record.source for hit in self.hits] + [one.source for one in self.query]
        return {os.path.realpath(source) for source in used if source}

    def _spare_footage(self, targets: Iterable[Path]) -> None:
        """Refuse to write over what is searched, or searched for."""
        footage = self._footage
        for path in targets:
            if os.path.realpath(path) in footage:
                raise UserError(
                    f'{path} is a picture of this search, which its results would overwrite: '
                    'save them in another folder'
                )

    def _write(self, results: Path, scenes: Sequence[Path]) -> None:
        listed = dict(scenes=[path.name for path in scenes]) if scenes else {}
        write_json(results, {**self.to_dict(), **listed}, indent=2, ensure_ascii=False)

    def _clear(self, scenes: Iterable[Path]) -> None:
        """Delete scenes of an earlier search, but no footage."""
        footage = self._footage
        for path in scenes:
            if path.is_file() and os.path.realpath(path) not in footage:
                try:
                    path.unlink()
                except OSError as error:
                    raise UserError(
                        f'{path} of an earlier search cannot be deleted ({error.strerror})'
                    ) from error

    def draw(self, scenes: Sequence[np.ndarray | None] | None = None) -> np.ndarray:
        """Draw the query and its hits side by side.

        Args:
            scenes: Pictures (H, W, 3), uint8, RGB, of the hits, if they are
                loaded already; None for one that is missing. Not given: the
                crops that the index keeps, and scenes of the other hits.

        Returns:
            Shape (H, W, 3), uint8, RGB.
        """
        pairs = self._scenes(False) if scenes is None else enumerate(scenes)
        return self._joined({place: self._cell(place, scene) for place, scene in pairs})

    def _joined(self, cells: Mapping[int, np.ndarray]) -> np.ndarray:
        """Lay the query and its drawn hits side by side."""
        first = self.query[0]
        asked = RankedPerson(
            np.ascontiguousarray(first.picture[..., ::-1]), first.box, note=Path(first.source).name
        )
        others = counted(len(self.query) - 1, 'more picture')
        more = f' and {others}' if len(self.query) > 1 else ''
        drawn = [cells[place] for place in range(len(self.hits))]
        return draw_rank_list(asked, drawn, f'{Path(first.source).name}{more}')

    def _scenes(self, wanted: bool) -> Iterator[tuple[int, np.ndarray | None]]:
        """Load the scene of each hit, if all are wanted or it has no crop, one at a time."""
        places = [n for n, hit in enumerate(self.hits) if wanted or hit.row not in self.crops]
        yield from ((place, None) for place in {*range(len(self.hits))} - {*places})
        for number, scene in each_record_picture([self.hits[place].record for place in places]):
            yield places[number], scene

    def _cell(self, place: int, scene: np.ndarray | None) -> np.ndarray:
        """Draw a hit: in its scene, RGB, or else its crop."""
        hit = self.hits[place]
        box = np.array(hit.record.box)
        if scene is None and hit.row in self.crops:
            scene = np.ascontiguousarray(decode_crop(self.crops[hit.row])[..., ::-1])
            box = np.array([0, 0, scene.shape[1], scene.shape[0]])
        return draw_hit(RankedPerson(scene, box, hit.similarity, note=_note(hit)), place + 1)


# A file may say anything, and nothing else must be deleted.
_SCENE = re.compile(r'hit_\d{3,}\.jpg')


def _scene_name(rank: int) -> str:
    return f'hit_{rank:03d}.jpg'


def _scenes_of(results: Path) -> list[Path]:
    """List what an earlier search has written beside its results, if these are some."""
    try:
        names = json.loads(results.read_text(encoding='utf-8'))['scenes']
        return [results.with_name(name) for name in names if _SCENE.fullmatch(name)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def time_span(record: GalleryRecord) -> str:
    """Write when somebody was seen.

    Args:
        record: Of an index.

    Returns:
        The time, of a sighting the first and the last; empty if unknown.
    """
    first, last = format_time(record.time_from), format_time(record.time_to)
    return first if first == last else f'{first} - {last}'


def _query_as_dict(query: QueryPerson) -> dict[str, Any]:
    if query.record is None:
        return dict(image=query.source, box=_rounded(query.box))
    place = dict(frame=query.record.frame, box=_rounded(query.record.box))
    return dict(row=query.row, image=query.source, **place)


def _as_dict(rank: int, hit: Hit) -> dict[str, Any]:
    record = hit.record
    content = dict(
        rank=rank,
        row=hit.row,
        similarity=round(hit.similarity, 6),
        source=record.source,
        frame=record.frame,
        time=_known(record.time),
        camera=record.camera,
        box=_rounded(record.box),
        score=round(record.score, 6),
    )
    if hit.probability is not None:
        content['probability'] = round(hit.probability, 6)
    if record.stay is not None:
        content.update(
            first_frame=record.first_frame,
            last_frame=record.last_frame,
            time_from=_known(record.time_from),
            time_to=_known(record.time_to),
            num_frames=record.num_frames,
        )
    return content


def _known(time: float) -> float | None:
    return time if math.isfinite(time) else None


def _rounded(box: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(value), 2) for value in box]


def _values(hit: Hit) -> str:
    """Write a similarity, with its probability if that is known."""
    known = '' if hit.probability is None else f' ({hit.probability:.2f})'
    return f'{hit.similarity:.3f}{known}'


def _note(hit: Hit) -> str:
    probability = '' if hit.probability is None else f'p={hit.probability:.2f}'
    record = hit.record
    parts = [probability, Path(record.source).name, format_time(record.time), record.camera]
    return ' '.join(part for part in parts if part)
