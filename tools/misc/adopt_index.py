"""Build anew what makes an index of somebody else fast, for its files must be believed.

Kept are the records, the vectors, and build.json, which are checked when they are read.
"""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('index', metavar='INDEX_DIR', help='folder of the index; it is changed')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.gallery.adopting import adopt_index


def main() -> None:
    """Adopt."""
    args = parse_args()
    print(f'{args.index}: {adopt_index(args.index)} files were dropped')


if __name__ == '__main__':
    run_tool(main)
