"""MOTChallenge sequences as a person-search data set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmclsa.datasets.base_person_search import BasePersonSearchDataset, require
from mmclsa.datasets.readers.mot import describe_reading, join_reports, read_mot_sequences
from mmclsa.datasets.readers.mot_folders import find_sequences, split_root
from mmclsa.datasets.storage import is_remote
from mmclsa.datasets.video_lengths import count_frames_once
from mmclsa.errors import ConfigError, DataError
from mmclsa.registry import DATASETS
from mmclsa.structures import Query, Scene, SearchProtocol

__all__ = [
    'FirstFrameQuery',
    'IdentitySplit',
    'MOTChallengeDataset',
    'first_frame_protocol',
    'first_frame_queries',
]


@dataclass(frozen=True)
class IdentitySplit:
    """Which people are held out of training.

    Attributes:
        holdout: Share of the people that are held out, in 0..1.
        part: ``train`` ignores held-out people (neither identity nor
            background); ``val`` keeps their ids and takes everybody else as
            unlabelled people.
        seed: Of the draw; the same in both parts.
    """

    holdout: float
    part: str
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.holdout < 1:
            raise ConfigError(f'identity_split.holdout must lie in 0..1, not {self.holdout}')
        if self.part not in ('train', 'val'):
            raise ConfigError(f"identity_split.part must be 'train' or 'val', not {self.part!r}")

    def apply(self, scenes: Sequence[Scene]) -> list[Scene]:
        """Hide the people of the other part.

        Returns:
            The same scenes with other ``ignore`` and ``person_ids``.
        """
        ids = np.unique(np.concatenate([s.person_ids for s in scenes]))
        ids = ids[ids >= 0]
        order = np.random.default_rng(self.seed).permutation(ids)
        held_out = order[: round(self.holdout * len(ids))]
        shown = []
        for scene in scenes:
            hidden = np.isin(scene.person_ids, held_out) == (self.part == 'train')
            hidden &= scene.person_ids >= 0
            ignore = scene.ignore | hidden if self.part == 'train' else scene.ignore
            ids_left = np.where(hidden, -1, scene.person_ids)
            shown.append(replace(scene, person_ids=ids_left, ignore=ignore))
        return shown


@dataclass(frozen=True)
class FirstFrameQuery:
    """A person's appearance, the first as a rule, to be found in other frames.

    Attributes:
        image: Key of the query's frame.
        box: Shape (4,), x1 y1 x2 y2.
        person_id: Whom to find.
        cam_id: The query's sequence.
        gallery: Keys of the frames to search; None for all but the query's.
    """

    image: str
    box: np.ndarray
    person_id: int
    cam_id: int
    gallery: list[str] | None


def first_frame_queries(
    scenes: Sequence[Scene], min_gap: int = 1, query_every: int | None = None
) -> list[FirstFrameQuery]:
    """Make a retrieval task of tracks.

    The query of a person is his first appearance, its gallery all frames of
    all sequences but those of the query's own sequence that are fewer than
    ``min_gap`` frames away. Queries without a match there are left out.

    Args:
        scenes: In order of frames within each ``cam_id``.
        min_gap: 1 leaves only the query's own frame out.
        query_every: Every so many appearances of a person is a query too;
            None for the first alone.

    Returns:
        Queries in the order of person ids, a person's in order of frames.
    """
    for name, value in (('min_gap', min_gap), ('query_every', query_every or 1)):
        if value < 1:
            raise ConfigError(f'{name} must be 1 or more, not {value}')
    appearances: dict[int, list[tuple[int, np.ndarray]]] = {}
    for index, scene in enumerate(scenes):
        for box, person, ignore in zip(scene.boxes, scene.person_ids, scene.ignore):
            if person >= 0 and not ignore:
                appearances.setdefault(int(person), []).append((index, box))
    queries = []
    for person in sorted(appearances):
        asked = appearances[person][:: query_every or len(appearances[person])]
        for start, box in asked:
            near = _near_frames(scenes, start, min_gap)
            if any(index not in near for index, _ in appearances[person]):
                gallery = [s.image for index, s in enumerate(scenes) if index not in near]
                listed = None if min_gap == 1 else gallery
                own = scenes[start]
                queries.append(FirstFrameQuery(own.image, box, person, own.cam_id, listed))
    return queries


def _near_frames(scenes: Sequence[Scene], start: int, min_gap: int) -> set[int]:
    """List the frames of a frame's own sequence that are fewer than ``min_gap`` away."""
    window = range(max(0, start - min_gap + 1), min(len(scenes), start + min_gap))
    return {index for index in window if scenes[index].cam_id == scenes[start].cam_id}


