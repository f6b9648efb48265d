"""Evaluate an index of detections on annotated footage: search for every person in it.

The queries are the people that the detector finds in a frame, as in
tools/search_gallery.py, and that are annotated (IoU >= 0.5). With --annotated-boxes,
they are all annotated boxes, hidden people included. A query counts if the index
has the same person at another time of the same track. It is correct if the best
result from another time is that person. A result that is not annotated (passer-by
or false positive) is wrong; the second figure considers annotated people only.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.gallery_options import add_shared_options, model_options
from mmclsa.utils.text import counted
from mmclsa.utils.trust import add_trust_option


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_shared_options(parser, 'index')
    truth = parser.add_mutually_exclusive_group(required=True)
    truth.add_argument('--mot', metavar='FOLDER', help='sequence in MOTChallenge layout')
    truth.add_argument(
        '--coco', nargs=2, metavar=('JSON', 'IMAGES'), help='annotations and image folder'
    )
    parser.add_argument(
        '--annotated-boxes',
        action='store_true',
        help='use annotated boxes as queries instead of detections',
    )
    parser.add_argument(
        '--num', type=int, default=0, help='number of queries, chosen at random (default: all)'
    )
    parser.add_argument(
        '--min-gap',
        type=int,
        default=1,
        metavar='N',
        help='minimum distance in frames between query and result',
    )
    parser.add_argument('--seed', type=int, default=0)
    add_shared_options(parser, '--config', '--checkpoint', '--onnx', '--device')
    add_cfg_options(parser, '--config')
    add_trust_option(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np

from mmclsa.datasets.file_names import find_files
from mmclsa.datasets.readers.coco import read_coco
from mmclsa.datasets.readers.mot import read_mot_sequence
from mmclsa.evaluation.functional.geometry import pairwise_iou
from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.gallery.building import QueryEmbedder
from mmclsa.inference import embedder_of_index, load_record_pictures, rank_people
from mmclsa.structures import Scene

Place = tuple[str, int]  # source and frame
_MIN_IOU = 0.5
_ELSEWHERE = -(10**9)  # frames that are not annotated are far away from all that are


@dataclass(frozen=True)
class Known:
    """Who a record is."""

    person: int = -1
    track: int = -1


def read_truth(args: argparse.Namespace) -> tuple[dict[Place, Scene], dict[Place, int]]:
    """Read the annotations; also the order of the frames."""
    if args.mot:
        sequence = read_mot_sequence(args.mot)
        video = sequence.video
        places = [
            (str(video.resolve()), n)
            if video is not None
            else (str((sequence.folder / 'img1' / Path(scene.image).name).resolve()), 0)
            for n, scene in enumerate(sequence.scenes)
        ]
        scenes = sequence.scenes
    else:
        scenes = read_coco(args.coco[0])
        names = [scene.image for scene in scenes]
        files = find_files(args.coco[1], names)
        places = [(str(Path(args.coco[1], files.get(n, n)).resolve()), 0) for n in names]
    return dict(zip(places, scenes)), {place: n for n, place in enumerate(places)}


def place_of(record: GalleryRecord) -> Place:
    """Say which frame a record is of."""
    return str(Path(record.source).resolve()), record.frame


def recognise(record: GalleryRecord, truth: Mapping[Place, Scene]) -> Known:
    """Say who a record is; nobody known where no annotated box covers it."""
    scene = truth.get(place_of(record))
    if scene is None or not len(scene.boxes):
        return Known()
    overlap = pairwise_iou(np.array([record.box]), scene.boxes)[0]
    best = int(overlap.argmax())
    if overlap[best] < _MIN_IOU or scene.ignore[best]:
        return Known()
    return Known(int(scene.person_ids[best]), track_of(scene, best))


def track_of(scene: Scene, number: int) -> int:
    """Give a person's track; where there are none, a person has one."""
    ids = scene.person_ids if scene.track_ids is None else scene.track_ids
    return int(ids[number])


