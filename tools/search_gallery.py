"""Search for a person in an index built by tools/build_gallery.py."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.gallery_options import LIMIT_NAMES, add_shared_options, model_options
from mmclsa.utils.io import check_writable
from mmclsa.utils.text import counted
from mmclsa.utils.trust import add_trust_option


def add_query_options(parser: argparse.ArgumentParser) -> None:
    """Add who is looked for."""
    parser.add_argument('--query', nargs='+', metavar='IMAGE', help='images of one person')
    parser.add_argument(
        '--row', nargs='+', type=int, metavar='N',
        help='or search from hits of an earlier search, by their rows; needs no model',
    )  # fmt: skip
    parser.add_argument(
        '--box', nargs=4, type=float, action='append', metavar=('X1', 'Y1', 'X2', 'Y2'),
        help='box of the person, in pixels of the upright image; once per image',
    )  # fmt: skip
    parser.add_argument(
        '--person', type=int, action='append', metavar='K',
        help='or the number of the person among those detected, from 1; once per image',
    )  # fmt: skip
    parser.add_argument(
        '--confirm', nargs='+', type=int, default=[], metavar='ROW',
        help='rows of an earlier search that show the right person',
    )  # fmt: skip
    parser.add_argument(
        '--reject',
        nargs='+',
        type=int,
        default=[],
        metavar='ROW',
        help='rows that show somebody else',
    )


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Add options on the results, and where they are saved."""
    parser.add_argument('--topk', type=int, default=10, help='number of results (default: 10)')
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
        help='leave out results with a lower probability of being the same person, 0 to 1',
    )  # fmt: skip
    parser.add_argument('--out-dir', metavar='DIR', help='save results.json and images')
    parser.add_argument(
        '--no-scenes', action='store_true',
        help='with --out-dir: draw the crops of the index, without opening the footage',
    )  # fmt: skip


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_shared_options(parser, 'index')
    add_query_options(parser)
    add_shared_options(parser, '--camera', '--from', '--to')
    add_result_options(parser)
    add_shared_options(parser, '--keep-days')
    add_shared_options(parser, '--config', '--checkpoint', '--onnx', '--device')
    add_cfg_options(parser, '--config')
    add_trust_option(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.gallery import GalleryIndex, SearchFilter, forget_older_than
from mmclsa.gallery.retention import older_than
from mmclsa.inference import (
    GalleryHits,
    choose_queries,
    describe_people,
    embedder_of_index,
    search,
    search_filter,
    search_from_rows,
)
from mmclsa.inference.limits import undated_sentence
from mmclsa.inference.searching import check_search
from mmclsa.media import Picture, load_picture
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
    options = model_options(args)
    pictures = [load_picture(path) for path in args.query]  # before a model is loaded
    embedder = embedder_of_index(args.index, **options)
    index.check_model(embedder.fingerprint)
    queries = choose_queries(embedder, pictures, args.box, args.person, ask)
    forget(args, index)
    return search(embedder, queries, index, args.topk, where, args.rerank, **feedback)


def forget(args: argparse.Namespace, index: GalleryIndex) -> None:
    """Delete who is not to be kept: last, as a mistake in the command must delete nobody."""
    if args.keep_days is None:
        return
    with GalleryIndex.open(args.index, writable=True) as writable:
        print(f'{args.index}: {forget_older_than(writable, args.keep_days)}')
    index.refresh()


def check(args: argparse.Namespace) -> None:
    """Refuse options that cannot be meant together."""
    if args.box and args.person:
        raise ConfigError('either --box or --person may be given, not both')
    if bool(args.query) == bool(args.row):
        raise ConfigError('either --query or --row must be given, and not both')
    if args.row and (args.box or args.person):
        raise ConfigError('--box and --person say who is meant in a picture of --query, not --row')
    if args.group_by_track and args.unit == 'frame':
        raise ConfigError('--group-by-track and --unit frame contradict each other')
    if args.no_scenes and not args.out_dir:
        raise ConfigError('--no-scenes says what --out-dir writes, which is not given')
    if args.out_dir:
        check_writable(args.out_dir)


def save(args: argparse.Namespace, result: GalleryHits) -> None:
    """Write the files, and say which."""
    written = result.save(args.out_dir, scenes=not args.no_scenes)
    told = [path.name for path in written[:2]]
    if not args.no_scenes:
        told.append(counted(len(written) - 2, 'scene'))
    print(f'{args.out_dir}: {", ".join(told)}', file=sys.stderr)
    missing = len(result.hits) - (len(written) - 2)
    if missing and not args.no_scenes:
        hits = counted(missing, 'hit has', 'hits have')
        print(f'{hits} no scene, as the footage cannot be read', file=sys.stderr)


def main() -> None:
    """Search."""
    args = parse_args()
    check(args)
    feedback = dict(
        unit=args.unit,
        min_probability=args.min_probability,
        confirmed=args.confirm,
        rejected=args.reject,
    )
    # Before a model is loaded, so that what is wrong with the index is said at once.
    with GalleryIndex.open(args.index) as index:
        where = search_filter(index, args.camera, args.time_from, args.time_to, LIMIT_NAMES)
        check_search(index, args.topk, args.min_probability, args.confirm, args.reject)
        if args.keep_days is not None:
            older_than(index, args.keep_days)
        if args.row:
            index.records(args.row)  # there must be such rows
            forget(args, index)
            result = search_from_rows(index, args.row, args.topk, where, args.rerank, **feedback)
        else:
            result = search_by_pictures(args, index, where, feedback)
        undated = undated_sentence(index, where)
    print(result.table())
    if not result.hits:
        print('nobody was found')
    if undated:
        print(undated)
    if result.calibration is not None:
        known = result.calibration
        same = counted(known.num_same, 'pair')
        tracks = known.num_tracks
        print(
            f'Probabilities are learnt from {same} of one person and {known.num_different} of two.'
            + ('' if tracks is None else f' The former are of {counted(tracks, "track")}.')
        )
    if args.out_dir:
        save(args, result)


if __name__ == '__main__':
    run_tool(main)
