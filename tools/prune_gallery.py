"""Delete people from an index: their records and embeddings, for good.

Conditions that are given together must all be met. The footage itself is not touched, and
building again does not bring back who was deleted.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.gallery_options import add_shared_options
from mmclsa.utils.text import counted, read_text


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_shared_options(parser, 'index')
    parser.add_argument('--source', nargs='+', metavar='PATH', help='only people of these files')
    parser.add_argument(
        '--gone', action='store_true',
        help='only people of files that are no longer there; look by --dry-run whether a disk is '
        'missing',
    )  # fmt: skip
    add_shared_options(parser, '--camera', '--from', '--before')
    add_shared_options(
        parser,
        '--keep-days',
        help='only who was last seen more than N days ago, by dates in the footage',
    )
    parser.add_argument(
        '--person', metavar='JSON',
        help='the hits in a results.json of tools/search_gallery.py, from which you have taken '
        'out who is somebody else, with all of their tracks: a long one has several rows',
    )  # fmt: skip
    parser.add_argument('--rows', nargs='+', type=int, metavar='N', help='or these rows')
    parser.add_argument(
        '--tracks', action='store_true',
        help='with --rows: and all of their tracks, as --person always does',
    )  # fmt: skip
    parser.add_argument('--dry-run', action='store_true', help='only say how many there are')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np

from mmclsa.gallery import GalleryIndex, SearchFilter
from mmclsa.gallery.building.units import units_of
from mmclsa.gallery.gone import gone_sources
from mmclsa.gallery.retention import older_than
from mmclsa.inference.limits import search_filter


def read_hits(path: str, index: GalleryIndex) -> list[int]:
    """Read the row numbers of the hits in a ``results.json`` of this index."""
    if not path:
        raise ConfigError('--person must name a results.json, but is empty')
    try:
        hits = json.loads(read_text(Path(path)))['hits']
        rows = [hit['row'] for hit in hits]
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror or error})') from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is no results.json with the rows of its hits: {error}') from error
    if not all(type(row) is int for row in rows):
        raise DataError(f'{path} is no results.json: the rows of its hits are no numbers')
    for hit, record in zip(hits, index.records(rows)):
        place = (record.source, record.frame)
        if (hit.get('source', place[0]), hit.get('frame', place[1])) != place:
            raise DataError(
                f'{path} is of another index: row {hit["row"]} is {hit["source"]}, frame '
                f'{hit["frame"]} there, and {place[0]}, frame {place[1]} in {index.path}'
            )
    return rows


def known_sources(index: GalleryIndex, sources: list[str] | None) -> list[str] | None:
    """Give files as the index names them; a misspelt one would delete nobody in silence."""
    found = []
    for source in sources or ():
        names = [source, os.path.abspath(os.path.expanduser(source))]
        known = [name for name in names if len(index.find(SearchFilter(sources=[name])))]
        if not known:
            raise ConfigError(f'nobody in the index is of the file {source}')
        found += known
    return found or None


def chosen_filter(index: GalleryIndex, args: argparse.Namespace) -> SearchFilter:
    """Put the conditions into a filter. One on time is for times of its own clock alone."""
    given = search_filter(index, args.camera, args.time_from, args.time_to, ('--from', '--before'))
    if args.time_to is not None:  # who was *last* seen before then
        given = replace(given, time_to=None, gone_before=given.time_to)
    if args.keep_days is not None:
        given = replace(given, gone_before=older_than(index, args.keep_days).gone_before)
    sources = gone_sources(index) if args.gone else known_sources(index, args.source)
    return replace(given, sources=sources)


def chosen_rows(index: GalleryIndex, args: argparse.Namespace) -> np.ndarray:
    """Find who is meant, shape (n,)."""
    if args.time_to is not None and args.keep_days is not None:
        raise ConfigError('either --before or --keep-days may be given, not both')
    if args.gone and args.source:
        raise ConfigError('either --source or --gone may be given, not both')
    if args.tracks and not args.rows:
        raise ConfigError('--tracks goes with --rows, which are not given')
    where = chosen_filter(index, args)
    if bool(args.rows or args.person is not None) != where.passes_all:
        raise ConfigError(
            'either --person or --rows must be given, or at least one of --source, --camera, '
            '--gone, --from, --before and --keep-days'
        )
    if where.passes_all:
        hits = [] if args.person is None else read_hits(args.person, index)
        index.records(args.rows or ())  # there must be such rows, be it a dry run
        rows = np.array(args.rows or (), np.int64)
        if args.tracks:
            rows = index.same_tracks(rows)
        # A hit is the best of its track, which has a row for every 500 frames of the video.
        return np.union1d(rows, index.same_tracks(hits))
    return index.find(where)


def emptied_units(index: GalleryIndex, rows: np.ndarray) -> list[str]:
    """Give the units of files that are gone, with all of their people.

    If one comes back, as when a disk is mounted again, it is looked at like a new one.
    """
    gone = gone_sources(index)
    left = np.setdiff1d(index.find(SearchFilter(sources=gone)), rows)
    kept = {record.source for record in index.records(left)}
    return units_of(index.shards(), set(gone) - kept)


def main() -> None:
    """Delete."""
    args = parse_args()
    with GalleryIndex.open(args.index, writable=not args.dry_run) as index:
        rows = chosen_rows(index, args)
        if args.dry_run:
            print(f'{args.index}: {len(rows)} of {counted(len(index), "person")} would be deleted')
            return
        deleted = index.delete(rows, emptied_units(index, rows) if args.gone else ())
        index.optimize()
        gone = counted(deleted, 'person was deleted', 'people were deleted')
        print(f'{args.index}: {gone}, {counted(len(index), "is left", "are left")}')


if __name__ == '__main__':
    run_tool(main)
