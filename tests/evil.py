"""Files that would run code, and the mark that tells whether they did."""

from __future__ import annotations

import os
from pathlib import Path

import torch


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self._mark}',)


def write_evil(folder: Path, **content) -> tuple[Path, Path]:
    """Write a checkpoint that touches a file when it is loaded as pickles are.

    Args:
        folder: Where to.
        content: What else is in the checkpoint.

    Returns:
        The checkpoint and the file that must not appear.
    """
    mark, path = folder / 'mark', folder / 'evil.pth'
    state = {'state_dict': {'w': torch.ones(1)}, 'optimizer': {}, 'meta': {}, 'evil': Evil(mark)}
    torch.save({**state, **content}, path)
    return path, mark


def evil_text(mark: Path) -> str:
    """A config that touches a file when it is run."""
    return f'import os\nos.system("touch {mark}")\nmodel = dict()\n'
