"""Search for a person in an index built by tools/build_gallery.py."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import check_writable
from mmclsa.utils.trust import add_trust_option


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('index', metavar='INDEX_DIR', help='folder of the index')
    parser.add_argument('--query', nargs='+', metavar='IMAGE', help='images of one person')
    parser.add_argument(
        '--row', nargs='+', type=int, metavar='N',
        help='or search from hits of an earlier search, by their rows; needs no model',
    )  # fmt: skip
    parser.add_argument(
        '--box',
        nargs=4,
        type=float,
        action='append',
        metavar=('X1', 'Y1', 'X2', 'Y2'),
        help='box of the person, in pixels of the upright image; once per image',
    )
    parser.add_argument(
        '--person',
        type=int,
        action='append',
        metavar='K',
        help='or the number of the person among those detected, from 1; once per image',
    )
    parser.add_argument('--topk', type=int, default=10, help='number of results (default: 10)')
    parser.add_argument('--camera', nargs='+', metavar='NAME', help='search these cameras only')
    parser.add_argument(
        '--from',
        dest='time_from',
        metavar='T',
        help='earliest time: seconds, h:mm:ss, or 2024-05-06T07:08:09 (UTC)',
    )
    parser.add_argument('--to', dest='time_to', metavar='T', help='latest time')
    parser.add_argument(
        '--rerank', action='store_true', help='re-rank the best results (k-reciprocal)'
    )
    parser.add_argument(
        '--unit', choices=('sighting', 'frame'), default='sighting',
        help='what a result is: a person seen for a while, or every row (default: sighting)',
    )  # fmt: skip
    parser.add_argument(
        '--group-by-track', action='store_true', help='the same as --unit sighting, the default'
    )
    parser.add_argument(
        '--min-probability', type=float, metavar='P',
        help='leave out who is less probably the same person, 0 to 1',
    )  # fmt: skip
    parser.add_argument(
        '--confirm', nargs='+', type=int, default=[], metavar='ROW',
        help='rows of an earlier search that are the right person',
    )  # fmt: skip
    parser.add_argument(
        '--reject', nargs='+', type=int, default=[], metavar='ROW', help='rows that are others'
    )
    parser.add_argument(
        '--keep-days', type=float, metavar='N',
        help='before searching, delete for good from the index who was last seen N days ago',
    )  # fmt: skip
    parser.add_argument('--out-dir', metavar='DIR', help='save results.json and images')
    parser.add_argument(
        '--no-scenes', action='store_true',
        help='with --out-dir: write the crops that the index keeps, and open no footage',
    )  # fmt: skip
    parser.add_argument('--config', help='override the config stored in the index')
    add_cfg_options(parser, '--config')
    parser.add_argument('--checkpoint', help='override the checkpoint named in the index')
    parser.add_argument(
        '--onnx',
        metavar='DIR',
        help='use a model exported by tools/deployment/export_onnx.py instead, which needs neither '
        'PyTorch nor OpenMMLab',
    )
    add_trust_option(parser)
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.gallery import GalleryIndex, SearchFilter, forget_older_than
from mmclsa.inference import (
    GalleryHits,
    choose_queries,
    describe_people,
    embedder_of_index,
    search,
    search_filter,
    search_from_rows,
)
from mmclsa.inference.searching import check_search
from mmclsa.media import Picture
from mmclsa.structures import FoundPeople


def ask(picture: Picture, people: FoundPeople) -> int | None:
    """Ask on the terminal which person is meant; None where nobody can answer."""
    if not sys.stdin.isatty():
        return None
    print(f'{picture.source}: {describe_people(people)}')
    while True:
        answer = input(f'Which person (1-{len(people.scores)})? ').strip()
        if answer.isdigit() and 1 <= int(answer) <= len(people.scores):
            return int(answer)


def search_by_pictures(
    args: argparse.Namespace, index: GalleryIndex, where: SearchFilter, feedback: dict[str, Any]
) -> GalleryHits:
    """Search for who is in the query pictures."""
    embedder = embedder_of_index(
        args.index,
        args.config,
        args.checkpoint,
        args.device,
        trust_checkpoint=args.trust_checkpoint,
        cfg_options=args.cfg_options,
        onnx=args.onnx,
    )
    index.check_model(embedder.fingerprint)
    queries = choose_queries(embedder, args.query, args.box, args.person, ask)
    forget(args, index)
    return search(embedder, queries, index, args.topk, where, args.rerank, **feedback)


def forget(args: argparse.Namespace, index: GalleryIndex) -> None:
    """Delete who is not to be kept: last, as a mistake in the command must delete nobody."""
    if args.keep_days is None:
        return
    with GalleryIndex.open(args.index, writable=True) as writable:
        print(f'{args.index}: {forget_older_than(writable, args.keep_days)}')
    index.refresh()


def main() -> None:
    """Search."""
    args = parse_args()
    if args.box and args.person:
        raise ConfigError('either --box or --person may be given, not both')
    if bool(args.query) == bool(args.row):
        raise ConfigError('either --query or --row must be given, and not both')
    if args.row and (args.box or args.person):
        raise ConfigError('--box and --person say who is meant in a picture of --query, not --row')
    if args.group_by_track and args.unit == 'frame':
        raise ConfigError('--group-by-track and --unit frame contradict each other')
    if args.out_dir:
        check_writable(args.out_dir)
    feedback = dict(
        unit=args.unit,
        min_probability=args.min_probability,
        confirmed=args.confirm,
        rejected=args.reject,
    )
    # Before a model is loaded, so that what is wrong with the index is said at once.
    with GalleryIndex.open(args.index) as index:
        where = search_filter(index, args.camera, args.time_from, args.time_to)
        check_search(index, args.topk, args.min_probability, args.confirm, args.reject)
        if args.row:
            index.records(args.row)  # there must be such rows
            forget(args, index)
            result = search_from_rows(index, args.row, args.topk, where, args.rerank, **feedback)
        else:
            result = search_by_pictures(args, index, where, feedback)
    print(result.table())
    if result.calibration is not None:
        known = result.calibration
        print(
            f'Probabilities are learnt from {known.num_same} pairs of one person and '
            f'{known.num_different} of two.'
            + ('' if known.num_tracks is None else f' The former are of {known.num_tracks} tracks.')
        )
    if args.out_dir:
        result.save(args.out_dir, scenes=not args.no_scenes)


if __name__ == '__main__':
    run_tool(main)
