"""What a search gives: a table, a file, and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from terminaltables import AsciiTable

from mmclsa.errors import DataError
from mmclsa.gallery import GalleryRecord, Hit
from mmclsa.inference.queries import QueryPerson
from mmclsa.media import VideoReader, is_video, read_picture
from mmclsa.utils.io import atomic_write
from mmclsa.utils.times import format_time
from mmclsa.visualization import RankedPerson, draw_boxes, draw_rank_list, write_picture

__all__ = ['GalleryHits', 'load_record_pictures']


@dataclass(frozen=True, eq=False)
class GalleryHits:
    """Ranked hits of a query, which are printed as a table.

    Attributes:
        query: Who was looked for, one entry a picture.
        hits: Best first.
    """

    query: Sequence[QueryPerson]
    hits: Sequence[Hit]

    def __repr__(self) -> str:
        """Show the table, not the pixels of the query."""
        return self.table()

    def to_dict(self) -> dict[str, Any]:
        """Give plain lists and numbers, as ``results.json`` has them."""
        query = [dict(image=one.source, box=_rounded(one.box)) for one in self.query]
        return dict(query=query, hits=[_as_dict(*entry) for entry in enumerate(self.hits, 1)])

    def table(self) -> str:
        """Write the hits as a table."""
        rows = [['rank', 'similarity', 'source', 'frame', 'time', 'camera', 'box']]
        for rank, hit in enumerate(self.hits, 1):
            record = hit.record
            box = ' '.join(f'{value:.0f}' for value in record.box)
            place = [record.source, str(record.frame), format_time(record.time), record.camera]
            rows.append([str(rank), f'{hit.similarity:.3f}', *place, box])
        return str(AsciiTable(rows).table)

    def save(self, out_dir: str | Path) -> list[Path]:
        """Write ``results.json``, ``rank_list.png`` and a scene for each hit.

        Args:
            out_dir: Folder, made if it is not there.

        Returns:
            The files. A hit whose picture is no longer there has no scene.

        Raises:
            UserError: If the folder cannot be written to.
        """
        folder = Path(out_dir)
        results = folder / 'results.json'
        with atomic_write(results) as temporary:
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + '\n', encoding='utf-8')
        scenes = load_record_pictures([hit.record for hit in self.hits])
        paths = [results, write_picture(folder / 'rank_list.png', self.draw(scenes))]
        for rank, (hit, scene) in enumerate(zip(self.hits, scenes), 1):
            if scene is not None:
                label = [f'{rank}: {hit.similarity:.3f}']
                drawn = draw_boxes(scene, np.array([hit.record.box]), label)
                paths.append(write_picture(folder / f'hit_{rank:03d}.jpg', drawn))
        return paths

    def draw(self, scenes: Sequence[np.ndarray | None] | None = None) -> np.ndarray:
        """Draw the query and its hits side by side.

        Args:
            scenes: Pictures (H, W, 3), uint8, RGB, of the hits, if they are
                loaded already; None for one that is missing.

        Returns:
            Shape (H, W, 3), uint8, RGB.
        """
        if scenes is None:
            scenes = load_record_pictures([hit.record for hit in self.hits])
        first = self.query[0]
        asked = RankedPerson(
            np.ascontiguousarray(first.picture[..., ::-1]), first.box, note=Path(first.source).name
        )
        people = [
            RankedPerson(scene, np.array(hit.record.box), hit.similarity, note=_note(hit.record))
            for hit, scene in zip(self.hits, scenes)
        ]
        more = f' and {len(self.query) - 1} more pictures' if len(self.query) > 1 else ''
        return draw_rank_list(asked, people, f'{Path(first.source).name}{more}')


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


def _as_dict(rank: int, hit: Hit) -> dict[str, Any]:
    record = hit.record
    return dict(
        rank=rank,
        row=hit.row,
        similarity=round(hit.similarity, 6),
        source=record.source,
        frame=record.frame,
        time=record.time if math.isfinite(record.time) else None,
        camera=record.camera,
        box=_rounded(record.box),
        score=round(record.score, 6),
    )


def _rounded(box: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(value), 2) for value in box]


def _note(record: GalleryRecord) -> str:
    parts = [Path(record.source).name, format_time(record.time), record.camera]
    return ' '.join(part for part in parts if part)
