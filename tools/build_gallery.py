"""Find and describe everybody in footage, and keep it in a searchable index."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import DictAction, run_tool
from mmclsa.utils.times import parse_time
from mmclsa.utils.trust import add_trust_option


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint', help='trained weights; with --backend onnx the folder of the exported graphs'
    )
    parser.add_argument(
        'sources',
        nargs='+',
        metavar='SOURCE',
        help='folder of pictures and videos (with those below it), a picture, a video, or a text '
        'file with a path on each line',
    )
    add_trust_option(parser)
    parser.add_argument('--out', required=True, metavar='INDEX_DIR', help='folder of the index')
    frames = parser.add_mutually_exclusive_group()
    frames.add_argument('--every', type=int, default=1, metavar='N', help='every N-th video frame')
    frames.add_argument('--fps', type=float, metavar='F', help='so many video frames a second')
    parser.add_argument('--camera', default='', metavar='NAME', help='name of the camera')
    parser.add_argument(
        '--start-time',
        metavar='T',
        help="time of a video's first frame, such as 2024-05-06T07:08:09 (UTC), and of pictures "
        'without a time of their own',
    )
    parser.add_argument(
        '--det-thresh', type=float, help="least score of a person (default: the config's)"
    )
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument(
        '--backend',
        choices=('torch', 'onnx'),
        default='torch',
        help='what runs the networks; onnx takes what tools/deployment/export_onnx.py wrote',
    )
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--append', action='store_true', help='add to an index that another command has built'
    )
    parser.add_argument(
        '--ray', metavar='ADDRESS', help='build on this Ray cluster; "local" starts one here'
    )
    parser.add_argument('--ray-workers', type=int, default=2, metavar='N', help='models on Ray')
    parser.add_argument(
        '--index',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='backend of a new index, such as type=FaissBackend kind=hnsw storage=fp16',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config',
    )
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import torch
from mmengine.config import Config
from rich.console import Console

from mmclsa.apis import PersonSearchInferencer
from mmclsa.deploy import OnnxSearcher
from mmclsa.engine import load_config
from mmclsa.engine.model_description import describe_model
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import (
    BuildFile,
    BuildReport,
    Job,
    QueryEmbedder,
    Sampling,
    SourceOptions,
    build_gallery,
    build_in_processes,
    build_with_ray,
    is_launched,
    open_for_build,
    pending_units,
    plan_units,
    print_report,
    progress_bar,
)


def make_embedder(
    backend: str,
    config: str,
    checkpoint: str,
    device: str | None,
    det_thresh: float | None,
    trust_checkpoint: bool,
) -> QueryEmbedder:
    """Load the model, here or in a worker of Ray; the config is the text of the user's own."""
    if backend == 'onnx':
        return OnnxSearcher(checkpoint, det_thresh)
    return PersonSearchInferencer(
        Config.fromstring(config, '.py'),
        checkpoint,
        device,
        det_thresh,
        trust_checkpoint=trust_checkpoint,
    )


def settle(args: argparse.Namespace, cfg: Config) -> tuple[SourceOptions, QueryEmbedder, BuildFile]:
    """Load the model and note what the command is."""
    start = None if args.start_time is None else parse_time(args.start_time)
    options = SourceOptions(Sampling(args.every, args.fps), args.camera, start)
    model = (args.backend, cfg.pretty_text, args.checkpoint, args.device)
    embedder = make_embedder(*model, args.det_thresh, args.trust_checkpoint)
    job = Job(
        sources=tuple(os.path.abspath(source) for source in args.sources),
        every=args.every,
        fps=args.fps,
        camera=args.camera,
        start_time=start,
        det_thresh=embedder.det_thresh,
    )
    checkpoint = str(Path(args.checkpoint).resolve())
    return options, embedder, BuildFile(describe_model(cfg), checkpoint, args.backend, (job,))


def build_here(
    args: argparse.Namespace,
    cfg: Config,
    index: GalleryIndex,
    embedder: QueryEmbedder,
    build: BuildFile,
    options: SourceOptions,
    console: Console,
) -> BuildReport:
    """Build in this process, or from it on Ray."""
    plan = plan_units(args.sources, options.sampling)
    total = sum(unit.num_frames for unit in pending_units(index, plan))
    with progress_bar(total, console) as advance:
        if not args.ray:
            return build_gallery(
                index, embedder, plan, options, args.batch_size, on_pictures=advance
            )
        model = (args.backend, cfg.pretty_text, build.checkpoint, args.device)
        return build_with_ray(
            index,
            partial(make_embedder, *model, embedder.det_thresh, args.trust_checkpoint),
            plan,
            options,
            args.ray,
            args.ray_workers,
            args.batch_size,
            gpus=float((args.device or '').startswith('cuda')),
            on_pictures=advance,
        )


def main() -> None:
    """Build."""
    args = parse_args()
    if args.ray and is_launched():
        raise ConfigError('either --ray or torchrun may be used, not both')
    if is_launched() and torch.cuda.is_available():
        args.device = args.device or f'cuda:{os.environ["LOCAL_RANK"]}'
    console = Console(stderr=True)
    cfg = load_config(args.config, args.cfg_options)
    options, embedder, build = settle(args, cfg)
    open_index = partial(
        open_for_build, args.out, embedder.fingerprint, build, args.append, args.index
    )
    if is_launched():
        plan_sources = partial(plan_units, args.sources, options.sampling)
        report, index = build_in_processes(
            open_index, plan_sources, embedder, options, args.batch_size
        )
        if index is None:
            return
    else:
        plan_units(args.sources, options.sampling)  # a wrong source leaves no empty index behind
        index = open_index()
        report = build_here(args, cfg, index, embedder, build, options, console)
    with index:
        index.optimize()
        print_report(report, len(index), console)


if __name__ == '__main__':
    run_tool(main)
