"""Search across scales: the people of any data set, brought to several heights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.errors import ConfigError, DataError
from mmclsa.registry import DATASETS
from mmclsa.structures import Query, Scene, SearchProtocol

__all__ = [
    'MIXED',
    'CrossScaleDataset',
    'Window',
    'cross_scale_protocol',
    'draw_heights',
    'window_of',
]

#: In the place of a height: everybody at one of several, drawn by lot.
MIXED = 'mixed'
# First part of the seed of the heights that are drawn.
_QUERIES, _GALLERY = 0, 1


@dataclass(frozen=True)
class Window:
    """A person cut out of a scene, with what is around him.

    Attributes:
        scene: Index of the scene.
        key: Name of the scene, ``@`` and the number of the box.
        region: Where it lies, integers x1 y1 x2 y2 in the scene's pixels;
            the picture may end before x2 and y2.
        box: The person, x1 y1 x2 y2 in the region's pixels.
        person_id: Who it is.
        cam_id: Camera of the scene.
    """

    scene: int
    key: str
    region: tuple[int, int, int, int]
    box: np.ndarray
    person_id: int
    cam_id: int

    def factor(self, height: float | None) -> float:
        """Give the factor that brings the person down to a height; nobody is enlarged."""
        own = float(self.box[3] - self.box[1])
        return 1.0 if height is None else min(1.0, height / own)

    def image(self, height: float | None) -> str:
        """Name the picture of this person at a height."""
        return f'{self.key}/{_name(height)}'


def _name(height: float | str | None) -> str:
    if isinstance(height, str):
        return height
    return 'own' if height is None else f'{height:g}'


def window_of(scene: Scene, index: int, number: int, margin: float) -> Window:
    """Put a window around a person.

    Args:
        scene: The scene.
        index: Its index.
        number: Of the box in the scene.
        margin: Share of the box's size added on each side.

    Returns:
        The window, cut off at the picture's left and upper edge.

    Example:
        >>> box = np.array([[10.0, 20.0, 30.0, 60.0]])
        >>> scene = Scene('a.jpg', box, np.array([7]), np.zeros(1, bool))
        >>> window = window_of(scene, 0, 0, 0.5)
        >>> window.region, window.box.tolist(), window.factor(20)
        ((0, 0, 40, 80), [10.0, 20.0, 30.0, 60.0], 0.5)
    """
    box = np.maximum(np.asarray(scene.boxes[number], dtype=np.float64), 0)
    edge = np.tile(box[2:] - box[:2], 2) * margin
    low = np.floor(np.maximum(box - edge, 0))[:2]
    high = np.ceil(box + edge)[2:]
    x1, y1, x2, y2 = (int(value) for value in (*low, *high))
    return Window(
        scene=index,
        key=f'{scene.image}@{number}',
        region=(x1, y1, x2, y2),
        box=box - np.array([x1, y1, x1, y1]),
        person_id=int(scene.person_ids[number]),
        cam_id=scene.cam_id,
    )


def draw_heights(count: int, heights: Sequence[float | None], seed: int) -> list[float | None]:
    """Draw a height for each of several people, all heights equally likely.

    Example:
        >>> draw_heights(4, [None, 32], seed=0)
        [None, 32, 32, None]
    """
    places = np.random.default_rng((9, seed)).integers(len(heights), size=count)
    return [heights[place] for place in places]


def cross_scale_protocol(
    windows: Sequence[Window],
    query_heights: Sequence[float | None],
    gallery_heights: Sequence[float | None],
    name: str,
    min_gap: int = 1,
    query_every: int = 1,
) -> SearchProtocol:
    """Make the task of finding people at some heights by queries at others.

    Convention: every ``query_every``-th appearance of a person is a query.
    Its gallery is everybody at his gallery height but the people of scenes of
    its own camera that are fewer than ``min_gap`` scenes away; its matches are
    all appearances of the person there. Queries without a match are left out.

    Args:
        windows: In the order of scenes.
        query_heights: One a window: the height that it has at most as a
            query, in pixels; None for its own.
        gallery_heights: One a window: the height that it has at most in the
            gallery; None for its own.
        name: Of the task.
        min_gap: 1 leaves out the query's own scene alone.
        query_every: 1 for every appearance.

    Returns:
        The task. Query ids are the places of the windows.
    """
    scenes = np.array([window.scene for window in windows], dtype=np.int64)
    cameras = np.array([window.cam_id for window in windows], dtype=np.int64)
    people = np.array([window.person_id for window in windows], dtype=np.int64)
    names = [window.image(height) for window, height in zip(windows, gallery_heights)]
    boxes = [_scaled(window, height) for window, height in zip(windows, gallery_heights)]
    chosen, truths, galleries = [], [], []
    for number in _every(people, query_every):
        near = (cameras == cameras[number]) & (np.abs(scenes - scenes[number]) < min_gap)
        matches = np.flatnonzero(~near & (people == people[number]))
        if len(matches):
            chosen.append(number)
            truths.append([(names[m], boxes[m]) for m in matches])
            galleries.append([names[g] for g in np.flatnonzero(~near)])
    asked = [(windows[number], query_heights[number]) for number in chosen]
    queries = [Query(w.image(h), _scaled(w, h), w.person_id, w.cam_id) for w, h in asked]
    images = dict.fromkeys([*names, *(query.image for query in queries)])
    return SearchProtocol.build(
        name,
        list(images),
        queries,
        truths,
        galleries,
        query_ids=chosen,
    )


def _every(people: np.ndarray, step: int) -> list[int]:
    """Choose every so many appearances of each person, in the order of the windows."""
    chosen: list[int] = []
    for person in np.unique(people):
        chosen.extend(np.flatnonzero(people == person)[::step].tolist())
    return sorted(chosen)


def _scaled(window: Window, height: float | None) -> np.ndarray:
    return window.box * window.factor(height)


@DATASETS.register_module()
class CrossScaleDataset(BasePersonSearchDataset):
    """Everybody with an identity as a scene of his own, at several heights.

    For testing how well people are found across scales, on any data set of
    scenes: each labelled person is cut out with some surroundings and shrunk
    (area averaging) to at most the heights that are asked for. Nobody is
    enlarged. There is one protocol for each pair of heights,
    ``own-to-64`` and so on: see :func:`cross_scale_protocol`. Search with
    ground-truth boxes (``use_gt_boxes=True``): a scene shows one person.

    A height may be ``'mixed'``: then everybody is brought to one of
    ``mixed_heights``, drawn by lot, for queries and gallery apart. So right
    and wrong people of all heights compete, as in a real gallery, and figures
    by height or by ratio of heights come out of one task.

    Scale is all that is made; where query and match are neighbouring frames of
    one camera they share view and light.

    Args:
        dataset: Config of a scene data set.
        pairs: Heights (query, gallery) in pixels; None is a person's own,
            ``'mixed'`` is drawn.
        mixed_heights: What ``'mixed'`` draws from.
        margin: Share of a box's size that a scene has around it on each side.
        min_gap: See :func:`cross_scale_protocol`.
        query_every: See :func:`cross_scale_protocol`.
        kwargs: Of :class:`BasePersonSearchDataset`.

    Raises:
        ConfigError: If it is built for training, or a number is out of range.
        DataError: If nobody has an identity.
    """

    TITLE = 'CrossScaleDataset'

    def __init__(
        self,
        dataset: dict[str, Any],
        pairs: Sequence[tuple[float | str | None, float | str | None]] = ((None, None),),
        mixed_heights: Sequence[float | None] = (None, 128, 64, 32, 24),
        margin: float = 0.15,
        min_gap: int = 1,
        query_every: int = 1,
        **kwargs: Any,
    ) -> None:
        _check(pairs, mixed_heights, margin, min_gap, query_every)
        self.dataset = DATASETS.build(dataset)
        self.pairs = [(query, gallery) for query, gallery in pairs]
        self.mixed_heights = list(mixed_heights)
        self.margin = margin
        self.min_gap = min_gap
        self.query_every = query_every
        self.windows: list[Window] = []
        # One scene at a time, as neighbouring items are cut from the same one.
        self._whole = lru_cache(maxsize=1)(self._scene_picture)
        super().__init__(**kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cached scene behind when a worker process is given the data set."""
        state = dict(self.__dict__)
        del state['_whole']
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start a cache of its own."""
        self.__dict__.update(state)
        self._whole = lru_cache(maxsize=1)(self._scene_picture)

    def load_scenes(self) -> list[Scene]:
        """Make a scene of each labelled person and height."""
        if not self.test_mode:
            raise ConfigError('CrossScaleDataset is for testing, but test_mode is False')
        # Its items may be fewer than its scenes: filter_cfg, indices.
        infos = map(self.dataset.get_data_info, range(len(self.dataset)))
        self._item_of = {info['img_id']: number for number, info in enumerate(infos)}
        self.windows = [
            window_of(scene, index, number, self.margin)
            for index, scene in enumerate(self.dataset.scenes)
            if scene.image in self._item_of
            for number in np.flatnonzero((scene.person_ids >= 0) & ~scene.ignore)
            if (scene.boxes[number, 2:] > np.maximum(scene.boxes[number, :2], 0)).all()
        ]
        if not self.windows:
            raise DataError(f'CrossScaleDataset: nobody is labelled in {self.dataset.TITLE}')
        shown = [
            (window, height)
            for side in (_QUERIES, _GALLERY)
            for of_side in dict.fromkeys(pair[side] for pair in self.pairs)
            for window, height in zip(self.windows, self._heights(of_side, side))
        ]
        # As they stand in the scenes, or each picture would be cut from another scene.
        shown.sort(key=lambda item: item[0].scene)
        self._places = {window.image(height): (window, height) for window, height in shown}
        return [_scene(window, height) for window, height in self._places.values()]

    def _heights(self, height: float | str | None, side: int) -> list[float | None]:
        """Give every window its height as a query or in the gallery."""
        if isinstance(height, str):
            return draw_heights(len(self.windows), self.mixed_heights, side)
        return [height] * len(self.windows)

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Make the task of each pair; queries of another height have other ids."""
        sides = list(dict.fromkeys(query for query, _ in self.pairs))
        protocols = []
        for query, gallery in self.pairs:
            task = cross_scale_protocol(
                self.windows,
                self._heights(query, _QUERIES),
                self._heights(gallery, _GALLERY),
                f'{_name(query)}-to-{_name(gallery)}',
                self.min_gap,
                self.query_every,
            )
            task.query_ids[:] += sides.index(query) * len(self.windows)
            protocols.append(task)
        return protocols

    def locate(self, scene: Scene) -> dict[str, Any]:
        """Scenes are no files."""
        return {}

    def _scene_picture(self, index: int) -> np.ndarray:
        item = self._item_of[self.dataset.scenes[index].image]
        return self.dataset.load_picture(self.dataset.get_data_info(item))

    def picture(self, info: dict[str, Any]) -> np.ndarray:
        """Cut a person out of his scene and shrink him.

        Raises:
            DataError: If the box lies outside of the picture.
        """
        window, height = self._places[info['img_id']]
        x1, y1, x2, y2 = window.region
        cut = self._whole(window.scene)[y1:y2, x1:x2]
        if cut.size == 0:
            raise DataError(f'the box of {window.key} lies outside its image')
        factor = window.factor(height)
        if factor == 1:
            return np.ascontiguousarray(cut)
        # By the factor, not by a size: so boxes are scaled exactly, whatever is rounded.
        small = cv2.resize(cut, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return np.asarray(small)


def _scene(window: Window, height: float | None) -> Scene:
    return Scene(
        image=window.image(height),
        boxes=_scaled(window, height)[None],
        person_ids=np.array([window.person_id]),
        ignore=np.zeros(1, dtype=bool),
        cam_id=window.cam_id,
    )


def _check(
    pairs: Sequence[Any], mixed: Sequence[Any], margin: float, min_gap: int, query_every: int
) -> None:
    for pair in pairs:
        if len(pair) != 2 or not all(height == MIXED or _is_height(height) for height in pair):
            raise ConfigError(
                'CrossScaleDataset.pairs must be pairs of heights of 8 pixels or more, None or '
                f'{MIXED!r}, but one is {pair}'
            )
    if not mixed or not all(_is_height(height) for height in mixed):
        raise ConfigError(
            'CrossScaleDataset.mixed_heights must be heights of 8 pixels or more, or None, but is '
            f'{list(mixed)}'
        )
    for name, value in (('min_gap', min_gap), ('query_every', query_every)):
        if value < 1:
            raise ConfigError(f'CrossScaleDataset.{name} must be 1 or more, not {value}')
    if margin < 0 or not pairs:
        raise ConfigError(
            f'CrossScaleDataset needs a margin of 0 or more and a pair, not {margin} and {pairs}'
        )


def _is_height(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and value >= 8)
