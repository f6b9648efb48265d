"""Options that several commands have in common because they work on an index.

Light, as the tools read their command lines before anything slow is imported
(:mod:`mmclsa.utils.cli`).
"""

from __future__ import annotations

import argparse
from typing import Any

from mmclsa.utils.trust import add_trust_option

__all__ = [
    'LIMIT_NAMES',
    'add_index_argument',
    'add_keep_days',
    'add_limit_options',
    'add_model_options',
    'model_options',
]

#: What :func:`add_limit_options` calls the two times, for messages of ``search_filter``.
LIMIT_NAMES = ('--from', '--to')


def add_index_argument(parser: argparse.ArgumentParser) -> None:
    """Add the folder of the index.

    Args:
        parser: The tool's.
    """
    parser.add_argument('index', metavar='INDEX_DIR', help='folder of the index')


def add_limit_options(
    parser: argparse.ArgumentParser, end: str = '--to', until: str = 'first seen by this time'
) -> None:
    """Add which people are meant: ``--camera``, ``--from`` and an end.

    Args:
        parser: The tool's.
        end: Option of the end.
        until: What it says.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_limit_options(parser)
        >>> parser.parse_args(['--camera', 'a', 'b', '--to', '0:20'])
        Namespace(camera=['a', 'b'], time_from=None, time_to='0:20')
    """
    parser.add_argument('--camera', nargs='+', metavar='NAME', help='only people of these cameras')
    parser.add_argument(
        '--from', dest='time_from', metavar='T',
        help='only who was still seen at this time or later: seconds or h:mm:ss since the start of '
        'a video, or a date such as 2024-05-06T07:08:09 (UTC)',
    )  # fmt: skip
    parser.add_argument(end, dest='time_to', metavar='T', help=f'only who was {until}, likewise')


def add_keep_days(parser: argparse.ArgumentParser, when: str) -> None:
    """Add a retention rule.

    Args:
        parser: The tool's.
        when: What the help begins with.
    """
    parser.add_argument(
        '--keep-days',
        type=float,
        metavar='N',
        help=f'{when} who was last seen more than N days ago, by dates in the footage',
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add what may take the place of the model that an index names.

    Args:
        parser: The tool's.
    """
    parser.add_argument('--config', help='override the config stored in the index')
    parser.add_argument('--checkpoint', help='override the checkpoint named in the index')
    parser.add_argument(
        '--onnx',
        metavar='DIR',
        help='use a model exported by tools/deployment/export_onnx.py instead, which needs neither '
        'PyTorch nor OpenMMLab',
    )
    add_trust_option(parser)
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Give what :func:`add_model_options` has added, as ``embedder_of_index`` takes it.

    Args:
        args: The command line.

    Returns:
        Arguments by name.
    """
    names = ('config', 'checkpoint', 'onnx', 'device', 'trust_checkpoint')
    return {name: getattr(args, name) for name in names}
