"""Evaluate the detections and embeddings of any model."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import PRESETS
from mmclsa.evaluation.functional.flags import CHOICES
from mmclsa.structures import Predictions, Scene, SearchProtocol
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import write_json

Loaded = tuple[list[Scene], list[SearchProtocol]]


# The readers that these call are imported when the command line has been read.
def load_cuhk_sysu(root: Path, args: argparse.Namespace) -> Loaded:
    """Read CUHK-SYSU's test scenes and tasks."""
    return read_cuhk_sysu(root, 'test'), cuhk_sysu_protocols(root, args.protocol)


def load_prw(root: Path, args: argparse.Namespace) -> Loaded:
    """Read PRW's test scenes and tasks."""
    scenes = read_prw(root, 'test')
    return scenes, prw_protocols(root, args.protocol, scenes)


def load_coco(root: Path, args: argparse.Namespace) -> Loaded:
    """Read COCO annotations and protocol files."""
    content = read_coco_alone(root / args.ann_file)
    files = [root / name for name in args.protocol or ['protocol.json']]
    return content.scenes, [coco_protocol(f, content.scenes, content.people) for f in files]


def load_movienet_ps(root: Path, args: argparse.Namespace) -> Loaded:
    """Read MovieNet-PS's test scenes and tasks."""
    scenes = read_movienet(root, 'test', names=args.protocol)
    return scenes, movienet_protocols(root, args.protocol)


def load_posetrack21(root: Path, args: argparse.Namespace) -> Loaded:
    """Read PoseTrack21's test scenes and its one task."""
    if args.protocol not in (None, ['val']):
        raise ConfigError(f'--protocol of posetrack21 must be val, but is {args.protocol}')
    scenes = read_posetrack21(root, 'test')
    return scenes, [posetrack21_protocol(root, scenes)]


#: How each data set is read; a new one is a line here.
LOADERS: Mapping[str, Callable[[Path, argparse.Namespace], Loaded]] = {
    'cuhk_sysu': load_cuhk_sysu,
    'prw': load_prw,
    'movienet_ps': load_movienet_ps,
    'posetrack21': load_posetrack21,
    'coco': load_coco,
}


#: Options that become a flag of SearchFlags where they are given.
FLAGS: Mapping[str, Mapping[str, Any]] = {
    '--iou-rule': dict(choices=CHOICES['iou_rule'], help='rule for the IoU threshold of a match'),
    '--max-iou-thresh': dict(
        type=float, metavar='IOU', help='largest IoU threshold of either rule'
    ),
    '--duplicates': dict(
        choices=CHOICES['duplicates'], help='how to count gallery images listed twice'
    ),
    '--camera': dict(choices=CHOICES['camera'], help='cameras to search'),
    '--query-feature': dict(
        choices=CHOICES['query_feature'],
        help='embedding of the query box, or of the detection that matches it',
    ),
    '--missing-query': dict(
        choices=CHOICES['missing_query'], help='how to count queries without matches'
    ),
    '--similarity': dict(choices=CHOICES['similarity'], help='similarity of embeddings'),
    '--cbgm': dict(action='store_true', help='context bipartite graph matching'),
    '--k1': dict(
        type=int, metavar='N', help='CBGM: number of detections whose images are re-scored'
    ),
    '--k2': dict(
        type=int, metavar='N', help='CBGM: number of people around the query, including the query'
    ),
    '--cbgm-value': dict(
        choices=CHOICES['cbgm_value'], help='CBGM: new similarity of the matched detection'
    ),
    '--expand': dict(type=int, metavar='N', help='alpha query expansion by N detections'),
    '--expand-alpha': dict(type=float, metavar='POWER', help='power of the similarity'),
    '--rerank': dict(action='store_true', help='k-reciprocal re-ranking'),
    '--rerank-depth': dict(type=int, metavar='N', help='number of detections to re-rank'),
    '--rerank-k1': dict(type=int, metavar='N', help='number of neighbours that must be mutual'),
    '--rerank-k2': dict(type=int, metavar='N', help='number of neighbours to average over'),
    '--rerank-weight': dict(type=float, metavar='W', help='weight of the original distance'),
}


