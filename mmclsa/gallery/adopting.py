"""An index that comes from somebody else: what must be believed goes, and is built anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.gallery.folder import drop_orphans
from mmclsa.gallery.index import GalleryIndex
from mmclsa.gallery.locking import WriterLock
from mmclsa.gallery.manifest import Manifest, Segment

__all__ = ['adopt_index']

# Parquet is checked as it is read, and so are plain vectors before FAISS maps
# them. Arrow's mapped columns, graphs and inverted files are believed.
_CHECKED = ('records', 'vectors')


def adopt_index(path: str | Path) -> int:
    """Make an index of somebody else one's own: build anew what only makes it fast.

    Args:
        path: Folder of the index.

    Returns:
        How many files were dropped.

    Raises:
        ConfigError: If it is no index of files: the manifest would name the
            server or the database.
        DataError: If there is no index, or a file of it is broken.
        UserError: If it cannot be written to.
    """
    folder = Path(path)
    before = Manifest.read(folder)
    if before.backend['type'].removeprefix('mmclsa.') != 'FaissBackend':
        raise ConfigError(
            f'The index {folder} is one of {before.backend["type"]}, and only one of FaissBackend '
            'can be taken from somebody else'
        )
    kept = replace(before, segments=tuple(map(_checked_files, before.segments)))
    lock = WriterLock(folder)
    try:
        kept.write(folder)
        drop_orphans(folder, kept)
    finally:
        lock.release()
    with GalleryIndex.open(folder, writable=True) as index:
        index.verify()
        index.optimize()
    return len(before.all_files()) - len(kept.all_files())


def _checked_files(segment: Segment) -> Segment:
    files = {role: entry for role, entry in segment.files.items() if role in _CHECKED}
    return replace(segment, files=files)
