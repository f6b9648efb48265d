"""Compare the cost of CLSA with MMDetection's detector alone and with one level.

Three models of one config use the same detector, images and people: the
detector alone, with a re-ID branch on one level, and with CLSA. Their steps
alternate, so that other load on the machine affects all of them equally; a ratio
is the median of the ratios within a round. Time is CPU time of this process on a
CPU, and wall time on a GPU.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.choices import PRECISIONS
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', default='configs/clsa/clsa_r50_cuhk.py')
    parser.add_argument('--size', type=int, nargs=2, default=(448, 736), metavar=('H', 'W'))
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--boxes', type=int, nargs='+', default=(20, 100))
    parser.add_argument('--repeats', type=int, default=5, help='rounds after the warm-up')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument('--threads', type=int, default=1, help='threads of PyTorch on a CPU')
    parser.add_argument('--amp', choices=tuple(PRECISIONS), help='use autocast, also on a CPU')
    parser.add_argument(
        '--memory-only',
        action='store_true',
        help='only count the memory that a training step holds when its backward pass begins',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--loading',
        type=int,
        default=0,
        metavar='BATCHES',
        help='also time this many batches of the data loader; needs the data set',
    )
    parser.add_argument('--json', help='also save the results to this file')
    add_cfg_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import nn

from mmclsa.engine import load_config
from mmclsa.engine.cost import (
    StepMemory,
    alternate,
    count_flops,
    median_ratio,
    peak_of_allocations,
    record_saved_tensors,
    step_memory,
)
from mmclsa.models.searchers.float32_boxes import keep_boxes_in_float32
from mmclsa.registry import MODELS

PLAIN, ONE_LEVEL, CLSA = 'detector alone', 'one level', 'CLSA'
MIB = 2**20
#: Boxes of a picture that train the re-ID branch: those of people, and copies of each.
COPIES = 4


@dataclass
class Contender:
    """A model, and what one step of its training and of inference do."""

    name: str
    model: nn.Module
    train: Callable[[], None]
    test: Callable[[], None]
    loss: Callable[[], torch.Tensor]


def one_level(reid: dict[str, Any]) -> dict[str, Any]:
    """Reduce a scene branch to its middle level, without alignment."""
    reid = copy.deepcopy(reid)
    middle = len(reid['strides']) // 2
    indices = reid.get('in_indices') or range(len(reid['strides']))
    neck, head = reid['neck'], reid['head']
    # CLSANeck wants levels to align; this is its base class.
    neck.update(type='mmdet.FPN', in_channels=[neck['in_channels'][middle]], num_outs=1)
    head.update(num_levels=1, loss_align=None)
    reid.update(strides=(reid['strides'][middle],), in_indices=(list(indices)[middle],))
    return reid


def model_configs(cfg: Config, boxes: int) -> dict[str, dict[str, Any]]:
    """Write the three models' configs; each finds exactly so many people."""
    searcher = without_weights(cfg.model.to_dict())
    if searcher.get('type') != 'PersonSearcher' or searcher['reid'].get('type') != 'SceneReID':
        raise ConfigError('the benchmark needs the config of a PersonSearcher with a SceneReID')
    find_exactly(searcher['detector'], boxes)
    # Copies instead of proposals: an untrained detector's proposals lie on nobody.
    searcher['train_boxes'] = dict(copies=COPIES)
    return {
        PLAIN: {'_scope_': 'mmdet', **copy.deepcopy(searcher['detector'])},
        ONE_LEVEL: {**copy.deepcopy(searcher), 'reid': one_level(searcher['reid'])},
        CLSA: searcher,
    }


def without_weights(cfg: Any) -> Any:
    """Drop the weights that a config would start from: they take no part in the cost."""
    if isinstance(cfg, dict):
        kept = {key: without_weights(value) for key, value in cfg.items()}
        pretrained = isinstance(kept.get('init_cfg'), dict) and 'checkpoint' in kept['init_cfg']
        return {**kept, 'init_cfg': None} if pretrained else kept
    return [without_weights(part) for part in cfg] if isinstance(cfg, (list, tuple)) else cfg


def find_exactly(detector: dict[str, Any], boxes: int) -> None:
    """Let a two-stage detector give its best boxes whatever their scores and overlaps."""
    rcnn = (detector.get('test_cfg') or {}).get('rcnn')
    if rcnn is None:
        raise ConfigError('the benchmark needs a two-stage detector with test_cfg.rcnn')
    rcnn.update(score_thr=0.0, max_per_img=boxes, nms=dict(type='nms', iou_threshold=1.0))