def add_flags(group: Any) -> None:
    """Add the options that change figures; those not given stay out of the namespace."""
    group.add_argument(
        '--preset',
        choices=tuple(PRESETS),
        default='seqnet',
        help='use the flags of this repository',
    )
    group.add_argument(
        '--det-thresh', type=float, nargs='+', help='detection thresholds for the search'
    )
    group.add_argument(
        '--detection-thresh', type=float, help='detection threshold for detection recall and AP'
    )
    for option, settings in FLAGS.items():
        group.add_argument(option, default=argparse.SUPPRESS, **settings)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', help='predictions.npz; docs/evaluation.md has the format')
    parser.add_argument('--dataset', choices=tuple(LOADERS), required=True)
    parser.add_argument('--data-root', required=True, help='folder of the data set')
    parser.add_argument(
        '--protocol',
        nargs='+',
        metavar='NAME_OR_FILE',
        help='gallery_50 ... gallery_4000, full, occlusion, resolution (default: all whose '
        'files exist); regular, multi_view (default: both), prw_mini; gallery_2000, gallery_4000, '
        'gallery_10000 (default: all whose files exist); val; for coco, protocol files (default: '
        'protocol.json)',
    )
    parser.add_argument(
        '--ann-file', default='annotations.json', help='for coco, relative to the data root'
    )
    parser.add_argument('--device', default='cpu', help='cpu (NumPy), cuda, cuda:1, ...')
    parser.add_argument(
        '--upper-bound',
        action='store_true',
        help='also search among ground-truth boxes (needs gt_* in the predictions)',
    )
    parser.add_argument(
        '--by-height', action='store_true', help='also print metrics by height of the match'
    )
    parser.add_argument('--out', metavar='OUT.json', help='save the metrics')
    add_flags(parser.add_argument_group('flags', 'defaults are those of the preset'))
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.datasets.readers.coco import coco_protocol, read_coco_alone
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols, read_cuhk_sysu
from mmclsa.datasets.readers.movienet import movienet_protocols, read_movienet
from mmclsa.datasets.readers.posetrack21 import posetrack21_protocol, read_posetrack21
from mmclsa.datasets.readers.prw import prw_protocols, read_prw
from mmclsa.evaluation.device import product_on
from mmclsa.evaluation.functional import (
    DetectionResult,
    SearchFlags,
    SearchResult,
    by_height,
    by_height_ratio,
    detections_of_scenes,
    evaluate_detection,
    evaluate_searches,
    flags_for_thresholds,
    note_of_strangers,
)
from mmclsa.evaluation.report import (
    format_results,
    format_strata,
    result_names,
    results_to_json,
    strata_to_json,
)


def flags_of(args: argparse.Namespace) -> list[SearchFlags]:
    """Make the flags, one for each detection threshold."""
    changes = {
        name: value for name, value in vars(args).items() if f'--{name.replace("_", "-")}' in FLAGS
    }
    return flags_for_thresholds(args.preset, args.dataset, args.det_thresh, changes)


def load(args: argparse.Namespace) -> Loaded:
    """Read the annotated scenes and the protocols."""
    root = Path(args.data_root)
    if not root.is_dir():
        raise ConfigError(f'--data-root must be a folder, but {root} is none')
    return LOADERS[args.dataset](root, args)


def detection_figures(
    scenes: Sequence[Scene], predictions: Predictions, thresh: float
) -> tuple[DetectionResult, float]:
    """Compute detection recall and AP, and the recall of people with identity."""
    found = detections_of_scenes(scenes, predictions)
    labelled = evaluate_detection(scenes, found, thresh, labelled_only=True)
    return evaluate_detection(scenes, found, thresh), labelled.recall


def search(
    args: argparse.Namespace, protocols: Sequence[SearchProtocol], predictions: Predictions
) -> tuple[list[SearchResult], list[SearchProtocol]]:
    """Search with every threshold, and among the ground truth where that is asked for."""
    make_product = product_on(args.device)
    results: list[SearchResult] = []
    tasks: list[SearchProtocol] = []
    for flags in flags_of(args):
        results += evaluate_searches(protocols, predictions, flags, make_product=make_product)
        tasks += protocols
    if args.upper_bound:
        bound = predictions.with_truth_boxes()
        for result in evaluate_searches(protocols, bound, flags_of(args)[0]):
            results.append(result.renamed(f'{result.name}_gt_boxes'))
        tasks += protocols
    return results, tasks


def main() -> None:
    """Evaluate and print."""
    args = parse_args()
    predictions = Predictions.load(args.predictions)
    scenes, protocols = load(args)
    results, tasks = search(args, protocols, predictions)
    # After the search, which tells of queries of another data set.
    strangers = note_of_strangers(scenes, predictions)
    thresh = args.detection_thresh
    if thresh is None:
        thresh = PRESETS[args.preset].detection_thresh
    detection, labelled_recall = detection_figures(scenes, predictions, thresh)
    print(format_results(results, detection))
    if strangers:
        print(f'note: {strangers}')
    tasks = [task.with_camera_rule(r.flags.camera) for task, r in zip(tasks, results)]
    names = result_names(results)
    heights = {n: by_height(r, t) for n, r, t in zip(names, results, tasks)}
    ratios = {n: by_height_ratio(r, t) for n, r, t in zip(names, results, tasks)}
    if args.by_height:
        print(format_strata('by height of the match, pixels', heights))
        print(format_strata('by height of the query over that of the match', ratios))
    if args.out:
        report = results_to_json(results, detection, labelled_recall)
        report['detection']['score_thresh'] = thresh
        report['detection']['notes'] = [strangers] if strangers else []
        for name in names:
            report[name]['by_height'] = strata_to_json(heights[name])
            report[name]['by_height_ratio'] = strata_to_json(ratios[name])
        write_json(args.out, report, indent=2)


if __name__ == '__main__':
    run_tool(main)
