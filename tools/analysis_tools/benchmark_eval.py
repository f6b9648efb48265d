"""Measure time and peak memory of the evaluation on generated data of real size.

Each task runs in its own process, so that peak memory is measured per task. The time is
from loaded predictions and protocols to metrics. Each person has a random direction, and
the embeddings of their detections are that direction with noise.

The limit is the time of what no evaluation can leave out, measured in turn with it: for large
galleries one product of all queries with all detections, each similarity compared once and
each gallery list read once; for small ones, one read of a query's embedding for each of its
gallery images, and the products of the pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import atomic_write
from mmclsa.utils.resident import resident_gib

TITLES = {
    'cuhk_g100': 'CUHK-SYSU gallery 100',
    'cuhk_all': 'CUHK-SYSU gallery 50 to 4000 and full',
    'cuhk_cbgm': 'CUHK-SYSU gallery 100, CBGM',
    'prw_both': 'PRW regular + multi-view',
    'prw_cbgm': 'PRW regular + multi-view, CBGM',
    'prw_rerank': 'PRW regular + multi-view, re-ranking',
    'movienet_10000': 'MovieNet-PS gallery 10,000',
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--tasks', nargs='*', choices=tuple(TITLES), default=tuple(TITLES))
    parser.add_argument('--runs', type=int, default=5, help='number of runs; the median is printed')
    parser.add_argument('--threads', type=int, default=2, help='threads of the matrix product')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', default='cpu', help='cpu (NumPy), cuda, ...')
    parser.add_argument(
        '--growth', action='store_true', help='also run with five numbers of detections'
    )
    parser.add_argument('--plot', metavar='OUT.png', help='plot them; implies --growth')
    parser.add_argument('--worker', help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np

from mmclsa.evaluation.device import product_on
from mmclsa.evaluation.functional import SearchFlags, evaluate_searches
from mmclsa.evaluation.functional.similarity import is_dense
from mmclsa.structures import Predictions, SearchProtocol, offsets_of

DIMS = 256
NOISE = 5.0
SIZES = (50, 100, 500, 1000, 2000, 4000)
BLOCK = 128
GROWTH = (0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class World:
    """A made-up data set.

    Attributes:
        images: Number of images.
        detections: Number of detections.
        queries: Number of queries, each of a person of its own.
        shown: Gallery images that show each person.
        cameras: Number of cameras.
        rng: Source of all chance.
    """

    images: int
    detections: int
    queries: int
    shown: int
    cameras: int
    rng: np.random.Generator


@dataclass(frozen=True)
class Made:
    """Predictions, and where each query's person is."""

    world: World
    predictions: Predictions
    query_images: np.ndarray
    truth_images: np.ndarray
    truth_boxes: np.ndarray


def make(world: World) -> Made:
    """Scatter people over images, and detect most of them."""
    rng, count = world.rng, world.queries
    people = rng.normal(size=(count, DIMS)).astype(np.float32)
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    query_images = rng.integers(0, world.images, count)
    shown = rng.integers(0, world.images, (count, world.shown))
    # A query's own image is in no gallery.
    shown = np.where(shown == query_images[:, None], (shown + 1) % world.images, shown)
    boxes = _boxes(rng, count * world.shown)
    spare = max(world.detections - len(boxes), 0)
    owners = np.concatenate([np.repeat(np.arange(count), world.shown), np.full(spare, -1)])
    images = np.concatenate([shown.ravel(), rng.integers(0, world.images, spare)])
    found = np.concatenate([boxes, _boxes(rng, spare)]) + rng.normal(0, 2, (len(images), 4))
    embeddings = rng.normal(0, NOISE / np.sqrt(DIMS), (len(images), DIMS)).astype(np.float32)
    embeddings[owners >= 0] += people[owners[owners >= 0]]
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    kept = rng.permutation(len(images))[: world.detections]
    keys = np.array([f's{i}.jpg' for i in range(world.images)])
    predictions = Predictions(
        images=keys[images[kept]],
        boxes=found[kept],
        scores=rng.uniform(0.5, 1.0, len(kept)).astype(np.float32),
        embeddings=embeddings[kept],
        query_images=keys[query_images],
        query_boxes=_boxes(rng, count),
        query_embeddings=people,
    )
    return Made(world, predictions, query_images, shown, boxes.reshape(count, world.shown, 4))


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corners = rng.uniform(0, 1000, (count, 2))
    heights = rng.uniform(40, 400, (count, 1))
    return np.concatenate([corners, corners + heights * [0.4, 1.0]], axis=1)


