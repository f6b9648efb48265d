"""How much memory a process holds (Linux)."""

from __future__ import annotations

from pathlib import Path

__all__ = ['resident_gib']


def resident_gib(field: str, process: int | str = 'self') -> float:
    """Read a figure of a process's memory; file-backed pages count.

    Not by ``getrusage``: its peak outlives ``exec``, so that a process started
    by a large one begins with the peak of that one.

    Args:
        field: ``VmRSS`` for now, ``VmHWM`` for the peak.
        process: Its number; this one by default.

    Returns:
        GiB.

    Raises:
        OSError: If the system does not tell.

    Example:
        >>> 0 < resident_gib('VmRSS') <= resident_gib('VmHWM')
        True
    """
    status = Path('/proc', str(process), 'status')
    for line in status.read_text().splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1]) / 2**20
    raise OSError(f'{status} has no field {field}')
