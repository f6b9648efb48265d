"""Detect all people in footage, and save their embeddings in a searchable index."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.choices import NO_CHECKPOINT, given_checkpoint
from mmclsa.utils.cli import DictAction, add_cfg_options, run_tool
from mmclsa.utils.text import counted
from mmclsa.utils.times import parse_time
from mmclsa.utils.trust import add_trust_option

if TYPE_CHECKING:
    from mmengine.config import Config


def is_exported_given() -> bool:
    """Look whether --onnx is there, without which config and checkpoint must be."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--onnx', nargs='?')
    return parser.parse_known_args()[0].onnx is not None


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add what the model is."""
    parser.set_defaults(config=None, checkpoint=None)
    if not is_exported_given():
        parser.add_argument('config', help='config file')
        parser.add_argument(
            'checkpoint',
            nargs='?',
            help='trained weights; "none" for those that the config names (may be left out with a '
            're-ID network in an ONNX file); with --runtime onnx, the folder of exported graphs',
        )
    parser.add_argument(
        '--onnx',
        metavar='DIR',
        help='in place of config and checkpoint, a model exported by '
        'tools/deployment/export_onnx.py, which needs neither PyTorch nor OpenMMLab',
    )
    add_trust_option(parser)
    add_cfg_options(parser)


def add_footage_options(parser: argparse.ArgumentParser) -> None:
    """Add what the footage is, and what is looked at."""
    parser.add_argument(
        'sources',
        nargs='+',
        metavar='SOURCE',
        help='folder of images and videos (searched recursively, links included), an image, a '
        'video, a pattern such as "~/cam*/**/*.jpg", or a text file with one of these per line',
    )
    frames = parser.add_mutually_exclusive_group()
    frames.add_argument(
        '--every', type=int, default=1, metavar='N', help='use every N-th video frame'
    )
    frames.add_argument('--fps', type=float, metavar='F', help='use F video frames per second')
    parser.add_argument('--camera', default='', metavar='NAME', help='name of the camera')
    parser.add_argument(
        '--start-time',
        metavar='T',
        help='time of the first frame of a video, such as 2024-05-06T07:08:09 (UTC), and of images '
        'without EXIF time (default: of a video, the creation time that its file notes, else 0)',
    )
    parser.add_argument(
        '--name-pattern',
        metavar='PATTERN',
        help='how names of files tell camera and start time, such as "{camera}_{date}_{time}", or '
        '"{camera}/*" where each camera has its folder; takes precedence over --camera and '
        '--start-time',
    )


def add_index_options(parser: argparse.ArgumentParser) -> None:
    """Add what the index is, and what gets into it."""
    parser.add_argument('--out', required=True, metavar='INDEX_DIR', help='folder of the index')
    parser.add_argument(
        '--append', action='store_true', help='add to an index that was built by another command'
    )
    parser.add_argument(
        '--det-thresh', type=float, help='detection threshold (default: that of the config)'
    )
    parser.add_argument(
        '--unit',
        choices=('sighting', 'detection'),
        default='sighting',
        help='what a row of the index is: in a video, a person seen for a while, or each detection '
        '(default: sighting); in an image, it is a detection',
    )
    parser.add_argument(
        '--no-crops',
        action='store_true',
        help='do not keep a small JPEG of each row, which shows results without their video',
    )
    parser.add_argument(
        '--index',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='backend of a new index, such as kind=hnsw storage=fp16 (of type=FaissBackend)',
    )


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """Add how, and by how many, it is computed."""
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument(
        '--runtime',
        '--backend',
        choices=('torch', 'onnx'),
        help='runtime of the networks; onnx runs the output of tools/deployment/export_onnx.py '
        '(default: torch)',
    )
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--ray',
        metavar='ADDRESS',
        help='build on this Ray cluster; "local" starts one on this machine',
    )
    parser.add_argument(
        '--ray-workers', type=int, default=2, metavar='N', help='number of models on Ray'
    )


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_options(parser)
    add_footage_options(parser)
    add_index_options(parser)
    add_running_options(parser)
    # Intermixed, so that options may stand between checkpoint and sources.
    return parser.parse_intermixed_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from rich.console import Console

from mmclsa.gallery.building import (
    BuildCommand,
    BuildFile,
    BuildReport,
    InProcess,
    Plan,
    QueryEmbedder,
    RayActors,
    Sampling,
    SourceOptions,
    build_in_ranks,
    open_for_build,
    plan_in_ranks,
    plan_units,
    print_report,
    progress_bar,
    run_build,
)
from mmclsa.inference.onnx import OnnxSearcher
from mmclsa.media import NamePattern, absolute_source, is_picture, is_video
from mmclsa.utils.processes import is_launched
from mmclsa.utils.weight_places import find_places, is_complete


def read_model(args: argparse.Namespace) -> Config | None:
    """Read the config, and settle what is checkpoint and what is source; None for graphs alone."""
    if args.onnx is not None:
        if args.device or args.cfg_options:
            raise ConfigError('--onnx takes the place of config, --cfg-options and --device')
        if args.runtime == 'torch':
            raise ConfigError('--onnx and --runtime torch contradict each other')
        if args.sources[0].endswith('.py'):
            raise ConfigError(
                f'--onnx takes the place of config and checkpoint, but {args.sources[0]} is given'
            )
        args.checkpoint, args.runtime = args.onnx, 'onnx'
        return None
    args.runtime = args.runtime or 'torch'
    from mmclsa.engine import load_config

    cfg = load_config(args.config, args.cfg_options)
    settle_checkpoint(args, is_complete(cfg.model))
    if is_complete(cfg.model):  # Ray's actors are in folders of their own
        cfg.merge_from_dict(find_places(cfg.model))
    return cfg


def settle_checkpoint(args: argparse.Namespace, complete: bool) -> None:
    """Tell the checkpoint from the first source; a complete model needs none."""
    first = args.checkpoint
    if complete and args.runtime == 'torch' and first not in (None, NO_CHECKPOINT):
        weights = os.path.isfile(first) and not first.lower().endswith('.txt')
        if not weights or is_medium(first):
            args.checkpoint, args.sources = None, [first, *args.sources]
    elif not complete and (first is None or (args.runtime == 'torch' and is_medium(first))):
        given = f'only {args.sources[0]} is given' if first is None else f'{first} stands there'
        raise ConfigError(
            f'the checkpoint must stand before the sources, or "{NO_CHECKPOINT}" for the model as '
            f'{args.config} initialises it, but {given}'
        )
    args.checkpoint = given_checkpoint(args.checkpoint)
    if args.checkpoint is None and args.runtime == 'onnx':
        raise ConfigError('--runtime onnx needs the folder of the exported graphs')


def is_medium(path: str) -> bool:
    """Say whether a path is by its name a picture or a video, and so no checkpoint."""
    return is_picture(path) or is_video(path)


def load_model(args: argparse.Namespace, config: str) -> QueryEmbedder:
    """Load the model; the config is the text of the user's own."""
    if args.runtime == 'onnx':
        return OnnxSearcher(args.checkpoint, args.det_thresh)
    from mmengine.config import Config

    from mmclsa.inference import PersonSearchInferencer

    return PersonSearchInferencer(
        Config.fromstring(config, '.py'),
        args.checkpoint,
        args.device,
        args.det_thresh,
        trust_checkpoint=args.trust_checkpoint,
    )


