"""Run torchrun, report why a process ended, and exit with its code.

Used by tools/dist_train.sh and tools/dist_test.sh. The options are those of torchrun.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmclsa.utils.cli import PREEMPTED_EXIT_CODE, USER_ERROR_EXIT_CODE


def parse_args() -> None:
    """Tell who asks for help, or names no script; torchrun reads the command line itself."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage='%(prog)s [options of torchrun] SCRIPT [options of the script]',
        epilog='torchrun --help lists its options.',
        allow_abbrev=False,
    )
    parser.add_argument('script', nargs=argparse.REMAINDER, help='script that each process runs')
    known, _ = parser.parse_known_args()
    if not known.script:
        parser.error('the script is missing')


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def children() -> list[int]:
    """List the processes that this one started, as far as the system tells (Linux)."""
    found = []
    for entry in Path('/proc').glob('[0-9]*/stat'):
        try:
            # "pid (name) state parent ...", and the name may have anything in it.
            parent = int(entry.read_text().rpartition(')')[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it has ended meanwhile
        if parent == os.getpid():
            found.append(int(entry.parent.name))
    return found


def pass_on(number: int, frame: Any) -> None:
    """Give a signal to the processes: torchrun, which does not know it, would die of it."""
    for pid in children():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, number)


def sentence(rank: int, code: int) -> str:
    """Say how a process ended."""
    if code == PREEMPTED_EXIT_CODE:
        return f'process {rank} was told to stop and has left'
    if code == -signal.SIGKILL:
        return f'process {rank} was killed from outside (SIGKILL), perhaps for want of memory'
    if code < 0:
        return f'process {rank} was ended by {signal.Signals(-code).name}'
    return f'process {rank} ended with the exit code {code}; what it wrote last says why'


def exit_code(codes: set[int]) -> int:
    """Choose the exit code of the whole from those of the processes that failed."""
    if codes <= {PREEMPTED_EXIT_CODE, -signal.SIGTERM}:
        return PREEMPTED_EXIT_CODE
    return USER_ERROR_EXIT_CODE if USER_ERROR_EXIT_CODE in codes else 1


def main() -> int:
    """Run the processes to their end."""
    signal.signal(signal.SIGUSR1, pass_on)
    try:
        run.main(sys.argv[1:])
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        for rank, code in sorted(codes.items()):
            print(f'error: {sentence(rank, code)}', file=sys.stderr)
        return exit_code(set(codes.values()))
    except SignalException as error:
        print(f'error: torchrun was ended by {error.sigval.name}', file=sys.stderr)
        return PREEMPTED_EXIT_CODE if error.sigval == signal.SIGTERM else 128 + error.sigval
    except (RuntimeError, ValueError) as error:
        # A port that is taken, a node that nobody reaches, a number that is none.
        reason = str(error).partition('\n')[0]
        print(f'error: torchrun cannot start the processes: {reason}', file=sys.stderr)
        return USER_ERROR_EXIT_CODE
    return 0


if __name__ == '__main__':
    sys.exit(main())
