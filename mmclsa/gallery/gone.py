"""Files that an index has people of, and that are no longer there."""

from __future__ import annotations

import os
from collections.abc import Collection

from mmclsa.gallery.index_reader import IndexReader

__all__ = ['gone_sources']


def gone_sources(index: IndexReader, there: Collection[str] = ()) -> list[str]:
    """Find the files of an index that were deleted, renamed or moved.

    Args:
        index: An open index.
        there: Files that are known to be there.

    Returns:
        Their paths, sorted. A file that only cannot be reached, as its folder may
        not be entered, is not among them, nor is a name that is no absolute path.
    """
    return [s for s in index.sources() if s not in there and os.path.isabs(s) and _is_gone(s)]


def _is_gone(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        pass
    return False
