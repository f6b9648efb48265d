"""Rebuild the search structures of an index from somebody else, as they cannot be verified.

Records, vectors and build.json are kept; they are checked when they are read.
"""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import run_tool
from mmclsa.utils.gallery_options import add_shared_options
from mmclsa.utils.text import counted


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_shared_options(parser, 'index', help='folder of the index, which is changed')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.gallery.adopting import adopt_index


def main() -> None:
    """Adopt."""
    args = parse_args()
    dropped = counted(adopt_index(args.index), 'file was dropped', 'files were dropped')
    print(f'{args.index}: {dropped}')


if __name__ == '__main__':
    run_tool(main)
