"""torchrun, but without a traceback of its own when a process of it fails.

The processes have said what went wrong. Ends with the exit code of the process
that failed first, such as 2 for a user's mistake, where torchrun ends with 1.
"""

from __future__ import annotations

import sys

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main


def run() -> int:
    """Run torchrun; return the exit code."""
    try:
        main()
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        # As a shell counts: a process that a signal ended has 128 and its number.
        code = failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
        if code != 2:
            print(f'Process {rank} ended first, with exit code {code}.', file=sys.stderr)
        return code
    return 0


if __name__ == '__main__':
    sys.exit(run())
