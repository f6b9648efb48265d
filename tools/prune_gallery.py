"""Delete people from an index: their records and embeddings, for good.

Conditions that are given together must all be met. The footage itself is not touched, and
building again does not bring back who was deleted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.text import read_text
from mmclsa.utils.times import parse_time


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('index', metavar='INDEX_DIR', help='folder of the index')
    parser.add_argument('--source', nargs='+', metavar='PATH', help='of these files')
    parser.add_argument('--camera', nargs='+', metavar='NAME', help='of these cameras')
    parser.add_argument(
        '--from', dest='time_from', metavar='T',
        help='seen at this time or later: seconds, h:mm:ss, or 2024-05-06T07:08:09 (UTC)',
    )  # fmt: skip
    parser.add_argument('--before', metavar='T', help='last seen before this time')
    parser.add_argument(
        '--keep-days', type=float, metavar='N',
        help='last seen more than N days ago, by dates in the footage',
    )  # fmt: skip
    parser.add_argument(
        '--person', metavar='JSON',
        help='the hits in a results.json of tools/search_gallery.py, from which you have taken '
        'out who is somebody else',
    )  # fmt: skip
    parser.add_argument('--rows', nargs='+', type=int, metavar='N', help='or these rows')
    parser.add_argument(
        '--tracks', action='store_true', help='with --person or --rows: and all of their tracks'
    )
    parser.add_argument('--dry-run', action='store_true', help='only say how many there are')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np

from mmclsa.gallery import GalleryIndex, SearchFilter
from mmclsa.gallery.retention import older_than


def read_hits(path: str) -> list[int]:
    """Read the row numbers of the hits in a ``results.json``."""
    try:
        rows = [hit['row'] for hit in json.loads(read_text(Path(path)))['hits']]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is no results.json with the rows of its hits: {error}') from error
    if not all(type(row) is int for row in rows):
        raise DataError(f'{path} is no results.json: the rows of its hits are no numbers')
    return rows


def chosen_rows(index: GalleryIndex, args: argparse.Namespace) -> np.ndarray:
    """Find who is meant, shape (n,)."""
    if args.before is not None and args.keep_days is not None:
        raise ConfigError('either --before or --keep-days may be given, not both')
    before = None if args.before is None else parse_time(args.before)
    if args.keep_days is not None:
        before = older_than(index, args.keep_days).gone_before
    after = None if args.time_from is None else parse_time(args.time_from)
    where = SearchFilter(args.camera, after, None, args.source, gone_before=before)
    rows = [*(args.rows or ()), *(read_hits(args.person) if args.person else ())]
    if bool(rows) != where.passes_all:
        raise ConfigError(
            'either --person or --rows must be given, or at least one of --source, --camera, '
            '--from, --before and --keep-days'
        )
    if not rows:
        return index.find(where)
    return index.same_tracks(rows) if args.tracks else np.unique(rows)


def main() -> None:
    """Delete."""
    args = parse_args()
    with GalleryIndex.open(args.index, writable=not args.dry_run) as index:
        rows = chosen_rows(index, args)
        if args.dry_run:
            print(f'{args.index}: {len(rows)} of {len(index)} people would be deleted')
            return
        deleted = index.delete(rows)
        index.optimize()
        print(f'{args.index}: {deleted} people were deleted, {len(index)} are left')


if __name__ == '__main__':
    run_tool(main)
