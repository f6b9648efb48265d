"""Compare trackers side by side on annotated footage, and what their sightings are good for.

Detections and embeddings are those of a build: each image goes through the network
once, and --cache keeps what came out. Each tracker links them, at the footage's own
rate and with only every N-th frame, and is scored by IDF1; detections of people whom
the annotation ignores are left out.

Then, how often the right person is first: every detection of an annotated person is
a query, and the footage without the frames near it (--min-gap), or without its own
annotated track (--other-tracks), is the gallery. There the rows are detections, or
sightings whose embeddings are averaged by several weights.

A sighting is whom its best detection shows; in the last column, whom at least a third do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.choices import given_checkpoint
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.trust import add_trust_option

NAMES = ('alone', 'overlap', 'bytetrack', 'mmclsa')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    add_cfg_options(parser)
    parser.add_argument('checkpoint', help='trained weights; "none" for those the config names')
    parser.add_argument(
        '--mot', nargs='+', default=[], metavar='FOLDER', help='sequences in MOTChallenge layout'
    )
    parser.add_argument(
        '--coco', nargs=2, metavar=('JSON', 'IMAGES'), help='annotations and image folder'
    )
    parser.add_argument(
        '--fps', type=float, metavar='F', help='images a second (default: by seqinfo.ini, else 25)'
    )
    parser.add_argument(
        '--every', type=int, nargs='+', default=[1], metavar='N', help='use every N-th frame'
    )
    parser.add_argument(
        '--trackers', nargs='+', choices=NAMES, default=['alone', 'overlap', 'mmclsa'],
        help='alone: each detection is a track; overlap: overlap and similarity with the last '
        'frame, as mmclsa 1.0 linked; bytetrack: of MMDetection, on its own thresholds',
    )  # fmt: skip
    parser.add_argument('--det-thresh', type=float, default=0.5, help='detection threshold')
    parser.add_argument(
        '--min-gap', type=int, default=5, metavar='N', help='frames between query and result'
    )
    parser.add_argument(
        '--other-tracks', action='store_true', help='leave out the track of the query instead'
    )
    parser.add_argument('--cache', metavar='FOLDER', help='keep detections there, and use them')
    parser.add_argument('--json', metavar='FILE', help='write the figures to this file')
    add_trust_option(parser)
    parser.add_argument('--device', help='such as cpu or cuda:0')
    args = parser.parse_args()
    if not (args.mot or args.coco):
        parser.error('give --mot or --coco')
    return args


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from terminaltables import AsciiTable

from mmclsa.datasets.file_names import find_files
from mmclsa.datasets.readers.coco import read_coco
from mmclsa.datasets.readers.mot import read_mot_sequence
from mmclsa.datasets.readers.mot_frames import read_seqinfo
from mmclsa.engine import load_config
from mmclsa.evaluation.functional import IdentityScore, idf1
from mmclsa.evaluation.functional.geometry import pairwise_iou
from mmclsa.gallery.building import Tracker
from mmclsa.gallery.building.quality import detection_quality
from mmclsa.gallery.building.sightings import fuse_embeddings
from mmclsa.inference import PersonSearchInferencer
from mmclsa.media import VideoReader, read_picture
from mmclsa.structures import FoundPeople, Scene
from mmclsa.utils.io import atomic_write, write_json

_MIN_IOU = 0.5
_LOW = 0.1  # ByteTrack also uses uncertain detections
_FPS = 25.0


@dataclass(frozen=True, eq=False)
class Footage:
    """What was found in a video, and who is there (``true_...``): a row of each array a box."""

    looked_at: np.ndarray
    fps: np.ndarray
    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    quality: np.ndarray
    true_frames: np.ndarray
    true_boxes: np.ndarray
    true_people: np.ndarray
    true_tracks: np.ndarray
    ignore: np.ndarray

    def part(self, every: int, det_thresh: float) -> Footage:
        """Take every N-th frame, and the certain detections alone."""
        seen = (self.frames % every == 0) & (self.scores >= det_thresh)
        there = self.true_frames % every == 0
        kept = {
            item.name: getattr(self, item.name)[there]
            if item.name in ('ignore',) or item.name.startswith('true')
            else getattr(self, item.name)[seen]
            for item in fields(self)
            if item.name not in ('looked_at', 'fps')
        }
        return Footage(self.looked_at[self.looked_at % every == 0], self.fps, **kept)


def read_sequences(args: argparse.Namespace) -> Iterator[tuple[str, float, list[Scene], Iterator]]:
    """List name, rate, annotated scenes and pictures of each footage."""
    for folder in args.mot:
        sequence = read_mot_sequence(folder)
        rate = args.fps or float(read_seqinfo(Path(folder)).get('framerate', _FPS))
        paths = [sequence.folder / 'img1' / Path(scene.image).name for scene in sequence.scenes]
        pictures = (
            (read_picture(path) for path in paths)
            if sequence.video is None
            else (picture for _, picture in VideoReader(sequence.video).read())
        )
        yield sequence.name, rate, sequence.scenes, pictures
    if args.coco:
        scenes = read_coco(args.coco[0])
        names = [scene.image for scene in scenes]
        files = find_files(args.coco[1], names)
        pictures = (read_picture(Path(args.coco[1], files.get(n, n))) for n in names)
        yield Path(args.coco[1]).resolve().parent.name, args.fps or _FPS, scenes, pictures


def find_people(
    inferencer: PersonSearchInferencer, fps: float, scenes: Sequence[Scene], pictures: Iterator
) -> Footage:
    """Send every picture through the network."""
    rows: dict[str, list[np.ndarray]] = {item.name: [] for item in fields(Footage)}
    for number, (scene, picture) in enumerate(zip(scenes, pictures)):
        (found,) = inferencer.find_people([inferencer.prepare(picture)])
        tracks = scene.person_ids if scene.track_ids is None else scene.track_ids
        quality = detection_quality(found.boxes, found.scores, picture.shape[:2])
        for name, array in dict(
            frames=np.full(len(found.scores), number), boxes=found.boxes, scores=found.scores,
            embeddings=found.embeddings, quality=quality, true_frames=np.full(len(tracks), number),
            true_boxes=scene.boxes, true_people=scene.person_ids, true_tracks=tracks,
            ignore=scene.ignore | (scene.person_ids < 0),
        ).items():  # fmt: skip
            if len(array):
                rows[name].append(array)
    if not rows['frames']:
        raise ConfigError('nobody was found in the footage')
    joined = {name: np.concatenate(parts) for name, parts in rows.items() if parts}
    return Footage(looked_at=np.arange(len(scenes)), fps=np.array(fps), **joined)


def load_footage(args: argparse.Namespace) -> dict[str, Footage]:
    """Read what was found from the cache, or find it."""
    inferencer = None
    footage = {}
    for name, fps, scenes, pictures in read_sequences(args):
        cached = Path(args.cache, f'{name}.npz') if args.cache else None
        if cached is not None and cached.exists():
            with np.load(cached, allow_pickle=False) as arrays:
                footage[name] = Footage(**arrays)
            continue
        inferencer = inferencer or PersonSearchInferencer(
            load_config(args.config, args.cfg_options),
            given_checkpoint(args.checkpoint),
            args.device,
            _LOW,
            trust_checkpoint=args.trust_checkpoint,
        )
        footage[name] = find_people(inferencer, fps, scenes, pictures)
        if cached is not None:
            with atomic_write(cached) as temporary, temporary.open('wb') as file:
                np.savez(file, **vars(footage[name]))
    return footage


def link_mmclsa(footage: Footage) -> np.ndarray:
    """Link as a build does."""
    tracker = Tracker()
    tracks = np.full(len(footage.frames), -1)
    for number, frame in enumerate(footage.looked_at.tolist()):
        rows = np.flatnonzero(footage.frames == frame)
        people = FoundPeople(footage.boxes[rows], footage.scores[rows], footage.embeddings[rows])
        tracks[rows] = tracker.step(number, frame / float(footage.fps), people)
    return tracks


def link_overlap(footage: Footage) -> np.ndarray:
    """Link by overlap and similarity with a track's last detection, missed twice at most."""
    from scipy.optimize import linear_sum_assignment

    tracks = np.full(len(footage.frames), -1)
    last: dict[int, tuple[int, int]] = {}  # track -> (row of its last detection, its step)
    for step, frame in enumerate(footage.looked_at.tolist()):
        rows = np.flatnonzero(footage.frames == frame)
        last = {track: seen for track, seen in last.items() if step - seen[1] <= 3}
        alive = list(last)
        before = np.array([last[track][0] for track in alive], int)
        overlap = pairwise_iou(footage.boxes[before], footage.boxes[rows])
        similarity = footage.embeddings[before] @ footage.embeddings[rows].T
        allowed = (overlap >= 0.1) & (similarity >= 0.5)
        cost = np.where(allowed, -(overlap + similarity), 1e3)
        for i, j in zip(*linear_sum_assignment(cost)):
            if allowed[i, j]:
                tracks[rows[j]] = alive[i]
        for row in rows.tolist():
            tracks[row] = tracks.max() + 1 if tracks[row] < 0 else tracks[row]
            last[int(tracks[row])] = (row, step)
    return tracks


