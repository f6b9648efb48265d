"""Say what is in an index, and how many bytes each part of it takes."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict

from mmclsa.utils.cli import run_tool
from mmclsa.utils.gallery_options import add_shared_options
from mmclsa.utils.times import format_time


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_shared_options(parser, 'index')
    parser.add_argument('--verify', action='store_true', help='read and check everything')
    parser.add_argument('--json', action='store_true', help='print JSON')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.gallery import Contents, GalleryIndex
from mmclsa.gallery.sizes import IndexSizes


def describe(contents: Contents, sizes: IndexSizes) -> str:
    """Write it for people."""
    cameras = ', '.join(f'{name or "unknown"} {count}' for name, count in contents.cameras.items())
    span = ' to '.join(filter(None, map(format_time, (contents.time_from, contents.time_to))))
    lines = [
        f'people: {contents.people}, of these sightings: {contents.sightings}',
        f'files: {contents.sources}',
        f'cameras: {cameras or "none"}',
        f'times: {span or "unknown"}',
        f'bytes: {sizes.total:,}',
    ]
    counts = dict(vectors=contents.people, crops=sizes.num_crops, behind=sizes.num_behind)
    for part in ('vectors', 'structure', 'records', 'crops', 'behind'):
        size, count = getattr(sizes, part), counts.get(part, contents.people)
        each = f', {size / count:,.0f} for each of {count}' if size and count else ''
        lines.append(f'  {part}: {size:,}{each}')
    return '\n'.join(lines)


def main() -> None:
    """Print it."""
    args = parse_args()
    with GalleryIndex.open(args.index) as index:
        if args.verify:
            index.verify()
        contents, sizes = index.contents(), index.sizes()
    if args.json:
        known = asdict(contents)
        times = {k: v for k, v in known.items() if k.startswith('time_')}
        times = {k: v if math.isfinite(v) else None for k, v in times.items()}
        print(json.dumps({**known, **times, 'bytes': {**asdict(sizes), 'total': sizes.total}}))
    else:
        print(describe(contents, sizes))


if __name__ == '__main__':
    run_tool(main)
