"""Measure whole commands, from the shell to the figures, on a made-up CUHK-SYSU of true size.

The data set has the original .mat layout, 18,184 images, 2,900 queries and galleries of 50 to
4,000 images; the predictions have 35,700 detections of 256 numbers. Each command runs with an empty
cache and then again. Made-up people are no result on CUHK-SYSU.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mmclsa.errors import ConfigError, UserError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import write_json
from mmclsa.utils.resident import resident_gib

TOOLS = Path(__file__).resolve().parents[1]
EVALUATE = TOOLS / 'analysis_tools' / 'eval_search.py'
SIZES = (50, 100, 500, 1000, 2000, 4000)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--folder', required=True, help='folder for the generated files, 0.3 GB; kept'
    )
    parser.add_argument(
        '--sizes', type=int, nargs='+', default=SIZES, metavar='N', help='galleries to make'
    )
    parser.add_argument('--scale', type=float, default=1.0, help='share of images and queries')
    parser.add_argument(
        '--index', help='also open this index of a gallery (build_gallery.py makes one)'
    )
    parser.add_argument(
        '--peer',
        metavar='COMMAND',
        help='also time a command that evaluates gallery 100 and writes the AP of each query, in '
        'order, to {out} (.npy); {root} is the data set, {predictions} the predictions',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', help='also save the results to this file')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np

from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols
from mmclsa.datasets.synthetic.cuhk_sysu_files import make_up, write_cuhk_sysu, write_predictions
from mmclsa.evaluation.functional import evaluate_search, flags_for_thresholds
from mmclsa.structures import Predictions


def make_files(folder: Path, sizes: Sequence[int], scale: float, seed: int) -> tuple[Path, Path]:
    """Make the data set and the predictions, unless they are there."""
    root, found = folder / 'cuhk_sysu', folder / 'predictions.npz'
    tests = root / 'annotation' / 'test' / 'train_test'
    wanted = [found, *(tests / f'TestG{size}.mat' for size in sizes)]
    if not all(path.is_file() for path in wanted):
        print(f'making a data set in {root}', flush=True)
        made = make_up(scale, seed)
        write_cuhk_sysu(root, made, sizes)
        write_predictions(found, made, scale)
    return root, found


@dataclass(frozen=True)
class Cost:
    """What a command takes.

    Attributes:
        seconds: From start to end, or as the command says by printing a number last.
        work: CPU seconds of the whole process: other work on the machine hardly shows in them.
        peak: Memory in MiB.
    """

    seconds: float
    work: float
    peak: float


def run(command: Sequence[str], environment: dict[str, str]) -> Cost:
    """Run a command, and measure it."""
    begun, worked, peak = time.perf_counter(), work_of_children(), 0.0
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdout=said, stderr=said, env=environment) as process:
            while process.poll() is None:
                peak = max(peak, peak_of(process.pid))
                time.sleep(0.01)
        seconds = time.perf_counter() - begun
        said.seek(0)
        words = said.read().decode(errors='replace').split()
    if process.returncode:
        raise UserError(f'{" ".join(command)} ended with {process.returncode}: {" ".join(words)}')
    with suppress(ValueError, IndexError):
        seconds = float(words[-1])
    return Cost(seconds, work_of_children() - worked, peak)


def work_of_children() -> float:
    """Add up the CPU seconds of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak_of(pid: int) -> float:
    """Read the peak memory of a process so far, in MiB; 0 where the system does not tell."""
    try:
        return 1024 * resident_gib('VmHWM', pid)
    except OSError:
        return 0.0


@dataclass(frozen=True)
class Task:
    """A command, and how long it may take: the first time, and again."""

    title: str
    command: Sequence[str]
    goals: tuple[float | None, float]


