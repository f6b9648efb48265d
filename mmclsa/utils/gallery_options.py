"""Options that several commands have in common because they work on an index.

Light, as the tools read their command lines before anything slow is imported
(:mod:`mmclsa.utils.cli`).
"""

from __future__ import annotations

import argparse
from typing import Any

from mmclsa.errors import ConfigError

__all__ = ['LIMIT_NAMES', 'add_shared_options', 'check_model_options', 'model_options']

#: What a user knows the two times of ``search_filter`` as.
LIMIT_NAMES = ('--from', '--to')


def _given_time(text: str) -> str:
    """Refuse an empty text, which an unset variable of a shell is: it would limit nothing."""
    if not text.strip():
        raise argparse.ArgumentTypeError('a time is expected, but the text is empty')
    return text


_SHARED: dict[str, dict[str, Any]] = {
    'index': dict(metavar='INDEX_DIR', help='folder of the index'),
    '--camera': dict(nargs='+', metavar='NAME', help='only people of these cameras'),
    '--from': dict(
        dest='time_from',
        type=_given_time,
        metavar='T',
        help='only who was still seen at this time or later: seconds or h:mm:ss since the start of '
        'a video, or a date such as 2024-05-06T07:08:09 (UTC)',
    ),
    '--to': dict(
        dest='time_to',
        type=_given_time,
        metavar='T',
        help='only who was first seen by this time (as --from)',
    ),
    '--before': dict(
        dest='time_to',
        type=_given_time,
        metavar='T',
        help='only who was last seen before this time (as --from)',
    ),
    '--keep-days': dict(
        type=float,
        metavar='N',
        help='delete from the index, for good, who was last seen more than N days ago, by dates in '
        'the footage; what else the command does comes after that',
    ),
    '--config': dict(help='override the config stored in the index'),
    '--checkpoint': dict(help='override the checkpoint named in the index'),
    '--onnx': dict(
        metavar='DIR',
        help='use a model exported by tools/deployment/export_onnx.py instead, which needs neither '
        'PyTorch nor OpenMMLab',
    ),
    '--device': dict(help='such as cpu or cuda:0 (default: a GPU if there is one)'),
}


def add_shared_options(parser: argparse.ArgumentParser, *names: str, **changes: Any) -> None:
    """Add options that other commands have too.

    Args:
        parser: The tool's.
        names: Of the options.
        changes: What is said otherwise of each, such as another ``help``.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_shared_options(parser, '--camera', '--to')
        >>> parser.parse_args(['--camera', 'a', 'b', '--to', '0:20'])
        Namespace(camera=['a', 'b'], time_to='0:20')
    """
    for name in names:
        parser.add_argument(name, **{**_SHARED[name], **changes})


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Give what takes the place of an index's model, as ``embedder_of_index`` takes it.

    Args:
        args: The command line.

    Returns:
        Arguments by name.

    Raises:
        ConfigError: If they contradict one another.
    """
    names = ('config', 'checkpoint', 'device', 'onnx', 'cfg_options')
    given = {name: getattr(args, name) for name in names}
    check_model_options(**given)
    return {**given, 'trust_checkpoint': args.trust_checkpoint}


def check_model_options(
    config: object, checkpoint: object, device: object, onnx: object, cfg_options: object
) -> None:
    """Refuse what cannot all take the place of an index's model; what is None is not given.

    Raises:
        ConfigError: If they contradict one another.

    Example:
        >>> check_model_options(None, 'a.pth', None, 'graphs', None)
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: --onnx takes the place of --config, --checkpoint and --device
    """
    if onnx is not None and any(given is not None for given in (config, checkpoint, device)):
        raise ConfigError('--onnx takes the place of --config, --checkpoint and --device')
    if cfg_options and config is None:
        raise ConfigError('--cfg-options override settings of --config, which is not given')
