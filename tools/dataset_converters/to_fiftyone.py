"""Export an index, or what a search found, for FiftyOne.

    python tools/dataset_converters/to_fiftyone.py index out --camera door
    python tools/dataset_converters/to_fiftyone.py found/results.json out

Writes OUT/data/ and OUT/labels.json, which FiftyOne opens:

    fiftyone app view --dataset-dir OUT --type fiftyone.types.FiftyOneImageDetectionDataset

labels.json is written last, so it exists only if the export is complete.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.gallery_options import LIMIT_NAMES, add_shared_options
from mmclsa.utils.io import check_writable
from mmclsa.utils.text import counted


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Export an index or the results of a search for FiftyOne.'
    )
    parser.add_argument(
        'source', type=Path, help='folder of an index, or results.json of tools/search_gallery.py'
    )
    parser.add_argument('out', type=Path, help='output folder')
    add_shared_options(parser, '--camera', '--from', '--to')
    parser.add_argument('--link', action='store_true', help='link images instead of copying them')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from rich.progress import track

from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.fiftyone_export import (
    Mark,
    marks_of_records,
    marks_of_results,
    write_fiftyone,
)
from mmclsa.inference.limits import search_filter

LISTED = 5


def read_marks(args: argparse.Namespace) -> list[Mark]:
    """Read the boxes that are asked for."""
    limits = [args.camera, args.time_from, args.time_to]
    results = args.source / 'results.json' if args.source.is_dir() else args.source
    if results.is_file():
        if any(limit is not None for limit in limits):
            raise ConfigError(f'--camera, --from and --to choose from an index, not from {results}')
        return marks_of_results(results)
    if results.suffix == '.json' and results == args.source:
        raise DataError(
            f'{results} must be the results.json of a search, but there is no such file'
        )
    with GalleryIndex.open(args.source) as index:
        rows = index.find(search_filter(index, *limits, LIMIT_NAMES))
        return marks_of_records(rows.tolist(), index.records(rows))


def main() -> None:
    """Export; see the module's text."""
    args = parse_args()
    marks = read_marks(args)
    if not marks:
        raise DataError(f'{args.source} has nobody to export')
    check_writable(args.out)
    pictures = len({(mark.source, mark.frame) for mark in marks})
    done = write_fiftyone(
        marks,
        args.out,
        args.link,
        lambda groups: track(groups, 'pictures', disable=not sys.stdout.isatty()),
    )
    for sentence in done.missing[:LISTED]:
        print(f'left out: {sentence}', file=sys.stderr)
    if done.missing:
        left_out = counted(len(done.missing), 'is left out', 'are left out')
        print(f'of {counted(pictures, "picture")}, {left_out}', file=sys.stderr)
    print(f'{args.out}: {counted(done.pictures, "picture")}, {counted(done.boxes, "box")}')


if __name__ == '__main__':
    run_tool(main)