def protocol(made: Made, size: int | None, cross: bool = False) -> SearchProtocol:
    """Make a task with galleries of a size, or of every image."""
    world, rng = made.world, made.world.rng
    count, offsets, listed = world.queries, None, None
    if size is not None:
        others = rng.integers(0, world.images - 1, (count, max(size - world.shown, 0)))
        others += others >= made.query_images[:, None]
        listed = np.concatenate([made.truth_images, others], axis=1)[:, :size].ravel()
        offsets = offsets_of([size] * count)
    cams = np.arange(world.images) % world.cameras
    task = SearchProtocol(
        name='all' if size is None else f'gallery_{size}',
        images=tuple(f's{i}.jpg' for i in range(world.images)),
        query_ids=np.arange(count),
        query_images=made.query_images,
        query_boxes=made.predictions.query_boxes,
        person_ids=np.arange(count),
        cam_ids=cams[made.query_images],
        truth_offsets=offsets_of([world.shown] * count),
        truth_images=made.truth_images.ravel(),
        truth_boxes=made.truth_boxes.reshape(-1, 4),
        gallery_offsets=offsets,
        gallery_images=listed,
        image_cams=cams,
        cbgm_sizes=(10, 3) if world.cameras == 1 else (30, 4),
    )
    return task.with_camera_rule('cross') if cross else task


Task = tuple[Predictions, list[SearchProtocol], SearchFlags]


def cuhk(seed: int, sizes: Sequence[int | None], cbgm: bool = False, share: float = 1.0) -> Task:
    """CUHK-SYSU's sizes: 2,900 queries, 6,978 images, 36,000 detections."""
    world = World(6978, int(36000 * share), 2900, 3, 1, np.random.default_rng(seed))
    made = make(world)
    return made.predictions, [protocol(made, size) for size in sizes], SearchFlags(cbgm=cbgm)


def prw(seed: int, cbgm: bool = False, share: float = 1.0, rerank: bool = False) -> Task:
    """PRW's sizes: 2,057 queries, 6,112 images, 27,000 detections, 6 cameras.

    Its 450 people are queried several times; here each query has a person of its
    own, in 11 images, since that is what 23,000 labelled boxes allow. ``share``
    makes the gallery smaller, the queries stay.
    """
    sizes = (int(6112 * share), int(27000 * share), 2057, max(int(11 * share), 1), 6)
    world = World(*sizes, np.random.default_rng(seed))
    made = make(world)
    tasks = [protocol(made, None), protocol(made, None, cross=True)]
    return made.predictions, tasks, SearchFlags(cbgm=cbgm, rerank=rerank)


def movienet(seed: int) -> Task:
    """MovieNet-PS's largest gallery: 10,000 images; 1,000 queries, 30,000 detections."""
    made = make(World(10001, 30000, 1000, 10, 1, np.random.default_rng(seed)))
    return made.predictions, [protocol(made, 10000)], SearchFlags()


TASKS: dict[str, Callable[[int], Task]] = {
    'cuhk_g100': lambda seed: cuhk(seed, [100]),
    'cuhk_all': lambda seed: cuhk(seed, [*SIZES, None]),
    'cuhk_cbgm': lambda seed: cuhk(seed, [100], cbgm=True),
    'prw_both': prw,
    'prw_cbgm': lambda seed: prw(seed, cbgm=True),
    'prw_rerank': lambda seed: prw(seed, rerank=True),
    'movienet_10000': movienet,
    **{f'growth_{share}': lambda seed, s=share: prw(seed, share=s) for share in GROWTH},
}