def source_options(args: argparse.Namespace) -> SourceOptions:
    """Gather what holds for all sources."""
    start = None if args.start_time is None else parse_time(args.start_time, '--start-time')
    sampling = Sampling(args.every, args.fps)
    return SourceOptions(sampling, args.camera, start, args.unit, not args.no_crops)


def make_worker(args: argparse.Namespace, config: str) -> InProcess:
    """Load the model, here or in an actor of Ray."""
    return InProcess(load_model(args, config), source_options(args), args.batch_size)


def describe_build(
    args: argparse.Namespace, cfg: Config | None, options: SourceOptions
) -> BuildFile:
    """Note what the command is."""
    command = BuildCommand(
        sources=tuple(absolute_source(source) for source in args.sources),
        every=args.every,
        fps=args.fps,
        camera=args.camera,
        start_time=options.start_time,
        det_thresh=args.det_thresh,
        name_pattern=args.name_pattern or '',
        unit=options.unit,
        crops=options.crops,
    )
    checkpoint = str(Path(args.checkpoint).resolve()) if args.checkpoint else ''
    if cfg is None:  # the graphs tell how they are run, not what they were made of
        return BuildFile({}, checkpoint, args.runtime, (command,))
    from mmclsa.engine.model_description import describe_model

    places = find_places(cfg.model, initial=not checkpoint) if args.runtime == 'torch' else {}
    return BuildFile(describe_model(cfg), checkpoint, args.runtime, (command,), places)


def make_actors(args: argparse.Namespace, config: str, build: BuildFile) -> RayActors:
    """Set up Ray's actors, each of which loads the same model."""
    theirs = argparse.Namespace(**{**vars(args), 'checkpoint': build.checkpoint or None})
    gpus = float((args.device or '').startswith('cuda'))
    return RayActors(partial(make_worker, theirs, config), args.ray, args.ray_workers, gpus)


def choose_device(args: argparse.Namespace) -> None:
    """Give each process of torchrun its GPU."""
    if is_launched() and args.runtime == 'torch':
        import torch

        if torch.cuda.is_available():
            args.device = args.device or f'cuda:{os.environ["LOCAL_RANK"]}'


def main() -> None:
    """Build."""
    args = parse_args()
    if args.ray and is_launched():
        raise ConfigError('either --ray or torchrun may be used, not both')
    cfg = read_model(args)
    choose_device(args)
    options = source_options(args)
    names = None if args.name_pattern is None else NamePattern(args.name_pattern)
    plan_sources = partial(plan_units, args.sources, options.sampling, names)
    # Before a model is loaded.
    planned = plan_in_ranks(plan_sources) if is_launched() else nullcontext(plan_sources())
    with planned as plan:
        done = build(args, cfg, options, plan)
    if done is not None and done[0].nothing_read:
        files = counted(len(done[0].skipped), 'file')
        raise DataError(f'nothing could be read of the sources: {files} skipped')


def build(
    args: argparse.Namespace, cfg: Config | None, options: SourceOptions, plan: Plan
) -> tuple[BuildReport, int] | None:
    """Load the model, build and report; None in all processes of torchrun but the first."""
    config = '' if cfg is None else cfg.pretty_text
    embedder = load_model(args, config)
    args.det_thresh = embedder.det_thresh
    described = describe_build(args, cfg, options)
    own = InProcess(embedder, options, args.batch_size)
    open_index = partial(
        open_for_build, args.out, embedder.fingerprint, described, args.append, args.index
    )
    console = Console(stderr=True)
    progress = partial(progress_bar, console=console)
    if is_launched():
        done = build_in_ranks(open_index, lambda: plan, own, args.out, progress=progress)
    else:
        workers = make_actors(args, config, described) if args.ray else own
        done = run_build(open_index, lambda: plan, workers, progress=progress)
    if done is not None:
        print_report(*done, console)
    return done


if __name__ == '__main__':
    run_tool(main)
