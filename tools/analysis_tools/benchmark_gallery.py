"""Benchmark the gallery index: recall, latency, memory and build time."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import atomic_write, check_writable, write_json
from mmclsa.utils.resident import resident_gib


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--people', type=int, nargs='+', default=[1_000_000], metavar='N')
    parser.add_argument('--kind', nargs='+', default=['ivf_pq'], help='flat, hnsw, ivf_pq')
    parser.add_argument('--storage', default='fp16', help='fp32, fp16 or int8')
    parser.add_argument(
        '--options', default='{}', metavar='JSON', help='further options of the FaissBackend'
    )
    parser.add_argument('--dims', type=int, default=768)
    parser.add_argument(
        '--identities',
        type=int,
        default=20_000,
        help='largest number of identities; one for every 50 people',
    )
    parser.add_argument(
        '--spread', type=float, default=0.7, help='distance of a person from its identity'
    )
    parser.add_argument('--queries', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work-dir', default='work_dirs/benchmark_gallery')
    parser.add_argument('--keep', action='store_true', help='keep the indexes')
    parser.add_argument(
        '--reuse',
        action='store_true',
        help='use the indexes that an earlier run kept; search options may differ',
    )
    parser.add_argument('--out', metavar='JSON', help='add the results to this file')
    parser.add_argument('--plot', metavar='PNG', help='plot all results of --out')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

# Before NumPy reads it. Both sides of the comparison get as many threads.
os.environ.setdefault('OMP_NUM_THREADS', '2')

import numpy as np

from mmclsa.gallery import GalleryIndex, GalleryRecord, ModelFingerprint, SearchFilter
from mmclsa.gallery.backends import FaissBackend
from mmclsa.gallery.manifest import MANIFEST

BLOCK = 50_000
COMMIT_EVERY = 4
CAMERAS = 8
TOPK = 10
TIMED_BY_NUMPY = 5
Report = dict[str, Any]


class Crowd(NamedTuple):
    """Unit vectors around identities, the same ones whenever they are asked for."""

    dims: int
    identities: int
    spread: float
    seed: int

    @lru_cache(maxsize=1)  # noqa: B019
    def centres(self) -> np.ndarray:
        """Draw the identities."""
        rng = np.random.default_rng([self.seed, 0])
        return unit(rng.standard_normal((self.identities, self.dims), np.float32))

    def around(self, count: int, *stream: int) -> np.ndarray:
        """Draw people of random identities."""
        rng = np.random.default_rng([self.seed, *stream])
        people = rng.standard_normal((count, self.dims), np.float32)
        people *= self.spread * self.dims**-0.5
        people += self.centres()[rng.integers(self.identities, size=count)]
        return unit(people)

    def blocks(self, people: int) -> Iterator[tuple[int, Callable[[], np.ndarray]]]:
        """Give the gallery block by block: number of the first row, and what draws it."""
        for start in range(0, people, BLOCK):
            yield start, partial(self.around, min(BLOCK, people - start), 1, start // BLOCK)

    def queries(self, count: int) -> np.ndarray:
        """Draw people who are not in the gallery, of identities that are."""
        return self.around(count, 2)


def clocks() -> np.ndarray:
    """Seconds on the wall, and of this process on all its processors.

    The second is what the first would be with one thread on an idle machine.
    """
    return np.array([time.perf_counter(), time.process_time()])


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale to unit length, in place."""
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def records(start: int, stop: int) -> list[GalleryRecord]:
    """Make records: one person a second, in one of eight cameras in turn."""
    return [
        GalleryRecord(
            f'videos/day_{row // 10_000}.mp4', row, float(row), (0.0, 1.0, 2.0, 3.0), 0.9,
            f'camera {row % CAMERAS}', row // 50,
        )
        for row in range(start, stop)
    ]  # fmt: skip


def search_with_numpy(crowd: Crowd, people: int, queries: np.ndarray) -> tuple[np.ndarray, Report]:
    """Find the nearest rows exactly, and time it for single queries.

    Returns:
        Rows, shape (Q, 10), and the median milliseconds for one query, in
        which every vector is compared and the ten best are partitioned off.
    """
    best = np.full((len(queries), 0), 0, np.float32)
    rows = np.zeros((len(queries), 0), np.int64)
    spent = np.zeros((TIMED_BY_NUMPY, 2))
    for start, draw_block in crowd.blocks(people):
        vectors = draw_block()
        for place, query in enumerate(queries[:TIMED_BY_NUMPY]):
            began = clocks()
            np.argpartition(-(vectors @ query), min(TOPK, len(vectors)) - 1)[:TOPK]
            spent[place] += clocks() - began
        scores = queries @ vectors.T
        nearest = np.argpartition(-scores, min(TOPK, len(vectors)) - 1, axis=1)[:, :TOPK]
        best = np.concatenate([best, np.take_along_axis(scores, nearest, 1)], axis=1)
        rows = np.concatenate([rows, nearest + start], axis=1)
        order = np.argsort(-best, axis=1)[:, :TOPK]
        best, rows = np.take_along_axis(best, order, 1), np.take_along_axis(rows, order, 1)
    wall, cpu = np.median(spent, axis=0) * 1e3
    return rows, {'numpy_ms': wall, 'numpy_cpu_ms': cpu}


