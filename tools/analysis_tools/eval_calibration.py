"""Measure whether probabilities of "the same person" are honest, on annotated footage.

Annotated boxes are described by the model, and annotated tracks are the sightings. Prints
how reliable the probabilities are that the footage teaches itself, how many people are found
while few absent ones seem to be (TPIR at FPIR), how well sightings are grouped into people,
and what confirming and rejecting hits is worth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.text import counted
from mmclsa.utils.trust import add_trust_option


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its weights, or "none"')
    parser.add_argument(
        '--coco', nargs=2, action='append', default=[], metavar=('JSON', 'IMAGES'),
        help='footage: annotations with person_id and track_id, and the image folder',
    )  # fmt: skip
    parser.add_argument(
        '--coco-fps', type=float, default=1.0, metavar='F',
        help='pictures a second of that footage (default: 1)',
    )  # fmt: skip
    parser.add_argument(
        '--mot', action='append', default=[], metavar='FOLDER',
        help='footage: a sequence in MOTChallenge layout',
    )  # fmt: skip
    parser.add_argument('--out-dir', metavar='DIR', help='save the reliability diagrams')
    add_cfg_options(parser, 'the config, such as model.reid.file=reid.onnx')
    add_trust_option(parser)
    parser.add_argument('--device', help='such as cpu or cuda:0')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np
from rich.progress import track
from terminaltables import AsciiTable

from mmclsa.datasets.file_names import find_files
from mmclsa.datasets.readers.coco import read_coco
from mmclsa.datasets.readers.mot import read_mot_sequence
from mmclsa.datasets.readers.mot_frames import read_seqinfo
from mmclsa.engine import load_config
from mmclsa.evaluation.calibration_study import (
    counts_of,
    group_sightings,
    open_set,
    pair_kinds,
    strangers,
)
from mmclsa.evaluation.functional import Calibration, fit_calibration
from mmclsa.evaluation.functional.calibration import METHODS
from mmclsa.evaluation.functional.reliability import Reliability, measure_reliability
from mmclsa.evaluation.looks import Looks, feedback_precision
from mmclsa.inference import PersonSearchInferencer
from mmclsa.media import VideoReader, read_picture
from mmclsa.structures import Scene
from mmclsa.visualization import draw_reliability, write_picture

_THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
_RATES = (0.01, 0.1)
_SEEN = (3, 5, 10)
_GAPS = (1.0, 2.0, 4.0, 8.0, 16.0)
_WEIGHTS = (None, 0.0, 0.25, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class Footage:
    """One camera's annotated footage.

    Attributes:
        name: Of its file.
        looks: Everybody who is annotated.
    """

    name: str
    looks: Looks


def coco_pictures(json: str, images: str) -> Iterator[tuple[np.ndarray, Scene]]:
    """Give the pictures of COCO annotations, BGR, with who is in them."""
    scenes = read_coco(json)
    files = find_files(images, [scene.image for scene in scenes])
    for scene in scenes:
        yield read_picture(Path(images, files.get(scene.image, scene.image))), scene


def mot_pictures(folder: str) -> Iterator[tuple[np.ndarray, Scene]]:
    """Give the pictures of a MOTChallenge sequence, BGR, with who is in them."""
    sequence = read_mot_sequence(folder)
    video = None if sequence.video is None else VideoReader(str(sequence.video))
    for number, scene in enumerate(sequence.scenes):
        if video is not None:
            yield video[number], scene
        else:
            yield read_picture(sequence.folder / 'img1' / Path(scene.image).name), scene


def describe(
    embedder: PersonSearchInferencer,
    pictures: Iterator[tuple[np.ndarray, Scene]],
    fps: float,
    name: str,
) -> Footage:
    """Describe everybody who is annotated."""
    parts = []
    for number, (picture, scene) in enumerate(track(pictures, description=name)):
        known = np.flatnonzero((scene.person_ids >= 0) & ~scene.ignore)
        if not len(known):
            continue
        ids = scene.person_ids if scene.track_ids is None else scene.track_ids
        vectors = embedder.embed_boxes(picture, scene.boxes[known])
        frames = np.full(len(known), number)
        parts.append(Looks(frames, frames / fps, scene.person_ids[known], ids[known], vectors))
    if not parts:
        raise DataError(f'{name} has no annotated people')
    columns = zip(*(vars(part).values() for part in parts))
    return Footage(name, Looks(*(np.concatenate(values) for values in columns)))


def read_all(args: argparse.Namespace) -> list[Footage]:
    """Read and describe all footage."""
    if not args.coco and not args.mot:
        raise ConfigError('--coco or --mot must be given')
    if not args.coco_fps > 0:
        raise ConfigError(f'--coco-fps must be above 0, but is {args.coco_fps}')
    embedder = PersonSearchInferencer(
        load_config(args.config, args.cfg_options),
        args.checkpoint,
        args.device,
        trust_checkpoint=args.trust_checkpoint,
    )
    found = [
        describe(embedder, coco_pictures(json, images), args.coco_fps, Path(json).parent.name)
        for json, images in args.coco
    ]
    for folder in args.mot:
        fps = float(read_seqinfo(Path(folder)).get('framerate', 25))
        found.append(describe(embedder, mot_pictures(folder), fps, Path(folder).name))
    return found


def reliability(looks: Looks) -> tuple[str, dict[str, Reliability]]:
    """Compare probabilities with the truth, as a table, and for a diagram."""
    rows = [['pairs', 'of one person', 'of two', 'learnt by', 'ECE', 'Brier', 'log loss']]
    curves: dict[str, Reliability] = {}
    for kind in pair_kinds(looks):
        if not kind.same.any():
            continue
        for method in METHODS:
            calibration = fit_calibration(kind.counts, method)
            if calibration is None:
                continue
            measured = measure_reliability(calibration.probability(kind.similarities), kind.same)
            figures = (measured.ece, measured.brier, measured.log_loss)
            sizes = [str(int(kind.same.sum())), str(int((~kind.same).sum()))]
            rows.append([kind.name, *sizes, method, *(f'{value:.3f}' for value in figures)])
            if kind.name == 'look and sighting':
                curves[method] = measured
    return str(AsciiTable(rows).table), curves


def gaps_table(looks: Looks) -> str:
    """Tell how honest probabilities are by how far apart looks at one person are."""
    rows = [['time between two looks', 'pairs', 'ECE', 'Brier', 'log loss']]
    rules = {f'{gap:g} s': dict(min_gap=gap, gap_share=0.0) for gap in _GAPS}
    kind = pair_kinds(looks)[0]
    for name, rule in {**rules, 'a third of the track, 1 s at least': {}}.items():
        counts = counts_of(looks, **rule)
        calibration = fit_calibration(counts)
        values = ['too few'] * 3
        if calibration is not None:
            measured = measure_reliability(calibration.probability(kind.similarities), kind.same)
            figures = (measured.ece, measured.brier, measured.log_loss)
            values = [f'{value:.3f}' for value in figures]
        rows.append([name, str(int(counts.same.sum())), *values])
    return str(AsciiTable(rows).table)


def open_set_table(looks: Looks) -> str:
    """Tell how many people are found while few absent ones seem to be."""
    rows = [['score', 'FPIR at most', 'FPIR', 'threshold', 'TPIR']]
    for normalised in (False, True):
        name = 'normalised' if normalised else 'cosine'
        for rate, point in zip(_RATES, open_set(looks, normalised, _RATES)):
            values = (point.fpir, point.threshold, point.tpir)
            rows.append([name, f'{rate:.2f}', *(f'{value:.3f}' for value in values)])
    return str(AsciiTable(rows).table)


def strangers_table(looks: Looks, others: Footage, calibration: Calibration) -> str:
    """Tell what people of another camera seem to be."""
    rows = [['score', *(f'best hit >= {limit}' for limit in _THRESHOLDS)]]
    for normalised in (False, True):
        found = strangers(looks, others.looks, calibration, normalised, _THRESHOLDS)
        name = 'normalised' if normalised else 'cosine'
        rows.append([name, *(f'{stranger.share:.3f}' for stranger in found)])
    return str(AsciiTable(rows).table)


def groups_table(looks: Looks, calibration: Calibration) -> str:
    """Tell how well sightings are grouped."""
    rows = [['two people in one frame', 'probability', 'groups', 'precision', 'recall', 'F']]
    for cannot in (True, False):
        name = 'never merged' if cannot else 'rule off'
        for one in group_sightings(looks, calibration, _THRESHOLDS, cannot):
            figures = (one.figures.precision, one.figures.recall, one.figures.f_score)
            shown = [f'{value:.3f}' for value in figures]
            rows.append([name, f'{one.probability:.2f}', str(one.num_groups), *shown])
    return str(AsciiTable(rows).table)


def feedback_table(looks: Looks) -> str:
    """Tell what confirming and rejecting is worth."""
    names = ['as before' if w is None else f'rejected x {w:g}' for w in _WEIGHTS]
    rows = [['hits judged', *names]]
    for seen in _SEEN:
        values = [feedback_precision(looks, seen, weight) for weight in _WEIGHTS]
        rows.append([str(seen), *(f'{100 * value:.1f}' for value in values)])
    return str(AsciiTable(rows).table)


def report(footage: Footage, others: Sequence[Footage], out_dir: str | None) -> None:
    """Print all of one footage."""
    looks = footage.looks
    counts = counts_of(looks)
    tracks, people = len(set(looks.tracks.tolist())), len(set(looks.people.tolist()))
    print(
        f'\n# {footage.name}: {counted(len(looks.frames), "look")}, {counted(tracks, "track")} of '
        f'{counted(people, "person")}; it knows '
        f'{counted(counts.same.sum(), "pair")} of one person and {counts.different.sum()} of two'
    )
    calibration = fit_calibration(counts)
    if calibration is None:
        raise DataError(f'{footage.name} has too few pairs to learn from')
    table, curves = reliability(looks)
    print(f'\nAre the probabilities honest?\n{table}')
    print(f'\nHow far apart must looks at one person be?\n{gaps_table(looks)}')
    print(f'\nSearching with the person there and without:\n{open_set_table(looks)}')
    for other in others:
        table_of = strangers_table(looks, other, calibration)
        print(f'\nShare of looks of {other.name} that seem to be found:\n{table_of}')
    print(f'\nSightings grouped into people (B-cubed):\n{groups_table(looks, calibration)}')
    print(f'\nmAP of the rest after hits were confirmed or rejected:\n{feedback_table(looks)}')
    if out_dir is not None:
        picture = draw_reliability(curves, footage.name)
        print(write_picture(Path(out_dir) / f'reliability_{footage.name}.png', picture))


def main() -> None:
    """Measure."""
    args = parse_args()
    footage = read_all(args)
    for one in footage:
        report(one, [other for other in footage if other is not one], args.out_dir)


if __name__ == '__main__':
    run_tool(main)