def make_batch(batch_size: int, size: tuple[int, int], people: int, seed: int) -> dict[str, Any]:
    """Draw pictures of noise with upright people, some of them unlabelled."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    inputs, samples = [], []
    for index in range(batch_size):
        extent = torch.rand(people, 1, generator=generator) * 0.5 * height + 0.15 * height
        extent = torch.cat([extent * 0.4, extent], dim=1)
        room = torch.tensor([width, height]) - extent
        corner = torch.rand(people, 2, generator=generator) * room.clamp(min=0)
        sample = DetDataSample(
            metainfo=dict(
                img_id=index, img_shape=size, ori_shape=size, pad_shape=size,
                batch_input_shape=size, scale_factor=(1.0, 1.0),
            )
        )  # fmt: skip
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corner, corner + extent], dim=1),
            labels=torch.zeros(people, dtype=torch.int64),
            person_ids=torch.arange(people) + index * people - 1,
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64)
        )
        samples.append(sample)
        inputs.append(torch.randint(0, 256, (3, height, width), generator=generator).byte())
    return dict(inputs=inputs, data_samples=samples)


def make_contender(
    name: str, model: nn.Module, cfg: Config, data: dict[str, Any], precision: str | None
) -> Contender:
    """Tie a model to its optimizer and to the pictures."""
    optimizer = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    device = next(model.parameters()).device.type
    # Not AmpOptimWrapper, which refuses a CPU; the scale of the loss costs nothing.
    dtype = getattr(torch, PRECISIONS[precision]) if precision else None

    def forward() -> torch.Tensor:
        model.train()
        batch = model.data_preprocessor(copy.deepcopy(data), training=True)
        with torch.autocast(device, dtype, enabled=dtype is not None):
            loss, _ = model.parse_losses(model(**batch, mode='loss'))
        return loss

    def train() -> None:
        with optimizer.optim_context(model):
            loss = forward()
        optimizer.update_params(loss)

    @torch.no_grad()
    def test() -> None:
        model.eval()
        batch = model.data_preprocessor(copy.deepcopy(data), training=False)
        with torch.autocast(device, dtype, enabled=dtype is not None):
            for sample in model(**batch, mode='predict'):
                sample.pred_instances.bboxes.sum().item()

    return Contender(name, model, train, test, forward)


def build_contenders(
    cfg: Config, boxes: int, args: argparse.Namespace, device: torch.device
) -> list[Contender]:
    """Build the three models around one and the same detector."""
    people = max(boxes // (COPIES + 1), 1)
    data = make_batch(args.batch_size, tuple(args.size), people, args.seed)
    contenders: list[Contender] = []
    for name, model_cfg in model_configs(cfg, boxes).items():
        torch.manual_seed(args.seed)
        model = MODELS.build(ConfigDict(model_cfg))
        model.init_weights()
        if args.amp and not contenders:
            # MMDetection's own detector ends in an error in bfloat16.
            keep_boxes_in_float32(model)
        if contenders:
            model.detector.load_state_dict(contenders[0].model.state_dict())
        contenders.append(make_contender(name, model.to(device), cfg, data, args.amp))
    return contenders


def held_memory(contender: Contender) -> StepMemory:
    """Count what a training step holds when its backward pass begins."""
    with record_saved_tensors(contender.model) as saved:
        loss = contender.loss()
    del loss
    return step_memory(contender.model, saved.nbytes)


def memory(contender: Contender, device: torch.device) -> dict[str, float]:
    """Measure the memory of a training step, in MiB."""
    parts = held_memory(contender)
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        contender.train()
        peak = torch.cuda.max_memory_allocated(device)
    else:
        held = parts.parameters + parts.optimizer
        peak = held + peak_of_allocations(contender.train)
    return dict(saved=parts.activations / MIB, peak=peak / MIB)


def measure(cfg: Config, boxes: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure the three models with a number of boxes; one row a model."""
    device = torch.device(args.device)
    contenders = build_contenders(cfg, boxes, args, device)
    training = alternate([c.train for c in contenders], args.repeats, device)
    testing = alternate([c.test for c in contenders], args.repeats, device)
    rows = []
    for index, contender in enumerate(contenders):
        flops = count_flops(contender.test)
        rows.append(
            dict(
                model=contender.name,
                boxes=boxes,
                parameters=sum(p.numel() for p in contender.model.parameters()) / 1e6,
                train=statistics.median(training[index]),
                train_ratio=median_ratio(training[index], training[0]),
                test=statistics.median(testing[index]),
                test_ratio=median_ratio(testing[index], testing[0]),
                gflops=float('nan') if flops is None else flops / 1e9 / args.batch_size,
                **memory(contender, device),
            )
        )
    for row in rows:
        for key in ('gflops', 'saved', 'peak', 'parameters'):
            row[f'{key}_ratio'] = row[key] / rows[0][key]
    return rows


