"""CUHK-SYSU in its original layout.

Layout and quirks are described in docs/datasets.md. Published with Xiao et
al., "Joint Detection and Identification Feature Learning for Person Search",
CVPR 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mmclsa.datasets.readers.mat_layout import (
    build_task,
    label_scenes,
    read_boxes,
    read_pool,
    read_search_entries,
    read_training_people,
)
from mmclsa.datasets.readers.paths import AnyPath, ReadablePath, as_path
from mmclsa.datasets.readers.search_entries import SearchEntries
from mmclsa.errors import DataError
from mmclsa.structures import Scene, SearchProtocol

__all__ = ['cuhk_sysu_protocols', 'protocol_names', 'read_cuhk_sysu']

SIZES = (50, 100, 500, 1000, 2000, 4000)
SUBSETS = {
    'occlusion': ('Occlusion.mat', 'Occlusion1'),
    'resolution': ('Resolution.mat', 'Test_Size'),
}
TEST_FOLDER = PurePosixPath('annotation', 'test', 'train_test')
SUBSET_FOLDER = PurePosixPath('annotation', 'test', 'subset')


def read_cuhk_sysu(data_root: AnyPath, split: str) -> list[Scene]:
    """Read the scenes of a split.

    Args:
        data_root: Folder with ``annotation/``.
        split: 'train' (all images outside the pool, by name) or 'test' (the
            pool, in its order).

    Returns:
        The scenes. Train ids are 0..5531 in the order of Train.mat; a test id
        is the query's place in the protocols.

    Raises:
        DataError: If a file is missing, broken or inconsistent.
    """
    root = as_path(data_root)
    if split not in ('train', 'test'):
        raise DataError(f"split must be 'train' or 'test', but got {split!r}")
    boxes = read_boxes(root / 'annotation' / 'Images.mat')
    pool = _read_pool(root)
    unknown = [image for image in pool if image not in boxes]
    if unknown:
        raise DataError(
            f'{root / "annotation" / "pool.mat"} lists image {unknown[0]}, which Images.mat '
            'does not have'
        )
    if split == 'train':
        path = root / TEST_FOLDER / 'Train.mat'
        images = sorted(set(boxes) - set(pool))
        return label_scenes(images, boxes, [(path, read_training_people(path))])
    path, _ = _protocol_file(root, 'gallery_50')
    return label_scenes(pool, boxes, [(path, _entries(root, 'gallery_50').appearances())])


def _read_pool(root: ReadablePath) -> list[str]:
    return read_pool(root / 'annotation' / 'pool.mat')


def _protocol_file(root: ReadablePath, name: str) -> tuple[ReadablePath, str]:
    if name in SUBSETS:
        file, variable = SUBSETS[name]
        return root / SUBSET_FOLDER / file, variable
    size = name[len('gallery_') :]
    if not name.startswith('gallery_') or not size.isdigit():
        known = [f'gallery_{s}' for s in SIZES] + ['full', *SUBSETS]
        raise DataError(f'unknown CUHK-SYSU protocol {name!r}: expected one of {known}')
    return root / TEST_FOLDER / f'TestG{size}.mat', f'TestG{size}'


def _entries(root: ReadablePath, name: str) -> SearchEntries:
    return read_search_entries(*_protocol_file(root, name))


def protocol_names(data_root: AnyPath) -> list[str]:
    """List the protocols whose files are there: ``gallery_50``, ... in order of size."""
    root = as_path(data_root)
    sizes = [int(p.stem[len('TestG') :]) for p in (root / TEST_FOLDER).glob('TestG*.mat')]
    subsets = [name for name in SUBSETS if _protocol_file(root, name)[0].exists()]
    return [f'gallery_{size}' for size in sorted(sizes)] + subsets


def cuhk_sysu_protocols(
    data_root: AnyPath, names: Sequence[str] | None = None
) -> list[SearchProtocol]:
    """Read retrieval tasks.

    Args:
        data_root: Folder with ``annotation/``.
        names: ``gallery_50`` ... ``gallery_4000``, ``full`` (TestG50's queries
            against the whole pool), ``occlusion``, ``resolution``; None for
            every task whose file is there.

    Returns:
        The tasks. ``query_ids`` are places in TestG50, so that all tasks
        share the queries' embeddings.

    Raises:
        DataError: If a file is missing, broken or inconsistent, or a name is
            unknown.
    """
    root = as_path(data_root)
    pool = _read_pool(root)
    chosen = protocol_names(root) if names is None else list(names)
    if not chosen:
        raise DataError(f'{root / TEST_FOLDER} has no TestG*.mat')
    return [_read_protocol(root, name, pool) for name in chosen]


def _read_protocol(root: ReadablePath, name: str, pool: list[str]) -> SearchProtocol:
    source = 'gallery_50' if name == 'full' else name
    path, _ = _protocol_file(root, source)
    entries = _entries(root, source)
    if not len(entries):
        raise DataError(f'{path}: expected at least one query, but got none')
    numbers = _query_ids(root, name, entries)
    return build_task(name, path, entries, pool, numbers, whole_pool=name == 'full')


def _query_ids(root: ReadablePath, name: str, entries: SearchEntries) -> list[int]:
    """Find the subsets' queries among TestG50's; the others share its order."""
    if name not in SUBSETS:
        return list(range(len(entries)))
    place = {query: number for number, query in enumerate(_entries(root, 'gallery_50').queries())}
    try:
        return [place[query] for query in entries.queries()]
    except KeyError as error:
        raise DataError(
            f'{_protocol_file(root, name)[0]}: query {error.args[0]} is not one of TestG50.mat'
        ) from None
