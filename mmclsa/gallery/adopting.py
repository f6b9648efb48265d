"""An index that comes from somebody else: what must be believed goes, and is built anew."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.database import Database
from mmclsa.gallery.index import GalleryIndex
from mmclsa.gallery.locking import WriterLock
from mmclsa.gallery.manifest import MANIFEST
from mmclsa.gallery.record_store import RecordStore

__all__ = ['adopt_index']


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
    _refuse_links(folder)
    with ExitStack() as stack:
        if (folder / MANIFEST).exists():  # else no lock is left in a folder that is no index
            # Before anything is read: what another writer commits meanwhile would be undone.
            stack.callback(WriterLock(folder).release)
        _refuse_journals(folder)
        database = stack.enter_context(closing(Database(folder, writable=True)))
        database.check()
        manifest = database.manifest()
        kind = manifest.backend['type'].removeprefix('mmclsa.')
        if kind != 'FaissBackend':
            raise ConfigError(
                f'the index {folder} is one of {kind}, and only one of FaissBackend can be taken '
                'from somebody else'
            )
        # Whatever its name is.
        RecordStore(database).publish(replace(manifest, structure=None, structured=0))
    with GalleryIndex.open(folder, writable=True) as index:
        index.verify()
        index.optimize()
    return int(manifest.structure is not None)


def _refuse_links(folder: Path) -> None:
    """Refuse what would lead out of the folder, be it the lock."""
    for path in folder.glob('*'):
        if path.is_symlink():
            raise DataError(f'{path} is a link to elsewhere, which an index does not have')


def _refuse_journals(folder: Path) -> None:
    """Refuse what whoever opens the database carries out."""
    for path in folder.glob(f'{MANIFEST}-*'):
        raise DataError(f'{path} is of an interrupted commit: it must go before the index is read')