def build(folder: Path, crowd: Crowd, people: int, backend: dict[str, Any]) -> Report:
    """Build an index, or go on building it, and say what it cost.

    The time to draw the people is left out.
    """
    model = ModelFingerprint('0' * 64, '0' * 64, crowd.dims)
    added = 0.0
    with open_or_create(folder, model, backend) as index:
        finished = index.shards()
        for number, (start, draw_block) in enumerate(crowd.blocks(people), 1):
            shard = f'block {start}'
            if shard in finished:
                continue
            vectors = draw_block()
            began = time.perf_counter()
            index.add(vectors, records(start, start + len(vectors)), shard)
            if number % COMMIT_EVERY == 0:
                index.commit()
            added += time.perf_counter() - began
        began, worked = time.perf_counter(), time.process_time()
        index.optimize()
        return {
            'add_s': added,
            'optimize_s': time.perf_counter() - began,
            'optimize_cpu_s': time.process_time() - worked,
            'disk_gib': sum(path.stat().st_size for path in folder.iterdir()) / 2**30,
        }


def open_or_create(folder: Path, model: ModelFingerprint, backend: dict[str, Any]) -> GalleryIndex:
    """Open the index of a run that was stopped, or a new one."""
    if (folder / MANIFEST).is_file():
        return GalleryIndex.open(folder, model, writable=True)
    return GalleryIndex.create(folder, model, backend)


def prepare(
    args: argparse.Namespace, folder: Path, crowd: Crowd, people: int, backend: dict[str, Any]
) -> Report:
    """Build an index, or take one that an earlier run has kept."""
    kept = folder.with_suffix('.json')
    if args.reuse and kept.is_file():
        return json.loads(kept.read_text())
    if not args.reuse:
        shutil.rmtree(folder, ignore_errors=True)
    report = build(folder, crowd, people, backend)
    write_json(kept, report)
    return report


def search_in_child(folder: Path, options: dict[str, Any], queries: np.ndarray, pipe: Any) -> None:
    """Open an index and search it, in a process that does nothing else."""
    began = time.perf_counter()
    index = GalleryIndex.open(folder, options=options)
    index.search(queries[:1], TOPK)
    opened = time.perf_counter() - began
    rows, spent = timed_searches(index, queries, None)
    report = {
        'open_s': opened,
        'median_ms': float(np.median(spent[:, 0]) * 1e3),
        'p95_ms': float(np.percentile(spent[:, 0], 95) * 1e3),
        'cpu_ms': float(np.median(spent[:, 1]) * 1e3),
        'peak_gib': resident_gib('VmHWM'),
        'anonymous_gib': resident_gib('RssAnon'),
    }
    where = SearchFilter(cameras=['camera 3'], time_from=0.0, time_to=len(index) / 2)
    filtered, spent = timed_searches(index, queries[:50], where)
    report['filtered_median_ms'], report['filtered_cpu_ms'] = np.median(spent, axis=0) * 1e3
    report['filtered_complete'] = all(len(found) == TOPK for found in filtered)
    report['filtered_peak_gib'] = resident_gib('VmHWM')
    pipe.send((rows, filtered, report))


def timed_searches(
    index: GalleryIndex, queries: np.ndarray, where: SearchFilter | None
) -> tuple[list[list[int]], np.ndarray]:
    """Search for one query after the other, records included."""
    rows, spent = [], []
    for query in queries:
        began = clocks()
        (hits,) = index.search(query[None], TOPK, where)
        spent.append(clocks() - began)
        rows.append([hit.row for hit in hits])
    return rows, np.array(spent)


def measure(
    folder: Path, options: dict[str, Any], queries: np.ndarray, truth: np.ndarray
) -> Report:
    """Search an index in a process of its own."""
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=search_in_child, args=(folder, options, queries, sender))
    child.start()
    sender.close()
    try:
        rows, _, report = receiver.recv()
    finally:
        child.join()
    found = [len(set(ours) & set(exact.tolist())) for ours, exact in zip(rows, truth)]
    return {'recall': sum(found) / truth.size, **report}


