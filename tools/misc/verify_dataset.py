"""Check that the data sets of a config are complete.

    python tools/misc/verify_dataset.py configs/clsa/clsa_r50_cuhk.py

Compares images, boxes, identities and queries with the published numbers and the config, the
images that show an identity twice with the published ones, and sizes in annotations with the
images; looks for missing images, and decodes every image (unless --no-decode). What is left out
of the data set is counted.
Exit code 0: complete; 1: something is missing or broken; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import sys

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Check that the data sets of a config are complete.'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--no-decode', action='store_true', help='do not decode the images')
    parser.add_argument('--workers', type=int, default=2, help='decoding threads (default: 2)')
    add_cfg_options(parser)
    args = parser.parse_args()
    if args.workers < 1:
        parser.error(f'--workers must be at least 1, but is {args.workers}')
    return args


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmclsa.datasets.verify import SplitReport, decode_all, find_datasets, inspect_split
from mmclsa.engine import load_config

LISTED = 5


def show(console: Console, report: SplitReport) -> None:
    """Print one split."""
    if report.error:
        console.print(f'[bold]{report.title}[/bold]')
        console.print(f'  {report.error}\n', markup=False)
        return
    table = Table('', 'found', 'expected', '', title=report.title, title_justify='left')
    for name, count in report.counts.items():
        expected = report.expected.get(name)
        verdict = '' if expected is None else ('ok' if count == expected else 'DIFFERENT')
        table.add_row(name, f'{count:,}', '-' if expected is None else f'{expected:,}', verdict)
    for name, entries in (('missing', report.missing), ('unreadable', report.broken)):
        table.add_row(f'{name} images', f'{len(entries):,}', '0', 'INCOMPLETE' if entries else 'ok')
    differ = report.disagreements
    table.add_row('disagreements', f'{len(differ):,}', '0', 'DIFFERENT' if differ else 'ok')
    for name, count in report.left_out.items():
        table.add_row(f'left out: {name}', f'{count:,}', '-', '')
    console.print(table)
    # All of them: each is to be mended by hand.
    for entry in [*report.notes, *report.doubles, *differ]:
        console.print(f'  {entry}', markup=False)
    for entry in (report.missing + report.broken)[:LISTED]:
        console.print(f'  {entry}', markup=False)
    hidden = len(report.missing) + len(report.broken) - LISTED
    if hidden > 0:
        console.print(f'  ... and {hidden} more')


def main() -> int:
    """Check every split; see the module's text."""
    args = parse_args()
    datasets = find_datasets(load_config(args.config, args.cfg_options))
    if not datasets:
        raise ConfigError(f'config {args.config} has no data loader with a dataset')
    console = Console(soft_wrap=True)
    complete = True
    for where, config in datasets.items():
        report, present = inspect_split(where, config)
        if not args.no_decode:
            verdicts = track(
                decode_all(present, args.workers, report.backend_args),
                description=f'decoding {where}',
                total=len(present),
                console=Console(stderr=True),
                transient=True,
                disable=not sys.stderr.isatty(),
            )
            report.broken = [verdict for verdict in verdicts if verdict]
        show(console, report)
        complete = complete and report.complete
    console.print(
        'complete' if complete else 'INCOMPLETE: docs/datasets.md tells what belongs where'
    )
    return 0 if complete else 1


if __name__ == '__main__':
    run_tool(main)
