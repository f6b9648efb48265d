"""Compare the time of building a gallery with the time of its networks alone.

Each processes the same images with the same batch size, several times in turn;
the shortest time of each counts. "Networks": forward passes of the detector and of
the re-ID network on inputs that are ready. "Re-ID": the latter alone. "Model": all
that the model does, suppression and cutting people out too. "Build": decoding,
preparing, model, tracks and a committed index.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import write_json
from mmclsa.utils.trust import add_trust_option


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file with a CropReID or OnnxReID branch')
    parser.add_argument('sources', nargs='+', metavar='SOURCE', help='folders, videos, lists')
    parser.add_argument('--checkpoint', help='weights (default: as the config initialises them)')
    add_trust_option(parser)
    parser.add_argument('--every', type=int, default=1, metavar='N', help='every N-th video frame')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--threads', type=int, default=2, help='threads of PyTorch')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--json', metavar='JSON', help='save the results')
    add_cfg_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import torch
from terminaltables import AsciiTable

from mmclsa.engine import load_config
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import Sampling, SourceOptions, build_gallery, plan_units
from mmclsa.inference import PersonSearchInferencer
from mmclsa.media import iterate_pictures
from mmclsa.models.reid import CropBranch

TARGET = 1.25


def prepare_batches(
    inferencer: PersonSearchInferencer, args: argparse.Namespace
) -> list[dict[str, Any]]:
    """Load and collate everything before the clock runs."""
    pictures = [p.array for p in iterate_pictures(args.sources, Sampling(args.every))]
    data = [inferencer.prepare(picture) for picture in pictures]
    size = args.batch_size
    return [inferencer.collate_fn(data[n : n + size]) for n in range(0, len(data), size)]


def record_inputs(
    inferencer: PersonSearchInferencer, batches: list[dict[str, Any]]
) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
    """Note what the detector and the re-ID network are fed with."""
    model = inferencer.model
    if not isinstance(model.reid, CropBranch):
        raise ConfigError('the config must have a CropReID or OnnxReID branch')
    crops: list[torch.Tensor] = []
    describe = model.reid.describe_crops
    model.reid.describe_crops = lambda x: (crops.append(x), describe(x))[1]
    recorded = []
    for batch in batches:
        crops.clear()
        inferencer.forward(batch)
        inputs = model.data_preprocessor(batch, False)['inputs']
        recorded.append((inputs, list(crops)))
    del model.reid.describe_crops
    return recorded


def run_networks(
    inferencer: PersonSearchInferencer,
    recorded: list[tuple[torch.Tensor, list[torch.Tensor]]],
    detector: bool = True,
) -> None:
    """Run the forward passes and nothing else; without the detector if not asked for."""
    model = inferencer.model
    with torch.no_grad():
        for inputs, crops in recorded:
            if detector:
                model.detector._forward(inputs)
            for part in crops:
                model.reid.describe_crops(part)


def run_model(inferencer: PersonSearchInferencer, batches: list[dict[str, Any]]) -> None:
    """Run the model on batches that are ready."""
    for batch in batches:
        inferencer.forward(batch)


def run_build(inferencer: PersonSearchInferencer, args: argparse.Namespace) -> None:
    """Build an index from the files."""
    sampling = Sampling(args.every)
    with TemporaryDirectory() as folder:
        index = GalleryIndex.create(Path(folder) / 'index', inferencer.fingerprint)
        with index:
            plan = plan_units(args.sources, sampling)
            build_gallery(index, inferencer, plan, SourceOptions(sampling), args.batch_size)


def clock(job: Callable[[], None]) -> tuple[float, float]:
    """Measure the time on the wall and of the processors, in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    inferencer = PersonSearchInferencer(
        load_config(args.config, args.cfg_options),
        args.checkpoint,
        'cpu',
        trust_checkpoint=args.trust_checkpoint,
    )
    assert inferencer.fingerprint  # digested once, before the clock runs
    batches = prepare_batches(inferencer, args)
    recorded = record_inputs(inferencer, batches)
    jobs: dict[str, Callable[[], None]] = {
        'networks': lambda: run_networks(inferencer, recorded),
        're-ID': lambda: run_networks(inferencer, recorded, detector=False),
        'model': lambda: run_model(inferencer, batches),
        'build': lambda: run_build(inferencer, args),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(args.rounds):
        for name, job in jobs.items():
            times[name].append(clock(job))
    best = {name: [min(column) for column in zip(*values)] for name, values in times.items()}
    count = sum(len(batch['inputs']) for batch in batches)
    people = sum(len(part) for _, crops in recorded for part in crops)
    rows = [['', 'seconds', 'ms a picture', 'processor seconds', 'ratio', 'ratio of processor']]
    for name, (wall, cpu) in best.items():
        ratios = [f'{wall / best["networks"][0]:.3f}', f'{cpu / best["networks"][1]:.3f}']
        rows.append([name, f'{wall:.3f}', f'{1000 * wall / count:.1f}', f'{cpu:.3f}', *ratios])
    print(f'{count} pictures, {people} people, batches of {args.batch_size}, ', end='')
    print(f'{args.threads} threads, best of {args.rounds} rounds')
    print(AsciiTable(rows).table)
    wall, cpu = (1000 * seconds / max(people, 1) for seconds in best['re-ID'])
    print(f're-ID network: {wall:.2f} ms a person, {cpu:.2f} ms of processor time')
    ratio = best['build'][0] / best['networks'][0]
    print(f'build / networks: {ratio:.3f} (target: at most {TARGET})')
    if args.json:
        figures = dict(pictures=count, people=people, seconds=best, ratio=ratio, rounds=times)
        write_json(args.json, figures, indent=1)


if __name__ == '__main__':
    run_tool(main)
