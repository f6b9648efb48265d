"""A made-up CUHK-SYSU of true size, in the original .mat layout: for benchmarks.

Who stands where is a matter of chance, and nobody can be seen: all pictures are one grey one.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmclsa.utils.io import atomic_write

__all__ = ['MadeUp', 'make_up', 'write_cuhk_sysu', 'write_predictions']

IMAGES, TEST_IMAGES, QUERIES, TRAIN_PEOPLE, DETECTIONS = 18184, 6978, 2900, 5532, 35700
SHOWN = 3  # gallery images that show a query's person
DIMS, NOISE = 256, 5.0


@dataclass(frozen=True)
class MadeUp:
    """Who is where: everybody stands at a box of his own.

    Attributes:
        test: Numbers of the test images.
        rest: Numbers of the others.
        people: Images of each test person, the query's first, shape (Q, SHOWN + 1).
        train: Images of each training person, shape (P, 3).
        rng: Source of all chance.
    """

    test: np.ndarray
    rest: np.ndarray
    people: np.ndarray
    train: np.ndarray
    rng: np.random.Generator


def make_up(scale: float, seed: int) -> MadeUp:
    """Scatter people over images; nobody is twice in one.

    Args:
        scale: Share of images, queries and training people, in 0..1.
        seed: Of all chance.
    """
    rng = np.random.default_rng(seed)
    images = max(int(IMAGES * scale), 200)
    order = rng.permutation(images) + 1
    test, rest = np.split(order, [max(int(TEST_IMAGES * scale), 80)])
    queries, people = max(int(QUERIES * scale), 5), max(int(TRAIN_PEOPLE * scale), 5)
    return MadeUp(
        test, rest, _apart(rng, test, queries, SHOWN + 1), _apart(rng, rest, people, 3), rng
    )


def _apart(rng: np.random.Generator, images: np.ndarray, people: int, shown: int) -> np.ndarray:
    first = rng.integers(0, len(images), (people, 1))
    steps = rng.integers(1, len(images) // shown, (people, shown)).cumsum(axis=1)
    return images[(first + steps) % len(images)]


def _box_of(person: int, place: int) -> np.ndarray:
    """Say where a person stands, x y w h: elsewhere than anybody else."""
    return np.array([[person % 1000, 10 * place + person // 1000, 50, 120]], dtype=np.uint16)


def _element(kind: int, payload: bytes) -> bytes:
    """Write an element of a MATLAB 5 file: its type, its length, and it, filled up to 8 bytes."""
    tag = np.array([kind, len(payload)], dtype='<u4').tobytes()
    return tag + payload + bytes(-len(payload) % 8)


def _array(kind: int, dims: Sequence[int], content: bytes, name: bytes = b'') -> bytes:
    """Write an array: class, dimensions, name and content."""
    flags = np.array([kind, 0], dtype='<u4').tobytes()
    shape = np.array(dims, dtype='<i4').tobytes()
    return _element(14, _element(6, flags) + _element(5, shape) + _element(1, name) + content)


def _text(value: str) -> bytes:
    """Write a text."""
    return _array(4, (1, len(value)), _element(16, value.encode()))


def _numbers(values: np.ndarray) -> bytes:
    """Write a row of numbers below 65,536, as MATLAB packs them."""
    return _array(6, values.shape, _element(4, values.astype('<u2').tobytes()))


EMPTY = _array(6, (0, 0), _element(9, b''))


def _fields(names: Sequence[str]) -> bytes:
    """Write the names of a struct's fields."""
    width = np.array([5 | 4 << 16, 32], dtype='<u4').tobytes()
    return width + _element(1, b''.join(name.encode().ljust(32, b'\0') for name in names))


def write_cuhk_sysu(root: Path, made: MadeUp, sizes: Sequence[int]) -> None:
    """Write the data set."""
    tests = root / 'annotation' / 'test' / 'train_test'
    tests.mkdir(parents=True, exist_ok=True)
    _other_files(root, made)
    _pictures(root / 'Image' / 'SSM', len(made.test) + len(made.rest))
    for size in sizes:
        path = tests / f'TestG{size}.mat'
        _gallery_file(path, made, size)


def _pictures(folder: Path, count: int) -> None:
    """Make one grey picture, under the names of all."""
    folder.mkdir(parents=True, exist_ok=True)
    content = cv2.imencode('.jpg', np.full((600, 800, 3), 128, dtype=np.uint8))[1].tobytes()
    for image in range(1, count + 1):
        path = folder / f's{image}.jpg'
        if image == 1:
            path.write_bytes(content)
        elif not path.exists():
            os.link(folder / 's1.jpg', path)


def _gallery_file(path: Path, made: MadeUp, size: int) -> None:
    """Write ``TestG<size>.mat``, a query at a time."""
    variable = f'TestG{size}'.encode()
    opening = _array(2, (1, len(made.people)), _fields(['Query', 'Gallery']), variable)[8:]
    queries = _Queries(made, size)
    length = len(opening) + sum(len(part) for part in queries)
    packer = zlib.compressobj(1)
    with atomic_write(path) as temporary, open(temporary, 'wb') as stream:
        stream.write(b'MATLAB 5.0 MAT-file, made up'.ljust(124) + b'\x00\x01IM' + bytes(8))
        stream.write(packer.compress(np.array([14, length], dtype='<u4').tobytes() + opening))
        for part in queries:
            stream.write(packer.compress(part))
        stream.write(packer.flush())
        packed = stream.tell() - 136
        stream.seek(128)
        stream.write(np.array([15, packed], dtype='<u4').tobytes())