def bound(predictions: Predictions, protocols: Sequence[SearchProtocol]) -> None:
    """Do what no evaluation of these tasks can leave out, and nothing else."""
    queries, found = predictions.query_embeddings, predictions.embeddings
    dense = [task for task in protocols if is_dense(task)]
    for low in range(0, len(queries) if dense else 0, BLOCK):
        similarities = queries[low : low + BLOCK] @ found.T
        np.count_nonzero(similarities >= similarities[:, :1])
    for task in dense:
        if task.gallery_images is not None:
            np.max(task.gallery_images)
    for task in protocols:
        if task.gallery_images is None or is_dense(task):
            continue
        owners = np.repeat(np.arange(len(task)), np.diff(task.gallery_offsets))
        mean = max(len(found) // len(task.images), 1)
        for low in range(0, len(owners), BLOCK):
            np.count_nonzero(queries[owners[low : low + BLOCK]] @ found[:mean].T >= 0)


def measure(name: str, runs: int, seed: int, device: str) -> dict[str, float]:
    """Run one task in this process."""
    predictions, protocols, flags = TASKS[name](seed)
    before = 1024 * resident_gib('VmHWM')
    seconds, worked, limits = [], [], []
    for _ in range(runs):
        start = time.perf_counter()
        bound(predictions, protocols)
        limits.append(time.perf_counter() - start)
        start, busy = time.perf_counter(), time.process_time()
        make_product = product_on(device)
        results = evaluate_searches(protocols, predictions, flags, make_product=make_product)
        seconds.append(time.perf_counter() - start)
        worked.append(time.process_time() - busy)
    return dict(
        seconds=statistics.median(seconds),
        cpu_seconds=statistics.median(worked),
        limit=statistics.median(limits),
        times_limit=statistics.median(s / least for s, least in zip(seconds, limits)),
        peak_mib=1024 * resident_gib('VmHWM'),
        loaded_mib=before,
        detections=len(predictions.scores),
        mAP=results[0].mean_average_precision,
    )


def measure_apart(name: str, args: argparse.Namespace) -> dict[str, float]:
    """Run one task in a process of its own."""
    command = [
        sys.executable, __file__, '--worker', name, '--runs', str(args.runs),
        '--seed', str(args.seed), '--device', args.device,
    ]  # fmt: skip
    threads = {'OMP_NUM_THREADS': str(args.threads), 'OPENBLAS_NUM_THREADS': str(args.threads)}
    done = subprocess.run(
        command, env={**os.environ, **threads}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigError(f'the task {name} failed: {done.stderr.strip().splitlines()[-1]}')
    return json.loads(done.stdout.splitlines()[-1])


def plot(path: str, figures: dict[str, dict[str, float]]) -> None:
    """Draw CPU seconds against detections: other work on the machine does not show in them."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    grown = [figures[f'growth_{share}'] for share in GROWTH]
    figure, axes = pyplot.subplots(figsize=(5, 3.5), layout='constrained')
    axes.plot([f['detections'] for f in grown], [f['cpu_seconds'] for f in grown], 'o-')
    axes.set(xlabel='detections', ylabel='CPU seconds', title='PRW regular + multi-view')
    axes.set_xlim(0)
    axes.set_ylim(0)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)


def main() -> None:
    """Measure and print."""
    args = parse_args()
    if args.runs < 1 or args.threads < 1:
        raise ConfigError('--runs and --threads must be at least 1')
    if args.worker:
        print(json.dumps(measure(args.worker, args.runs, args.seed, args.device)))
        return
    product_on(args.device)
    growth = [f'growth_{share}' for share in GROWTH] if args.growth or args.plot else []
    load = os.getloadavg()[0]
    print(
        f'median of {args.runs} runs, {args.threads} threads, device {args.device}; '
        f'{os.cpu_count()} cores, load {load:.1f} at the start'
    )
    print(
        f'{"task":40} {"detections":>10} {"seconds":>8} {"CPU s":>8} {"limit s":>8} {"ratio":>6} '
        f'{"peak MiB":>8} {"mAP":>6}'
    )
    figures = {}
    for name in [*args.tasks, *growth]:
        figures[name] = f = measure_apart(name, args)
        print(
            f'{TITLES.get(name, "PRW, share " + name[7:]):40} {f["detections"]:10.0f} '
            f'{f["seconds"]:8.2f} {f["cpu_seconds"]:8.2f} {f["limit"]:8.2f} '
            f'{f["times_limit"]:6.1f} {f["peak_mib"]:8.0f} {f["mAP"]:6.3f}',
            flush=True,
        )
    if args.plot:
        plot(args.plot, figures)


if __name__ == '__main__':
    run_tool(main)