def run_one(args: argparse.Namespace, people: int) -> Iterator[Report]:
    """Measure every kind on one number of people."""
    identities = max(1, min(args.identities, people // 50))
    crowd = Crowd(args.dims, identities, args.spread, args.seed)
    queries = crowd.queries(args.queries)
    truth, numpy = search_with_numpy(crowd, people, queries)
    for kind in args.kind:
        options = json.loads(args.options)
        backend = {'type': 'FaissBackend', 'kind': kind, 'storage': args.storage, **options}
        folder = Path(args.work_dir) / f'{kind}_{args.storage}_{people}'
        report: Report = {'people': people, 'backend': backend, 'seed': args.seed}
        report.update(prepare(args, folder, crowd, people, backend))
        # An index that is used again may have been built with other ones.
        search = {name: options[name] for name in FaissBackend.SEARCH_OPTIONS & options.keys()}
        report.update(measure(folder, search, queries, truth))
        report.update(numpy, threads=int(os.environ['OMP_NUM_THREADS']))
        report['times_faster'] = report['numpy_ms'] / report['median_ms']
        report['load_average'] = os.getloadavg()[0]
        if not args.keep:
            shutil.rmtree(folder)
            folder.with_suffix('.json').unlink()
        yield report


def table(reports: list[Report]) -> str:
    """Lay the figures out as a table of Markdown."""
    columns = {
        'people': lambda r: f'{r["people"]:,}',
        'kind': lambda r: f'{r["backend"]["kind"]} {r["backend"]["storage"]}',
        'recall@10': lambda r: f'{r["recall"]:.4f}',
        'ms': lambda r: f'{r["median_ms"]:.2f} (CPU {r["cpu_ms"]:.2f})',
        'p95 ms': lambda r: f'{r["p95_ms"]:.2f}',
        'NumPy ms': lambda r: f'{r["numpy_ms"]:.1f} (CPU {r["numpy_cpu_ms"]:.1f})',
        'times faster': lambda r: f'{r["times_faster"]:.0f}',
        'filtered ms': lambda r: f'{r["filtered_median_ms"]:.2f} (CPU {r["filtered_cpu_ms"]:.2f})',
        'peak GiB': lambda r: f'{r["peak_gib"]:.2f}, anonymous {r["anonymous_gib"]:.2f}',
        'add s': lambda r: f'{r["add_s"]:.0f}',
        'optimize s': lambda r: f'{r["optimize_s"]:.0f} (CPU {r["optimize_cpu_s"]:.0f})',
        'disk GiB': lambda r: f'{r["disk_gib"]:.2f}',
        'threads, load': lambda r: f'{r["threads"]}, {r["load_average"]:.1f}',
    }
    rows = [list(columns), ['---:'] * len(columns)]
    rows += [[show(report) for show in columns.values()] for report in reports]
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def draw(reports: list[Report], path: str) -> None:
    """Plot latency and recall over the number of people."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout='constrained')
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    lines: dict[str, list[Report]] = {}
    for report in sorted(reports, key=lambda report: report['people']):
        name = f'{report["backend"]["kind"]} {report["backend"]["storage"]}'
        lines.setdefault(name, []).append(report)
    for name, points in lines.items():
        people = [point['people'] for point in points]
        left.plot(people, [point['median_ms'] for point in points], 'o-', label=name)
        right.plot(people, [point['recall'] for point in points], 'o-', label=name)
    brute = sorted({(report['people'], report['numpy_ms']) for report in reports})
    left.plot(*zip(*brute), 'k--', label='NumPy')
    left.set(xscale='log', yscale='log', xlabel='people', ylabel='median milliseconds a query')
    right.set(xscale='log', ylim=(0.8, 1.005), xlabel='people', ylabel='recall@10')
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110)


def main() -> None:
    """Measure, print, and add to the figures kept."""
    args = parse_args()
    if args.plot and not args.out:
        raise ConfigError('--plot draws the figures of --out, which is not given')
    check_writable(args.work_dir)
    kept = Path(args.out) if args.out else None
    reports = json.loads(kept.read_text()) if kept and kept.is_file() else []
    for people in args.people:
        for report in run_one(args, people):
            same = ('people', 'backend', 'seed')
            reports = [old for old in reports if any(old[key] != report[key] for key in same)]
            reports.append(report)
            print(table([report]), flush=True)
            if kept:
                write_json(kept, reports, indent=1)
    print(table(reports))
    if args.plot:
        draw(reports, args.plot)


if __name__ == '__main__':
    run_tool(main)
