"""Train and test every row of a grid with several seeds, and compare the rows with a baseline."""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('grid', help='grid file, such as tools/analysis_tools/grids/recipe.py')
    parser.add_argument(
        '--out',
        required=True,
        help='folder of all runs; processes that share the work use the same folder',
    )
    parser.add_argument(
        '--tables', action='store_true', help='only write tables and plots of the finished runs'
    )
    parser.add_argument(
        '--rows', nargs='+', metavar='ROW', help='run only these rows, and the rows they depend on'
    )
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine.ablation import chosen_runs, read_grid, work_through, write_results


def main() -> int:
    """Do the runs, then write tables and pictures."""
    args = parse_args()
    grid = read_grid(args.grid)
    runs = chosen_runs(grid, args.rows or [row.name for row in grid.rows])
    failed = [] if args.tables else work_through(args.grid, grid, args.out, runs)
    why = (
        'is no finished run of the baseline yet'
        if grid.baseline
        else 'are no tables without a baseline, which the grid does not name; runs.csv has all runs'
    )
    print(write_results(grid, args.out) or f'There {why}.')
    return 1 if failed else 0


if __name__ == '__main__':
    run_tool(main)
