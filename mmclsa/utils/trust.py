"""Whether a file from elsewhere may run its author's code; by default none may."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = [
    'HOW_TO_TRUST',
    'add_trust_option',
    'checkpoints_are_trusted',
    'trust_checkpoints',
    'trusting_checkpoints',
]

_OPTION = '--trust-checkpoint'
HOW_TO_TRUST = f'if you trust its author, say {_OPTION} (in Python trust_checkpoint=True)'
# A new thread starts without trust, whatever its parent was told.
_TRUSTED: ContextVar[bool] = ContextVar('mmclsa_trust_checkpoints', default=False)


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-checkpoint`` to a tool that loads a checkpoint.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_trust_option(parser)
        >>> parser.parse_args(['--trust-checkpoint']).trust_checkpoint
        True
    """
    parser.add_argument(
        _OPTION,
        action='store_true',
        help='let the checkpoint run code that its author put into it; only for authors you trust '
        '(default: such a checkpoint is refused)',
    )


def checkpoints_are_trusted() -> bool:
    """Say whether what is loaded here may run code."""
    return _TRUSTED.get()


def trust_checkpoints(trusted: bool) -> None:
    """Settle for the rest of this thread whether what is loaded may run code.

    Example:
        >>> trust_checkpoints(False)
        >>> checkpoints_are_trusted()
        False
    """
    _TRUSTED.set(trusted)


@contextmanager
def trusting_checkpoints(trusted: bool) -> Iterator[None]:
    """Let what is loaded in a block run code, if the user said so.

    Args:
        trusted: What the user said; False leaves things as they are.

    Example:
        >>> with trusting_checkpoints(True):
        ...     checkpoints_are_trusted()
        True
    """
    token = _TRUSTED.set(trusted or _TRUSTED.get())
    try:
        yield
    finally:
        _TRUSTED.reset(token)
