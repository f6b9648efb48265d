"""Write an index of mmclsa 0.1 (a folder with manifest.json) in today's form, into a new folder.

The old one is only read. It needs PyArrow (pip install pyarrow), which today's form does without.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.text import counted


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('old', metavar='OLD_DIR', help='folder of the index')
    parser.add_argument('new', metavar='NEW_DIR', help='folder to write it to, which must be new')
    parser.add_argument(
        '--index', nargs='+', default=[], metavar='KEY=VALUE',
        help='options of the backend that differ, such as the collection of a Milvus server',
    )  # fmt: skip
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np

from mmclsa.gallery import GalleryIndex, GalleryRecord, ModelFingerprint
from mmclsa.gallery.backends.factory import build_backend
from mmclsa.gallery.backends.vector_file import new_flat
from mmclsa.gallery.building import BuildFile
from mmclsa.gallery.manifest import Manifest
from mmclsa.gallery.row_numbers import RowNumbers

BLOCK = 1 << 16
# In front of the matrix FAISS writes type, bias and length; behind it bias,
# dimensions, and that it is trained.
ROTATION_HEAD, ROTATION_TAIL = 13, 17


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what a former index consists of."""
    path = folder / 'manifest.json'
    try:
        content = json.loads(path.read_bytes())
        if content['format'] != 'mmclsa-gallery' or content['version'] != 1:
            raise ValueError('it is of another version')
        content['model'] = ModelFingerprint(**content['model'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is no manifest of an index of mmclsa 0.1: {error}') from error
    return content


def read_records(path: Path) -> tuple[list[GalleryRecord], list[str]]:
    """Read the records of a segment, and the units of work that gave them."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UserError('PyArrow is needed for this: pip install pyarrow') from error
    try:
        table = parquet.read_table(path)
        columns = table.to_pydict()
        units = json.loads(table.schema.metadata[b'mmclsa.shards'])
        boxes = zip(*(columns.pop(name) for name in ('x1', 'y1', 'x2', 'y2')))
        columns['box'] = list(boxes)
        return [GalleryRecord(**dict(zip(columns, row))) for row in zip(*columns.values())], units
    except (ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is broken: it is no file of records ({error})') from error


class FaissVectors:
    """Vectors in files of FAISS: behind a header, such a file has nothing but them."""

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        self._folder = folder
        dims = content['model'].dims
        self._empty = new_flat(dims, content['backend'].get('storage', 'fp32'))
        self._rotation = np.eye(dims, dtype=np.float32)
        if 'rotation' in content['files']:
            written = (folder / content['files']['rotation']['name']).read_bytes()
            numbers = written[ROTATION_HEAD:-ROTATION_TAIL]
            self._rotation = np.frombuffer(numbers, np.float32).reshape(dims, dims)

    def read(self, segment: dict[str, Any], first: int, count: int) -> np.ndarray:
        """Read some vectors of a segment."""
        path = self._folder / segment['files']['vectors']['name']
        rows, size = segment['rows'], self._empty.sa_code_size()
        header = path.stat().st_size - rows * size
        if header < 0:
            raise DataError(f'{path} is broken: it is too short for {rows} vectors')
        codes = np.memmap(path, np.uint8, 'r', header + first * size, (count, size))
        return self._empty.sa_decode(np.asarray(codes)) @ self._rotation

    def close(self) -> None:
        """Nothing is open."""


class MilvusVectors:
    """Vectors in a collection of Milvus."""

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        rows = [segment['rows'] for segment in content['segments']]
        starts = np.cumsum([0, *rows]).tolist()
        self._starts = {s['name']: start for s, start in zip(content['segments'], starts)}
        self._backend = build_backend(content['backend'])
        manifest = Manifest(content['model'], {}, sum(rows), sum(rows))
        self._backend.load(folder, manifest, RowNumbers(sum(rows), sum(rows)))

    def read(self, segment: dict[str, Any], first: int, count: int) -> np.ndarray:
        """Read some vectors of a segment."""
        return self._backend.vectors(np.arange(count) + self._starts[segment['name']] + first)

    def close(self) -> None:
        """Let go of the collection."""
        self._backend.close()


def copy_people(content: dict[str, Any], old: Path, index: GalleryIndex) -> None:
    """Add the people of an index to another one, segment by segment."""
    milvus = content['backend']['type'].removeprefix('mmclsa.') == 'MilvusBackend'
    vectors = MilvusVectors(old, content) if milvus else FaissVectors(old, content)
    for segment in content['segments']:
        records, units = read_records(old / segment['files']['records']['name'])
        for first in range(0, len(records), BLOCK):
            part = records[first : first + BLOCK]
            index.add(vectors.read(segment, first, len(part)), part)
            index.commit()
        for unit in units:
            index.add(np.empty((0, index.model.dims)), [], unit)
        index.commit()
    vectors.close()


def convert(old: Path, new: Path, options: Sequence[str]) -> int:
    """Write the index anew, whole or not at all; the number of people."""
    content = read_manifest(old)
    if new.exists():
        raise ConfigError(f'the folder {new} must be new')
    backend = {**content['backend'], **dict(option.split('=', 1) for option in options)}
    partial = new.with_name(f'{new.name}.partial')
    with GalleryIndex.create(partial, content['model'], backend) as index:
        copy_people(content, old, index)
        index.optimize()
        people = len(index)
    if (old / BuildFile.NAME).is_file():
        shutil.copyfile(old / BuildFile.NAME, partial / BuildFile.NAME)
    partial.rename(new)
    return people


def main() -> None:
    """Convert."""
    args = parse_args()
    people = convert(Path(args.old), Path(args.new), args.index)
    print(f'{args.new}: {counted(people, "person")}')


if __name__ == '__main__':
    run_tool(main)