def print_held_memory(cfg: Config, boxes: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Print what a training step holds, without timing it and without its backward pass."""
    rows = []
    titles = ('parameters', 'gradients', 'optimizer', 'activations', 'total')
    print(f'{"boxes":>5} {"model":15}' + ''.join(f'{title:>13}' for title in titles) + '  MiB')
    for contender in build_contenders(cfg, boxes, args, torch.device(args.device)):
        parts = held_memory(contender)
        held = {title: getattr(parts, title) / MIB for title in titles}
        cells = ''.join(f'{value:13.1f}' for value in held.values())
        print(f'{boxes:5} {contender.name:15}{cells}', flush=True)
        rows.append(dict(model=contender.name, boxes=boxes, **held))
    return rows


COLUMNS = (
    ('train', 'training s', '.3f'),
    ('saved', 'saved MiB', '.0f'),
    ('peak', 'peak MiB', '.0f'),
    ('test', 'inference s', '.3f'),
    ('gflops', 'GFLOPs', '.1f'),
    ('parameters', 'param. M', '.2f'),
)


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print figures, each with its ratio to the detector alone."""
    head = ''.join(f'{title:>12} {"ratio":>6}' for _, title, _ in COLUMNS)
    print(f'{"boxes":>5} {"model":15}{head}')
    for row in rows:
        cells = ''.join(
            f'{row[key]:>12{style}} {row[f"{key}_ratio"]:>6.3f}' for key, _, style in COLUMNS
        )
        print(f'{row["boxes"]:5} {row["model"]:15}{cells}', flush=True)


def measure_loading(cfg: Config, batches: int) -> float:
    """Count the pictures a second that the training data loader delivers."""
    loader = Runner.build_dataloader(copy.deepcopy(cfg.train_dataloader), seed=0)
    stream = iter(loader)
    # The first batch waits for the worker processes to start.
    pictures = len(next(stream)['inputs']) * 0
    start = time.perf_counter()
    for _, batch in zip(range(batches), stream):
        pictures += len(batch['inputs'])
    if not pictures:
        raise ConfigError('--loading needs a training set of two batches at least')
    return pictures / (time.perf_counter() - start)


def report_loading(rate: float, cfg: Config, step: float, batch_size: int) -> None:
    """Print what the loader delivers beside what training takes."""
    needed = batch_size / step
    print(
        f'data loading: {rate:.1f} pictures/s by {cfg.train_dataloader.num_workers} workers; '
        f'CLSA trains {needed:.2f} pictures/s: {rate / needed:.1f} times what a step needs'
    )


def main() -> None:
    """Measure and print."""
    args = parse_args()
    if min(args.repeats, args.batch_size, args.threads, *args.boxes, *args.size) < 1:
        raise ConfigError('--repeats, --batch-size, --threads, --boxes and --size start at 1')
    if args.memory_only and args.loading:
        raise ConfigError('--loading is compared with a step, which --memory-only does not time')
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    torch.set_num_threads(args.threads)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.default_scope)
    # Initialisation logs a paragraph for every parameter.
    MMLogger.get_instance('benchmark', log_level='ERROR')
    rate = measure_loading(cfg, args.loading) if args.loading else None
    print(
        f'{args.config}, {args.batch_size} x {args.size[0]} x {args.size[1]}, {args.device}, '
        f'{args.threads} threads, median of {args.repeats} rounds; PyTorch {torch.__version__}, '
        f'{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start'
    )
    rows = []
    for boxes in args.boxes:
        if args.memory_only:
            rows.extend(print_held_memory(cfg, boxes, args))
            continue
        measured = measure(cfg, boxes, args)
        print_table(measured)
        rows.extend(measured)
    if rate is not None and rows:
        report_loading(rate, cfg, rows[2]['train'], args.batch_size)
    if args.json:
        write_json(args.json, rows, indent=1)


if __name__ == '__main__':
    run_tool(main)