def first_frame_protocol(
    scenes: Sequence[Scene], min_gap: int = 1, query_every: int | None = None
) -> SearchProtocol:
    """Make a protocol of :func:`first_frame_queries`.

    Returns:
        The protocol ``first_frame``.
    """
    queries = first_frame_queries(scenes, min_gap, query_every)
    seen: dict[int, list[tuple[str, np.ndarray]]] = {}
    for scene in scenes:
        for box, person, ignore in zip(scene.boxes, scene.person_ids, scene.ignore):
            if not ignore:
                seen.setdefault(int(person), []).append((scene.image, box))
    truths, galleries = [], []
    for query in queries:
        gallery = query.gallery or [s.image for s in scenes if s.image != query.image]
        searched = set(gallery)
        galleries.append(gallery)
        truths.append([entry for entry in seen[query.person_id] if entry[0] in searched])
    return SearchProtocol.build(
        'first_frame',
        [scene.image for scene in scenes],
        [Query(q.image, q.box, q.person_id, q.cam_id) for q in queries],
        truths,
        galleries if min_gap > 1 else None,
        image_cams=np.array([scene.cam_id for scene in scenes], dtype=np.int64),
    )


@DATASETS.register_module()
class MOTChallengeDataset(BasePersonSearchDataset):
    """Several MOTChallenge sequences: image folders, videos, or both.

    Ids are unique across sequences (somebody who walks through two of them
    is two people) and ``cam_id`` is the index of the sequence. In test mode
    there is one protocol, ``first_frame``: see :func:`first_frame_protocol`.
    Consecutive frames are easy to search; it serves to choose settings on
    held-out people, not to report results.

    Args:
        sequences: Folders below ``data_root``, or patterns (``mot17/*``), which
            fit folders with ``gt/gt.txt`` alone; ``data_root`` may have
            patterns and ``~`` too.
        min_visibility: Less visible people (0..1) are ignored.
        min_height: Less tall people (pixels) are ignored.
        identity_split: Options of :class:`IdentitySplit`; None for everybody.
        min_gap: Of the test protocol: frames of the query's own sequence
            that are fewer frames away are not in its gallery.
        query_every: Of the test protocol: every so many appearances of a
            person is a query too; None for the first alone.
        kwargs: Of :class:`BasePersonSearchDataset`.

    Attributes:
        left_out: How many lines, boxes and files are not used, by reason.
        disagreements: Sentences on where gt.txt, seqinfo.ini and the pictures
            say different things.
    """

    TITLE = 'The MOTChallenge data set'

    def __init__(
        self,
        sequences: str | list[str],
        min_visibility: float = 0.0,
        min_height: float = 0.0,
        identity_split: dict[str, Any] | None = None,
        min_gap: int = 1,
        query_every: int | None = None,
        **kwargs: Any,
    ) -> None:
        names = [sequences] if isinstance(sequences, str) else list(sequences)
        root, self.sequences = split_root(str(kwargs.get('data_root') or '.'), names)
        kwargs['data_root'] = root
        self.min_visibility = min_visibility
        self.min_height = min_height
        self.identity_split = None if identity_split is None else IdentitySplit(**identity_split)
        self.min_gap = min_gap
        self.query_every = query_every
        super().__init__(**kwargs)

    def load_scenes(self) -> list[Scene]:
        """Read all sequences."""
        if not self.sequences:
            raise ConfigError('MOTChallengeDataset.sequences is empty')
        if is_remote(self.data_root or '', self.backend_args):
            raise ConfigError(
                f'MOTChallengeDataset reads local folders alone, but data_root is {self.data_root} '
                f'and backend_args {self.backend_args}: convert the sequences with '
                'tools/dataset_converters/mot_to_coco.py and use CocoPersonSearchDataset'
            )
        found = find_sequences(self.data_root or '.', self.sequences)
        sequences = read_mot_sequences(
            self.data_root or '.',
            found.names,
            self.min_visibility,
            self.min_height,
            count_frames_once,
        )
        self.left_out, self.disagreements = join_reports(sequences)
        for sentence in describe_reading(found, sequences):
            print_log(f'{self.TITLE}: {sentence}', logger='current', level=logging.WARNING)
        scenes = [scene for sequence in sequences for scene in sequence.scenes]
        return self.identity_split.apply(scenes) if self.identity_split else scenes

    def load_protocols(self, scenes: list[Scene]) -> list[SearchProtocol]:
        """Make the one task of finding people again in other frames.

        Raises:
            DataError: If nobody is seen twice.
        """
        protocol = first_frame_protocol(scenes, self.min_gap, self.query_every)
        if not len(protocol):
            raise DataError(
                f'{self.TITLE} in {self.data_root}: nobody with an identity is seen in two frames '
                f'that are min_gap={self.min_gap} or more apart, so that there is nothing to search'
            )
        return [protocol]

    def locate(self, scene: Scene) -> dict[str, Any]:
        """Say where a frame is: a file, or a video and the frame's number (from 0)."""
        name, is_video, frame = scene.image.partition('#')
        place: dict[str, Any] = dict(img_path=str(Path(self.data_root or '.') / name))
        if is_video:
            place['frame'] = int(frame) - 1
        return place

    def _check_images(self, items: Sequence[dict[str, Any]]) -> None:
        for path in {item['img_path'] for item in items}:
            require(path, self.TITLE)
