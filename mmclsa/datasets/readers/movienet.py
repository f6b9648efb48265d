"""MovieNet-PS in its original layout.

Published with Zheng et al., "GLCNet: Global-Local Context Network for Person
Search", whose authors distribute it. The files are those of CUHK-SYSU, but
training comes in subsets and each gallery size has a pool of its own.
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

__all__ = ['annotation_folder', 'image_folder', 'movienet_protocols', 'read_movienet']

SIZES = (2000, 4000, 10000)
SUBSETS = ('app10', 'app30', 'app50', 'app70', 'app100')
TEST_FOLDER = PurePosixPath('test', 'train_test')
# Name, file and queries of a protocol.
Table = tuple[str, ReadablePath, SearchEntries]


def annotation_folder(root: AnyPath) -> ReadablePath:
    """Find the annotations: ``annotation`` or ``anno_mvn-cs``, as copies differ.

    Raises:
        DataError: If there is neither.
    """
    for name in ('annotation', 'anno_mvn-cs'):
        if (folder := as_path(root) / name).is_dir():
            return folder
    raise DataError(
        f'{root} has neither annotation/ nor anno_mvn-cs/; docs/datasets.md tells how to get '
        'this data set'
    )


def image_folder(root: AnyPath) -> str:
    """Find the pictures below the root: ``Image/SSM`` if it is there, else ``Image``."""
    return 'Image/SSM' if (as_path(root) / 'Image' / 'SSM').is_dir() else 'Image'


def read_movienet(
    data_root: AnyPath,
    split: str,
    subset: str = 'app10',
    names: Sequence[str] | None = None,
) -> list[Scene]:
    """Read the scenes of a split.

    Args:
        data_root: Folder with ``annotation/`` or ``anno_mvn-cs/``.
        split: 'train' (the images that the subset lists, by name, each once)
            or 'test' (the pools of the protocols, and the queries' images).
        subset: ``app10``, ``app30``, ``app50``, ``app70`` or ``app100``: at
            most so many appearances of a training person.
        names: The protocols to be tested, as for :func:`movienet_protocols`.

    Returns:
        The scenes. Train ids are places in ``Train_app*.mat``, test ids those
        of queries in the protocols.

    Raises:
        DataError: If a file is missing, broken or inconsistent, or a name is
            unknown.
    """
    folder = annotation_folder(data_root)
    boxes = read_boxes(folder / 'Images.mat')
    if split == 'train':
        if subset not in SUBSETS:
            raise DataError(f'subset must be one of {", ".join(SUBSETS)}, but got {subset!r}')
        path = folder / TEST_FOLDER / f'Train_{subset}.mat'
        people = read_training_people(path)
        images = sorted({image for appearances in people for image, _ in appearances})
        return label_scenes(images, boxes, [(path, people)])
    if split != 'test':
        raise DataError(f"split must be 'train' or 'test', but got {split!r}")
    tables = _tables(folder, names)
    images = _test_images(folder, tables)
    if unknown := [image for image in images if image not in boxes]:
        raise DataError(
            f'{folder}: a pool or protocol lists image {unknown[0]}, which Images.mat does not have'
        )
    people_of = [(path, entries.appearances()) for _, path, entries in tables]
    return label_scenes(images, boxes, people_of)


def movienet_protocols(
    data_root: AnyPath, names: Sequence[str] | None = None
) -> list[SearchProtocol]:
    """Read the retrieval tasks.

    Args:
        data_root: Folder with ``annotation/`` or ``anno_mvn-cs/``.
        names: ``gallery_2000``, ``gallery_4000``, ``gallery_10000``; None for
            every one whose file is there.

    Returns:
        The tasks, on the same queries.

    Raises:
        DataError: If a file is missing, broken or inconsistent, a name is
            unknown, or two tasks have different queries.
    """
    folder = annotation_folder(data_root)
    tables = _tables(folder, names)
    images = _test_images(folder, tables)
    _, first_path, first = tables[0]
    for _, path, entries in tables[1:]:
        if entries.queries() != first.queries():
            raise DataError(f'{path} has other queries than {first_path}')
    return [
        build_task(name, path, entries, images, list(range(len(entries))))
        for name, path, entries in tables
    ]


def _sizes(folder: ReadablePath, names: Sequence[str] | None) -> list[int]:
    if names is None:
        found = [p.stem[len('TestG') :] for p in (folder / TEST_FOLDER).glob('TestG*.mat')]
        sizes = sorted(int(size) for size in found if size.isdigit())
        if not sizes:
            raise DataError(f'{folder / TEST_FOLDER} has no TestG*.mat')
        return sizes
    known = {f'gallery_{size}': size for size in SIZES}
    for name in names:
        if name not in known:
            raise DataError(f'unknown MovieNet-PS protocol {name!r}: expected one of {list(known)}')
    return [known[name] for name in names]


def _tables(folder: ReadablePath, names: Sequence[str] | None) -> list[Table]:
    tables = []
    for size in _sizes(folder, names):
        path = folder / TEST_FOLDER / f'TestG{size}.mat'
        tables.append((f'gallery_{size}', path, read_search_entries(path, f'TestG{size}')))
    return tables


def _test_images(folder: ReadablePath, tables: Sequence[Table]) -> list[str]:
    """List the pools of the protocols, and images of queries that are in none."""
    sizes = [name[len('gallery_') :] for name, _, _ in tables]
    pools = [read_pool(folder / f'pool_{size}.mat') for size in sizes]
    queries = [query[0] for _, _, entries in tables for query in entries.queries()]
    return list(dict.fromkeys([*(image for pool in pools for image in pool), *queries]))
