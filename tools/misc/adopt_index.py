"""Build anew what makes an index of somebody else fast, for its files must be believed.

Kept are the records, the vectors, and build.json, which are checked when they are read.
"""

from __future__ import annotations

import argparse

from mmclsa.gallery.adopting import adopt_index
from mmclsa.utils import run_tool


def main() -> None:
    """Adopt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('index', metavar='INDEX_DIR', help='folder of the index; it is changed')
    args = parser.parse_args()
    print(f'{args.index}: {adopt_index(args.index)} files were dropped')


if __name__ == '__main__':
    run_tool(main)
