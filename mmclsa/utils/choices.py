"""What options may say, where the module that obeys them is slow to import."""

from __future__ import annotations

from os import PathLike

__all__ = ['LAUNCHERS', 'NO_CHECKPOINT', 'PRECISIONS', 'given_checkpoint']

#: Who may start the processes of a training or test.
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')

#: Names on the command line to names of PyTorch's types.
PRECISIONS = {'fp16': 'float16', 'bf16': 'bfloat16'}
#: Where a checkpoint stands: the model as its config initialises it.
NO_CHECKPOINT = 'none'


def given_checkpoint(path: str | PathLike[str] | None) -> str | None:
    """Read the argument that names a checkpoint.

    Args:
        path: Of a checkpoint; None, empty or :data:`NO_CHECKPOINT` for none.

    Returns:
        The path, or None.

    Example:
        >>> given_checkpoint('none'), given_checkpoint('a.pth')
        (None, 'a.pth')
    """
    return None if path is None or str(path) in ('', NO_CHECKPOINT) else str(path)
