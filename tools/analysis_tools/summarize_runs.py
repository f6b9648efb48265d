"""Average the metrics of several runs, saved by tools/test.py --json, into a table."""

from __future__ import annotations

import argparse
import glob
import json
import statistics
from collections.abc import Mapping, Sequence

from terminaltables import AsciiTable, GithubFlavoredMarkdownTable

from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.cli import run_tool

FIGURES = ('detection/recall', 'detection/ap', 'mAP', 'top1')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'groups',
        nargs='+',
        metavar='NAME=PATTERN',
        help='row of the table: its name and a glob pattern of its runs, such as '
        'trained=work_dirs/mot2pets/seed_*/search.json',
    )
    parser.add_argument(
        '--figures', nargs='+', default=FIGURES, help='metrics to show, by the ends of their names'
    )
    parser.add_argument('--markdown', action='store_true', help='print a Markdown table')
    return parser.parse_args()


def read_group(group: str) -> tuple[str, list[dict[str, float]]]:
    """Read the runs of one row."""
    name, separator, pattern = group.partition('=')
    if not separator:
        raise ConfigError(f'a group must be NAME=PATTERN, but is {group!r}')
    paths = sorted(glob.glob(pattern))
    if not paths:
        raise ConfigError(f'no file is called {pattern} (group {name})')
    return name, [read_figures(path) for path in paths]


def read_figures(path: str) -> dict[str, float]:
    """Read the figures of one run."""
    try:
        with open(path, encoding='utf-8') as file:
            figures = json.load(file)
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror})') from None
    except ValueError as error:
        raise DataError(f'{path} is no JSON file ({error})') from None
    if not isinstance(figures, dict):
        raise DataError(f'{path} must hold figures by their names, as test.py --json writes them')
    return figures


def spread(runs: Sequence[Mapping[str, float]], figure: str, name: str) -> str:
    """Give a figure's mean in percent and, of several runs, its range."""
    values = []
    for run in runs:
        found = [value for key, value in run.items() if key.endswith(f'/{figure}')]
        if len(found) != 1:
            raise DataError(
                f'group {name}: a run must have one figure that ends in /{figure}, but has '
                f'{len(found)} of {sorted(run)}: choose others by --figures'
            )
        if not isinstance(found[0], (int, float)):
            raise DataError(f'group {name}: {figure} must be a number, but is {found[0]!r}')
        values.append(100 * found[0])
    mean = f'{statistics.mean(values):.1f}'
    return mean if len(values) == 1 else f'{mean} ({min(values):.1f}-{max(values):.1f})'


def main() -> None:
    """Print the table."""
    args = parse_args()
    rows = [['', 'runs', *args.figures]]
    for name, runs in map(read_group, args.groups):
        rows.append(
            [name, str(len(runs)), *(spread(runs, figure, name) for figure in args.figures)]
        )
    print((GithubFlavoredMarkdownTable if args.markdown else AsciiTable)(rows).table)


if __name__ == '__main__':
    run_tool(main)