def tasks(root: Path, found: Path, args: argparse.Namespace) -> list[Task]:
    """List the commands."""
    python = sys.executable

    def evaluation(*names: str) -> list[str]:
        fixed = [str(found), '--dataset', 'cuhk_sysu', '--data-root', str(root), '--protocol']
        return [python, str(EVALUATE), *fixed, *names]

    names = [f'gallery_{size}' for size in args.sizes]
    dataset = (
        'import time; from mmclsa.datasets import CUHKSYSUDataset; t = time.perf_counter(); '
        f'CUHKSYSUDataset(data_root={str(root)!r}, pipeline=[]); print(time.perf_counter() - t)'
    )
    listed = [
        Task(f'eval_search.py, {name}', evaluation(name), goals)
        for name, goals in (('gallery_100', (None, 2.0)), ('gallery_1000', (None, 3.0)))
        if name in names
    ]
    every = f'eval_search.py, {names[0]} to {names[-1]} and full'
    listed.append(Task(every, evaluation(*names, 'full'), (60.0, 8.0)))
    built = 'training set built, after the import'
    listed.append(Task(built, [python, '-c', dataset], (None, 3.0)))
    listed += [
        Task(f'{tool} --help', [python, str(TOOLS / tool), '--help'], (1.0, 1.0))
        for tool in ('train.py', 'build_gallery.py', 'analysis_tools/eval_search.py')
    ]
    if args.index:
        opened = (
            'import time; from mmclsa.gallery import GalleryIndex; t = time.perf_counter(); '
            f'GalleryIndex.open({args.index!r}); print(time.perf_counter() - t)'
        )
        listed.append(Task('index opened, after the import', [python, '-c', opened], (None, 0.5)))
    return listed


def compare_with_peer(
    command: str, root: Path, found: Path, environment: dict[str, str]
) -> dict[str, float]:
    """Time a peer's evaluation of gallery 100, and compare the AP of every query."""
    out = found.with_name('peer.npy')
    words = [w.format(root=root, predictions=found, out=out) for w in shlex.split(command)]
    cost = run(words, environment)
    theirs = np.load(out, allow_pickle=False)
    (protocol,) = cuhk_sysu_protocols(root, ['gallery_100'])
    (flags,) = flags_for_thresholds('seqnet', 'cuhk_sysu', None, {})
    ours = evaluate_search(protocol, Predictions.load(found), flags)
    if theirs.shape != ours.average_precisions.shape:
        raise UserError(
            f'{out}: expected the AP of {len(ours.average_precisions)} queries, but got an array '
            f'of shape {theirs.shape}'
        )
    apart = np.abs(theirs - ours.average_precisions)
    return dict(seconds=cost.seconds, peak=cost.peak, largest_difference=float(apart.max()))


def measure(root: Path, found: Path, args: argparse.Namespace) -> list[dict[str, object]]:
    """Run every command with an empty cache, and again."""
    cache = Path(args.folder) / 'cache'
    environment = {**os.environ, 'MMCLSA_CACHE': str(cache)}
    rows: list[dict[str, object]] = []
    print(
        f'| {"command":52} | first s | goal | again s | goal | CPU s, first | again | peak MiB | |'
    )
    print('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
    for task in tasks(root, found, args):
        shutil.rmtree(cache, ignore_errors=True)
        first, again = (run(task.command, environment) for _ in range(2))
        goals = ['' if goal is None else f'{goal:g}' for goal in task.goals]
        print(
            f'| {task.title:52} | {first.seconds:.2f} | {goals[0]} | {again.seconds:.2f} '
            f'| {goals[1]} | {first.work:.2f} | {again.work:.2f} '
            f'| {first.peak:.0f} | {again.peak:.0f} |',
            flush=True,
        )
        rows.append(dict(command=task.title, first=vars(first), again=vars(again)))
    return rows


def main() -> None:
    """Make the files, run the commands, print the table."""
    args = parse_args()
    if args.peer and 100 not in args.sizes:
        raise ConfigError('--peer needs a gallery of 100 among --sizes')
    if not 0 < args.scale <= 1:
        raise ConfigError(f'--scale must lie in 0..1, but is {args.scale}')
    root, found = make_files(Path(args.folder).absolute(), args.sizes, args.scale, args.seed)
    load = os.getloadavg()[0]
    print(f'{os.cpu_count()} cores, load {load:.1f} at the start')
    rows = measure(root, found, args)
    if args.peer:
        peer = compare_with_peer(args.peer, root, found, dict(os.environ))
        print(
            f'peer, gallery 100: {peer["seconds"]:.2f} s, {peer["peak"]:.0f} MiB, largest '
            f'difference of the AP of a query {peer["largest_difference"]:.2e}'
        )
        rows.append(dict(command='peer', **peer))
    if args.json:
        write_json(args.json, rows, indent=1)


if __name__ == '__main__':
    run_tool(main)