def frames_of(people: Sequence[Known], moments: Sequence[int]) -> dict[Known, np.ndarray]:
    """List when the index has each track of each person."""
    seen: dict[Known, list[int]] = {}
    for who, moment in zip(people, moments):
        if who.person >= 0:
            seen.setdefault(who, []).append(moment)
    return {who: np.array(times) for who, times in seen.items()}


def annotated_people(
    truth: Mapping[Place, Scene], order: Mapping[Place, int], embedder: QueryEmbedder
) -> tuple[list[Known], list[int], np.ndarray]:
    """Describe everybody who is annotated: who, when, and embeddings (n, D)."""
    people, moments, parts = [], [], []
    asked = [GalleryRecord(*place, 0.0, (0.0, 0.0, 1.0, 1.0), 1.0) for place in truth]
    for record in asked:  # one at a time: they may not fit into memory together
        place = (record.source, record.frame)
        scene = truth[place]
        chosen = np.flatnonzero((scene.person_ids >= 0) & ~scene.ignore)
        if not len(chosen):
            continue
        (picture,) = load_record_pictures([record])
        if picture is None:
            raise ConfigError(f'frame {record.frame} of {record.source} cannot be read')
        parts.append(embedder.embed_boxes(picture[..., ::-1], scene.boxes[chosen]))
        people += [Known(int(scene.person_ids[n]), track_of(scene, int(n))) for n in chosen]
        moments += [order[place]] * len(chosen)
    return people, moments, np.concatenate(parts)


def first_are_right(ranked: Sequence[int], person: int) -> tuple[bool, bool]:
    """Say whether a person is first, and first of those who are annotated.

    Args:
        ranked: Who the hits are, best first; -1 = not annotated. One of them
            is the person.
        person: Who is looked for.

    Returns:
        Both answers.
    """
    return ranked[0] == person, next(who for who in ranked if who >= 0) == person


def main() -> None:
    """Evaluate."""
    args = parse_args()
    truth, order = read_truth(args)
    with GalleryIndex.open(args.index) as index:
        records = index.records()
        if any(record.stay is not None for record in records):
            raise ConfigError(
                f'rows of the index {args.index} are sightings, which have the frame of a query in '
                'them: build it with --unit detection (eval_tracks.py evaluates sightings)'
            )
        found = [recognise(record, truth) for record in records]
        moments = np.array([order.get(place_of(record), _ELSEWHERE) for record in records])
        if args.annotated_boxes:
            embedder = embedder_of_index(args.index, **model_options(args))
            people, times, features = annotated_people(truth, order, embedder)
        else:
            people, times = found, moments.tolist()
            features = index.embeddings(index.rows())
        seen = frames_of(found, moments.tolist())
        queries = [
            n
            for n, (who, time) in enumerate(zip(people, times))
            if who in seen and (np.abs(seen[who] - time) >= args.min_gap).any()
        ]
        if not queries:
            raise ConfigError('nobody in the annotations is in the index at another time')
        chosen = np.random.default_rng(args.seed).permutation(queries)[: args.num or None]
        right = np.zeros(2, int)
        places = {row: place for place, row in enumerate(index.rows().tolist())}
        for number in chosen.tolist():
            hits = rank_people(index, features[number], len(index), unit='frame')
            ranked = [places[hit.row] for hit in hits]
            away = [n for n in ranked if abs(moments[n] - times[number]) >= args.min_gap]
            right += first_are_right([found[n].person for n in away], people[number].person)
    known = sum(who.person >= 0 for who in found)
    print(f'{counted(len(records), "person")} in the index, {known} known')
    queries, gap = counted(len(chosen), 'query'), counted(args.min_gap, 'frame')
    for count, where in zip(right.tolist(), ('', ' among those who are annotated')):
        print(
            f'the right person is first{where} for {count} of {queries} '
            f'({100 * count / len(chosen):.1f} %), at least {gap} away'
        )


if __name__ == '__main__':
    run_tool(main)
