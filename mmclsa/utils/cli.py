"""What every command-line tool does: read its options at once, and say mistakes in a sentence.

PyTorch and MMDetection take seconds and hundreds of megabytes to import, and nobody
should wait for that after ``--help`` or a mistyped option. So each tool of
``tools/`` is written in this order: imports that are light, ``parse_args``, the call of
it, and only then the imports of what does the work::

    if __name__ == '__main__':
        parse_args()  # before the slow imports: see mmclsa.utils.cli

    from mmengine.runner import Runner

``main`` calls it again for the options. This module and those that the tools import
before that call (``tests/test_tools/test_help.py`` looks at them) stay light.
"""

from __future__ import annotations

import argparse
import atexit
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from mmclsa.errors import UserError
from mmclsa.utils.config_mistakes import mistake_in_config
from mmclsa.utils.trust import add_trust_option

__all__ = [
    'PREEMPTED_EXIT_CODE',
    'USER_ERROR_EXIT_CODE',
    'DictAction',
    'add_cfg_options',
    'add_converter_options',
    'run_tool',
    'user_message',
]

USER_ERROR_EXIT_CODE = 2
# EX_TEMPFAIL of sysexits.h: told to stop before the end; run it again with --resume auto.
PREEMPTED_EXIT_CODE = 75

# MMEngine's registries and PyTorch's worker processes raise an error again
# with the same type, but with words of their own around its message.
_REGISTRY_PREFIX = re.compile(r'^class `\w+` in \S+?\.py: ')
_WORKER_PREFIX = re.compile(r'^Caught \w+ in \w+ worker process')


class DictAction(argparse.Action):
    """MMEngine's action of this name, imported only where the option is given.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument('--cfg-options', nargs='+', action=DictAction)
        >>> parser.parse_args(['--cfg-options', 'a.b=1', 'c=x,2']).cfg_options
        {'a.b': 1, 'c': ['x', 2]}
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add KEY=VALUE pairs to those that the namespace has."""
        for pair in values or ():
            if '=' not in pair:
                parser.error(f'{option_string} must be KEY=VALUE, but is {pair!r}')
        from mmengine.config import DictAction as Delegate

        delegate = Delegate(self.option_strings, self.dest, nargs=self.nargs)
        try:
            delegate(parser, namespace, values, option_string or '')
        except AssertionError as error:  # brackets that do not match
            parser.error(f'{option_string}: {error}')


def add_cfg_options(parser: argparse.ArgumentParser, of: str = 'the config') -> None:
    """Add ``--cfg-options``, which every tool that takes a config has.

    Args:
        parser: The tool's.
        of: Whose settings they are, for the help.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_cfg_options(parser)
        >>> parser.parse_args(['--cfg-options', 'a.b=1']).cfg_options
        {'a.b': 1}
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help=f'override settings of {of}',
    )


def add_converter_options(parser: argparse.ArgumentParser) -> None:
    """Add what every tool of ``tools/model_converters/`` takes: ``CHECKPOINT --out FILE``.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_converter_options(parser)
        >>> args = parser.parse_args(['a.pth', '--out', 'b.pth'])
        >>> args.checkpoint, args.out
        ('a.pth', 'b.pth')
    """
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='published file')
    parser.add_argument('--out', metavar='FILE', required=True, help='checkpoint to write')
    add_trust_option(parser)


def run_tool(main: Callable[[], int | None]) -> NoReturn:
    """Run a tool's ``main`` and end the process with its exit code.

    A :class:`~mmclsa.errors.UserError` becomes one line on stderr and exit
    code 2, and so does what MMEngine and others raise at a mistake in a config
    (:func:`~mmclsa.utils.config_mistakes.mistake_in_config`). Ctrl-C is one
    line too, and the process then dies of it, as shells expect. Any other
    exception is a fault of the program and keeps its traceback.

    Args:
        main: Function without arguments; returns an exit code, None means 0.

    Raises:
        SystemExit: Always, but at Ctrl-C.

    Example:
        >>> run_tool(lambda: 0)
        Traceback (most recent call last):
        SystemExit: 0
    """
    # Of MMDetection's own grids of anchors; who reads it can do nothing about it.
    warnings.filterwarnings('ignore', r'torch\.meshgrid: in an upcoming release', UserWarning)
    try:
        code = main()
    except KeyboardInterrupt:
        # Python then ends itself by the signal: a loop of a shell ends with the tool.
        sys.excepthook = _say_stopped
        raise
    except Exception as error:
        message = mistake_in_config(error)
        if message is None and not isinstance(error, UserError):
            raise
        print(f'error: {message or user_message(error)}', file=sys.stderr)
        code = USER_ERROR_EXIT_CODE
    except SystemExit as ended:
        if ended.code == PREEMPTED_EXIT_CODE:
            # srun and torchrun end those that leave later than the first: let the code stand.
            with suppress(ValueError):  # in a thread
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if isinstance(ended.code, int):
            _end_with_others(ended.code)
        raise
    _end_with_others(code or 0)
    sys.exit(code or 0)


def _say_stopped(*_: Any) -> None:
    print('stopped by Ctrl-C', file=sys.stderr)


def _end_with_others(code: int) -> None:
    """End one of several processes, without what the system does after Python has ended.

    A process that ends while its group is there dies of SIGABRT now and then, of
    threads of gloo that are still at work, and a model holds on to its group.
    """
    distributed = sys.modules.get('torch.distributed')
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return
    atexit._run_exitfuncs()  # logs, workers, the group: all but the threads' end
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def user_message(error: BaseException) -> str:
    """Give the sentence of an error, on one line, without wrappers.

    Returns:
        The message as it was first written.

    Example:
        >>> user_message(UserError('class `Prw` in mmclsa/datasets/prw.py: no file a.mat'))
        'no file a.mat'
    """
    message = str(error).strip()
    if _WORKER_PREFIX.match(message):
        # The worker's traceback ends with "package.ErrorType: message".
        _, _, message = message.rpartition(f'{type(error).__name__}: ')
    while _REGISTRY_PREFIX.match(message):
        message = _REGISTRY_PREFIX.sub('', message, count=1)
    return ' '.join(message.split())
