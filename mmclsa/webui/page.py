"""What the page does, without the page: from a file and a click to ranked scenes."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmclsa.errors import ConfigError, UserError
from mmclsa.gallery import GalleryIndex, GalleryRecord, SearchFilter
from mmclsa.gallery.building import QueryEmbedder, find_people_in
from mmclsa.inference import QueryPerson, load_record_pictures, search
from mmclsa.media import read_picture
from mmclsa.structures import FoundPeople
from mmclsa.utils.times import format_time, parse_time
from mmclsa.visualization import draw_boxes, draw_timeline
from mmclsa.visualization.canvas import GREEN, GREY, QUERY

__all__ = ['MAX_HITS', 'Answer', 'Drop', 'GalleryPage', 'person_at']

#: Each hit's scene is loaded and sent to the browser.
MAX_HITS = 50
_SCENE_SIDE = 900


@dataclass(frozen=True, eq=False)
class Drop:
    """A picture that was dropped on the page.

    Attributes:
        name: Of its file, without folders.
        picture: Shape (H, W, 3), uint8, BGR, upright.
        people: Who is in it.
    """

    name: str
    picture: np.ndarray
    people: FoundPeople


@dataclass(frozen=True, eq=False)
class Answer:
    """What the page shows of a search.

    Attributes:
        scenes: Best first: a picture (H, W, 3), uint8, RGB, with the person
            in a box, and a line about it. A scene that is no longer there is
            a grey picture.
        timeline: The sightings by camera, shape (H, W, 3), uint8, RGB.
        report: JSON, as ``results.json`` of ``tools/search_gallery.py``.
    """

    scenes: Sequence[tuple[np.ndarray, str]]
    timeline: np.ndarray
    report: str


def person_at(boxes: np.ndarray, x: float, y: float) -> int | None:
    """Tell who was clicked on.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        x: Of the click, pixels.
        y: Of the click, pixels.

    Returns:
        The number of the smallest box around the click, None if there is none.

    Example:
        >>> boxes = np.array([[0, 0, 100, 100], [40, 40, 60, 90]])
        >>> person_at(boxes, 50, 50), person_at(boxes, 10, 10), person_at(boxes, 200, 0)
        (1, 0, None)
    """
    x1, y1, x2, y2 = np.asarray(boxes, float).reshape(-1, 4).T
    inside = (x1 <= x) & (x <= x2) & (y1 <= y) & (y <= y2)
    areas = np.where(inside, (x2 - x1) * (y2 - y1), np.inf)
    return int(areas.argmin()) if inside.any() else None


class GalleryPage:
    """A gallery and a model, and what visitors of a page do with them.

    Pictures are read from the files that the hits of the index name, and from
    no others. Calls are safe in several threads; one is served at a time.

    Args:
        index: The gallery.
        embedder: A model whose embeddings the index holds.
        max_pixels: Larger pictures are refused before they are decoded.
    """

    def __init__(
        self, index: GalleryIndex, embedder: QueryEmbedder, max_pixels: int = 40_000_000
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        contents = index.contents()
        self.cameras: list[str] = list(contents.cameras)
        span = ''
        if math.isfinite(contents.time_from) and math.isfinite(contents.time_to):
            span = f', from {format_time(contents.time_from)} to {format_time(contents.time_to)}'
        #: A line about the gallery.
        self.summary = f'{contents.people} people in {contents.sources} files{span}'

    def drop(self, path: str | Path) -> Drop:
        """Find the people of a picture.

        Args:
            path: The file that was dropped.

        Returns:
            The picture with its people.

        Raises:
            DataError: If it is no picture, broken or too large.
            UserError: If nobody is in it.
        """
        picture = read_picture(path, self._max_pixels)
        with self._lock:
            people = find_people_in(self._embedder, picture, Path(path).name)
        if not len(people.scores):
            raise UserError(f'nobody is found in {Path(path).name}: try another picture')
        return Drop(Path(path).name, picture, people)

    def draw(self, drop: Drop, chosen: int | None = None) -> np.ndarray:
        """Draw a box around everybody.

        Args:
            drop: The picture.
            chosen: Who was clicked on.

        Returns:
            Shape (H, W, 3), uint8, RGB, of the picture's size.
        """
        rgb = np.ascontiguousarray(drop.picture[..., ::-1])
        colours = [
            GREEN if chosen is None else QUERY if number == chosen else GREY
            for number in range(len(drop.people.scores))
        ]
        thickness = max(2, round(max(rgb.shape[:2]) / 400))
        return draw_boxes(rgb, drop.people.boxes, None, colours, thickness)

    def search(
        self,
        drop: Drop | None,
        chosen: int | None,
        cameras: Sequence[str] = (),
        time_from: str = '',
        time_to: str = '',
        topk: int = 10,
        group_by_track: bool = False,
    ) -> Answer:
        """Look for a person of a picture.

        Args:
            drop: The picture.
            chosen: Which of its people.
            cameras: Only of these; none for all.
            time_from: Not before, as the command line takes it; empty for any.
            time_to: Not after, likewise.
            topk: How many scenes.
            group_by_track: The best of each track alone.

        Returns:
            What is to be shown.

        Raises:
            UserError: If nobody was chosen, or a limit has no meaning.
        """
        if drop is None:
            raise UserError('drop a picture first')
        if chosen is None or not 0 <= chosen < len(drop.people.scores):
            raise UserError('click on a person first')
        if not 1 <= topk <= MAX_HITS:
            raise ConfigError(f'the number of scenes must lie in 1..{MAX_HITS}, but is {topk}')
        start, end = (parse_time(t) if t.strip() else None for t in (time_from, time_to))
        where = SearchFilter(list(cameras) or None, start, end)
        people = drop.people
        query = QueryPerson(
            drop.picture, people.boxes[chosen], drop.name, people.embeddings[chosen]
        )
        with self._lock:
            found = search(
                self._embedder, [query], self._index, topk, where, group_by_track=group_by_track
            )
            records = [hit.record for hit in found.hits]
            scenes = load_record_pictures(records)
        return Answer(
            [
                (_scene(scene, hit.record.box), _caption(rank, hit.similarity, hit.record))
                for rank, (scene, hit) in enumerate(zip(scenes, found.hits), 1)
            ],
            draw_timeline(
                [record.time for record in records],
                [record.camera for record in records],
                [hit.similarity for hit in found.hits],
            ),
            json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False),
        )


def _scene(picture: np.ndarray | None, box: Sequence[float]) -> np.ndarray:
    """Draw a hit into its scene, no larger than a browser shows it."""
    if picture is None:
        return np.full((240, 320, 3), 200, np.uint8)
    scale = min(1.0, _SCENE_SIDE / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    return draw_boxes(small, np.array([box]) * scale, colours=QUERY, thickness=3)


def _caption(rank: int, similarity: float, record: GalleryRecord) -> str:
    place = [Path(record.source).name, format_time(record.time), record.camera]
    return f'{rank}: {similarity:.3f}, ' + ', '.join(part for part in place if part)