class _Queries:
    """The queries of a file, written anew whenever one goes through them."""

    def __init__(self, made: MadeUp, size: int) -> None:
        self._made, self._size = made, size
        self._seed = made.rng.integers(1 << 32)
        self._names = {number: _text(f's{number}.jpg') for number in made.test.tolist()}
        self._absent = {number: name + 2 * EMPTY for number, name in self._names.items()}

    def __iter__(self) -> Iterator[bytes]:
        rng, test = np.random.default_rng(self._seed), self._made.test
        entry = _fields(['imname', 'idlocate', 'ishard'])
        hard = _numbers(np.array([[0]]))
        for person, images in enumerate(self._made.people.tolist()):
            own = [
                self._names[image] + _numbers(_box_of(person, place)) + hard
                for place, image in enumerate(images)
            ]
            others = test[rng.permutation(len(test))[: self._size + 1]]
            listed = others[~np.isin(others, images)][: self._size - SHOWN].tolist()
            content = b''.join([*own[1:], *(self._absent[image] for image in listed)])
            yield _array(2, (1, 1), entry + own[0])
            yield _array(2, (1, SHOWN + len(listed)), entry + content)


def _struct(names: Sequence[str], rows: Sequence[Sequence[object]]) -> np.ndarray:
    """Make a struct array for ``savemat``."""
    made = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for place, row in enumerate(rows):
        made[0, place] = tuple(row)
    return made


def _cells(values: Sequence[object]) -> np.ndarray:
    """Make a cell array for ``savemat``."""
    made = np.empty((1, len(values)), dtype=object)
    for place, value in enumerate(values):
        made[0, place] = value
    return made


def _other_files(root: Path, made: MadeUp) -> None:
    """Write ``Images.mat``, ``pool.mat`` and ``Train.mat``."""
    from scipy.io import savemat

    boxes: dict[int, list[np.ndarray]] = {}
    for people in (made.people, made.train):
        for person, images in enumerate(people.tolist()):
            for place, image in enumerate(images):
                boxes.setdefault(image, []).append(_box_of(person, place))
    rows = []
    for image in sorted([*made.test.tolist(), *made.rest.tolist()]):
        found = boxes.get(image, [np.array([[1, 1, 50, 120]])])
        table = _struct(['idlocate', 'ishard'], [[box, 0] for box in found])
        rows.append([f's{image}.jpg', len(found), table])
    images = _struct(['imname', 'nAppear', 'box'], rows)
    savemat(root / 'annotation' / 'Images.mat', {'Img': images}, do_compression=True)
    pool = _cells([f's{image}.jpg' for image in made.test.tolist()])
    savemat(root / 'annotation' / 'pool.mat', {'pool': pool}, do_compression=True)
    train = []
    for person, shown in enumerate(made.train.tolist()):
        scenes = [[f's{image}.jpg', _box_of(person, n), 0] for n, image in enumerate(shown)]
        table = _struct(['imname', 'idlocate', 'ishard'], scenes)
        train.append(
            _struct(['idname', 'nAppear', 'scene'], [[f'p{person + 1}', len(shown), table]])
        )
    path = root / 'annotation' / 'test' / 'train_test' / 'Train.mat'
    savemat(path, {'Train': _cells(train)}, do_compression=True)


def write_predictions(path: Path, made: MadeUp, scale: float) -> None:
    """Write detections of everybody, with embeddings near the person's own.

    Args:
        path: The .npz file; docs/evaluation.md has its format.
        made: Who is where.
        scale: Share of the 35,700 detections.
    """
    count = int(DETECTIONS * scale)
    rng, people = made.rng, made.rng.normal(size=(len(made.people), DIMS)).astype(np.float32)
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    owners = np.repeat(np.arange(len(people)), SHOWN + 1)
    places = np.tile(np.arange(SHOWN + 1), len(people))
    boxes = np.concatenate([_box_of(p, n) for p, n in zip(owners.tolist(), places.tolist())])
    spare = max(count - len(owners), 0)
    found = np.concatenate([boxes, rng.integers(1, 500, (spare, 4))]).astype(np.float64)
    found[:, 2:] += found[:, :2]
    images = np.concatenate([made.people.ravel(), rng.choice(made.test, spare)])
    embeddings = rng.normal(0, NOISE / np.sqrt(DIMS), (len(images), DIMS)).astype(np.float32)
    embeddings[: len(owners)] += people[owners]
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    queries = boxes[:: SHOWN + 1].astype(np.float64)
    queries[:, 2:] += queries[:, :2]
    arrays = dict(
        image=np.array([f's{image}.jpg' for image in images.tolist()]),
        bbox=found,
        score=rng.uniform(0.5, 1.0, len(images)).astype(np.float32),
        embedding=embeddings,
        query_image=np.array([f's{image}.jpg' for image in made.people[:, 0].tolist()]),
        query_bbox=queries,
        query_embedding=people,
    )
    with atomic_write(path) as temporary:
        np.savez(temporary, **arrays)