def link_bytetrack(footage: Footage) -> np.ndarray:
    """Link by MMDetection's ByteTracker; -1 for whom it does not confirm."""
    from mmdet.models.trackers import ByteTracker, byte_tracker

    byte_tracker.lap = SimpleNamespace(lapjv=_assign)  # is not installed with MMDetection
    tracker = ByteTracker(motion=dict(type='mmdet.KalmanFilter'), num_frames_retain=30)
    tracks = np.full(len(footage.frames), -1)
    for number, frame in enumerate(footage.looked_at.tolist()):
        rows = np.flatnonzero(footage.frames == frame)
        sample = DetDataSample(metainfo=dict(frame_id=number))
        sample.pred_instances = InstanceData(
            bboxes=torch.from_numpy(footage.boxes[rows]),
            scores=torch.from_numpy(footage.scores[rows]),
            labels=torch.zeros(len(rows), dtype=torch.long),
        )
        linked = tracker.track(sample)
        for box, track in zip(linked.bboxes.numpy(), linked.instances_id.tolist()):
            tracks[rows[np.abs(footage.boxes[rows] - box).sum(1).argmin()]] = track
    return tracks


def _assign(cost: np.ndarray, cost_limit: float, **_: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """Assign as ``lap.lapjv`` does with ``extend_cost``: pairs above the limit stay alone."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = cost.shape
    extended = np.full((rows + columns,) * 2, cost_limit / 2)
    extended[:rows, :columns] = cost
    extended[rows:, columns:] = 0
    partners = linear_sum_assignment(extended)[1]
    of_row = np.where(partners[:rows] < columns, partners[:rows], -1)
    of_column = np.full(columns, -1)
    of_column[of_row[of_row >= 0]] = np.flatnonzero(of_row >= 0)
    return 0.0, of_row, of_column


TRACKERS: dict[str, Callable[[Footage], np.ndarray]] = {
    'alone': lambda footage: np.arange(len(footage.frames)),
    'overlap': link_overlap,
    'bytetrack': link_bytetrack,
    'mmclsa': link_mmclsa,
}


def recognise(footage: Footage) -> tuple[np.ndarray, np.ndarray]:
    """Say which annotated box each detection is, -1 for none, and whether it is ignored."""
    boxes = np.full(len(footage.frames), -1)
    ignored = np.zeros(len(footage.frames), bool)
    for frame in footage.looked_at.tolist():
        rows = np.flatnonzero(footage.frames == frame)
        there = np.flatnonzero(footage.true_frames == frame)
        if not (len(rows) and len(there)):
            continue
        overlap = pairwise_iou(footage.boxes[rows], footage.true_boxes[there])
        known = np.where(footage.ignore[there], 0, overlap)
        boxes[rows] = np.where(known.max(1) >= _MIN_IOU, there[known.argmax(1)], -1)
        ignored[rows] = (overlap.max(1) >= _MIN_IOU) & (boxes[rows] < 0)
    return boxes, ignored


def score_tracks(footage: Footage, tracks: np.ndarray) -> IdentityScore:
    """Score linked detections."""
    kept = (tracks >= 0) & ~recognise(footage)[1]
    people = ~footage.ignore
    return idf1(
        footage.true_frames[people],
        footage.true_tracks[people],
        footage.true_boxes[people],
        footage.frames[kept],
        tracks[kept],
        footage.boxes[kept],
    )


WEIGHTS: dict[str, Callable[[Footage], np.ndarray]] = {
    'equal': lambda footage: np.ones(len(footage.scores)),
    'score': lambda footage: footage.scores.astype(float),
    'quality': lambda footage: footage.quality,
}
SHOWN = 'quality, a third'
COLUMNS = ('detections', *WEIGHTS, SHOWN)
Galleries = dict[str, tuple[np.ndarray, Sequence[Sequence[int]]]]


def right_first(
    footage: Footage, tracks: np.ndarray, args: argparse.Namespace
) -> dict[str, tuple[int, int]]:
    """Count queries whose best hit is the same person, and all, by what the rows are."""
    known, ignored = recognise(footage)
    person = np.where(known >= 0, footage.true_people[known], -1)
    counts = {name: [0, 0] for name in COLUMNS}
    galleries: dict[int, Galleries] = {}
    for query in np.flatnonzero((known >= 0) & ~ignored).tolist():
        own = int(footage.true_tracks[known[query]])
        key = own if args.other_tracks else int(footage.frames[query])
        if args.other_tracks:
            near = footage.true_frames[footage.true_tracks == own]
            rows = np.flatnonzero(~np.isin(footage.frames, near))
        else:
            rows = np.flatnonzero(np.abs(footage.frames - key) >= args.min_gap)
        if person[query] not in person[rows]:
            continue
        if key not in galleries:
            galleries[key] = make_galleries(footage, tracks, rows, person)
        for name, (embeddings, people) in galleries[key].items():
            first = int((embeddings @ footage.embeddings[query]).argmax())
            counts[name][0] += int(person[query] in people[first])
            counts[name][1] += 1
    return {name: (right, total) for name, (right, total) in counts.items()}


def make_galleries(
    footage: Footage, tracks: np.ndarray, rows: np.ndarray, person: np.ndarray
) -> Galleries:
    """Make rows of detections: embeddings, and who they are."""
    galleries: Galleries = {'detections': (footage.embeddings[rows], [[p] for p in person[rows]])}
    parts = [rows[tracks[rows] == track] for track in np.unique(tracks[rows]).tolist()]
    best = [[person[part[footage.quality[part].argmax()]]] for part in parts]
    for name, weigh in WEIGHTS.items():
        weights = weigh(footage)
        vectors = [fuse_embeddings(footage.embeddings[part], weights[part]) for part in parts]
        galleries[name] = (np.stack(vectors), best)
    shown = [
        [who for who in person[part] if (person[part] == who).mean() >= 1 / 3] for part in parts
    ]
    galleries[SHOWN] = (galleries['quality'][0], shown)
    return galleries


def main() -> None:
    """Compare."""
    args = parse_args()
    footage = load_footage(args)
    figures: dict[str, Any] = {}
    table = [['', 'every', *args.trackers, 'tracks, detections']]
    first = [['right first', 'every', 'queries', *COLUMNS]]
    totals = dict.fromkeys(args.trackers, IdentityScore())
    for name, whole in footage.items():
        for every in args.every:
            certain = whole.part(every, args.det_thresh)
            scores = {}
            for tracker in args.trackers:
                seen = whole.part(every, _LOW) if tracker == 'bytetrack' else certain
                scores[tracker] = score_tracks(seen, TRACKERS[tracker](seen))
                totals[tracker] += scores[tracker]
            tracks = link_mmclsa(certain)
            right = right_first(certain, tracks, args)
            size = f'{tracks.max(initial=-1) + 1}, {len(tracks)}'
            table.append([name, every, *(f'{100 * s.idf1:.1f}' for s in scores.values()), size])
            parts = [f'{100 * n / max(total, 1):.1f}' for n, total in right.values()]
            first.append([name, every, right['detections'][1], *parts])
            figures[f'{name}, every {every}'] = dict(
                idf1={key: score.idf1 for key, score in scores.items()}, right_first=right
            )
    if len(table) > 2:
        table.append(['all', '', *(f'{100 * s.idf1:.1f}' for s in totals.values()), ''])
    print(AsciiTable(table, 'IDF1').table)
    print(AsciiTable(first).table)
    if args.json:
        write_json(args.json, figures, indent=1)


if __name__ == '__main__':
    run_tool(main)
