"""Evaluate anybody's detections and embeddings, without a model."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmclsa.datasets.readers.coco import coco_protocol, read_coco
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols, read_cuhk_sysu
from mmclsa.datasets.readers.prw import prw_protocols, read_prw
from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import (
    DetectionResult,
    SearchFlags,
    evaluate_detection,
    evaluate_search,
)
from mmclsa.evaluation.report import format_results, results_to_json
from mmclsa.structures import Predictions, Scene, SearchProtocol
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import atomic_write


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', help='predictions.npz; docs/evaluation.md has the format')
    parser.add_argument('--dataset', choices=('cuhk_sysu', 'prw', 'coco'), required=True)
    parser.add_argument('--data-root', required=True, help='folder of the data set')
    parser.add_argument(
        '--protocol',
        nargs='+',
        metavar='NAME_OR_FILE',
        help='gallery_50 ... gallery_4000, full, occlusion, resolution (default: every file '
        'there); regular, multi_view (default: both); for coco a file (default: protocol.json)',
    )
    parser.add_argument(
        '--ann-file', default='annotations.json', help='for coco, below the data root'
    )
    parser.add_argument('--cbgm', action='store_true', help='context bipartite graph matching')
    parser.add_argument('--det-thresh', type=float, default=0.5, help='score to be searched')
    parser.add_argument('--out', metavar='OUT.json', help='write the figures there')
    return parser.parse_args()


def load(args: argparse.Namespace) -> tuple[list[Scene], list[SearchProtocol]]:
    """Read the annotated scenes and the protocols."""
    root = Path(args.data_root)
    if not root.is_dir():
        raise ConfigError(f'--data-root must be a folder, but {root} is none')
    if args.dataset == 'cuhk_sysu':
        return read_cuhk_sysu(root, 'test'), cuhk_sysu_protocols(root, args.protocol)
    if args.dataset == 'prw':
        scenes = read_prw(root, 'test')
        return scenes, prw_protocols(root, args.protocol, scenes)
    scenes = read_coco(root / args.ann_file)
    files = [root / name for name in args.protocol or ['protocol.json']]
    return scenes, [coco_protocol(file, scenes) for file in files]


def detection_figures(
    scenes: Sequence[Scene], predictions: Predictions
) -> tuple[DetectionResult, float]:
    """Compute detection recall and AP, and the recall of people with identity."""
    order = np.argsort(predictions.images, kind='stable')
    names = predictions.images[order]
    places = [
        np.searchsorted(names, s.image, side=side) for s in scenes for side in ('left', 'right')
    ]
    found = []
    for start, stop in zip(places[::2], places[1::2]):
        rows = order[start:stop]
        found.append((predictions.boxes[rows], predictions.scores[rows]))
    labelled = evaluate_detection(scenes, found, labelled_only=True)
    return evaluate_detection(scenes, found), labelled.recall


def main() -> None:
    """Evaluate and print."""
    args = parse_args()
    predictions = Predictions.load(args.predictions)
    scenes, protocols = load(args)
    flags = SearchFlags(det_thresh=args.det_thresh, cbgm=args.cbgm)
    results = [evaluate_search(protocol, predictions, flags) for protocol in protocols]
    detection, labelled_recall = detection_figures(scenes, predictions)
    print(format_results(results, detection))
    if args.out:
        report = results_to_json(results, detection, labelled_recall)
        with atomic_write(args.out) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
