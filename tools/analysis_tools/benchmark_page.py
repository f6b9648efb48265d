"""Benchmark the web page: from a search to having the crops of its hits.

Makes an index of drawn sightings over a video that it writes, serves it in a process of its own,
searches it as a browser does, and fetches the crops of the hits over six connections.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import check_writable, write_json

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--people', type=int, default=3600, metavar='N', help='sightings')
    parser.add_argument('--kind', default='flat', help='flat, hnsw or ivf_pq')
    parser.add_argument('--dims', type=int, default=768)
    parser.add_argument('--minutes', type=float, default=60, help='length of the video')
    parser.add_argument(
        '--size', type=int, nargs=2, default=[1920, 1080], metavar=('WIDTH', 'HEIGHT')
    )
    parser.add_argument('--fps', type=float, default=25)
    parser.add_argument('--no-crops', action='store_true', help='build the index without crops')
    parser.add_argument('--hits', type=int, default=10)
    parser.add_argument('--queries', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work-dir', default='work_dirs/benchmark_page')
    parser.add_argument('--keep', action='store_true', help='keep video and index, and use them')
    parser.add_argument('--out', metavar='JSON', help='write the figures to this file')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

# Before NumPy reads it.
os.environ.setdefault('OMP_NUM_THREADS', '2')

import cv2
import numpy as np

from mmclsa.gallery import GalleryIndex, GalleryRecord, ModelFingerprint
from mmclsa.gallery.manifest import MANIFEST
from mmclsa.structures import FoundPeople
from mmclsa.structures.sightings import Stay

BLOCK = 20_000
IDENTITIES = 2000
SPREAD = 0.7  # distance of a person from its identity
CROPS = 64  # different ones
CONNECTIONS = 6  # of a browser to one server
NOISE = 25
BOUNDARY = 'benchmark'


class DrawnPeople:
    """A model whose embedding of the one person of a picture is drawn: by the picture's pixel."""

    det_thresh = 0.5

    def __init__(self, dims: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        self.centres = unit(rng.standard_normal((IDENTITIES, dims), np.float32))
        self.fingerprint = ModelFingerprint('0' * 64, '0' * 64, dims)
        self.seed = seed

    def around(self, identities: np.ndarray, *stream: int) -> np.ndarray:
        """Draw people of some identities, shape (n, D)."""
        rng = np.random.default_rng([self.seed, *stream])
        dims = self.centres.shape[1]
        people = rng.standard_normal((len(identities), dims), np.float32)
        return unit(people * (SPREAD * dims**-0.5) + self.centres[identities])

    def prepare(self, picture: np.ndarray) -> dict[str, Any]:
        """See ``Embedder``."""
        return {'inputs': picture}

    def find_people(self, batch: list[dict[str, Any]]) -> list[FoundPeople]:
        """See ``Embedder``: one person, of the identity that the first pixel names."""
        found = []
        for data in batch:
            low, high, _ = data['inputs'][0, 0].tolist()
            vectors = self.around(np.array([low + 256 * high]), 2, low, high)
            found.append(FoundPeople(np.array([[0, 0, 9, 9]], np.float32), np.ones(1), vectors))
        return found


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale to unit length."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write_video(path: Path, args: argparse.Namespace) -> None:
    """Write a video whose pictures drift."""
    width, height = args.size
    rng = np.random.default_rng(args.seed)
    noise = cv2.resize(rng.integers(0, 256, (NOISE, NOISE, 3), np.uint8), (2 * width, height))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), args.fps, (width, height))
    for frame in range(round(args.minutes * 60 * args.fps)):
        left = frame % width
        writer.write(np.ascontiguousarray(noise[:, left : left + width]))
    writer.release()


def build(folder: Path, video: Path, model: DrawnPeople, args: argparse.Namespace) -> None:
    """Make an index of sightings spread over the video."""
    rng = np.random.default_rng([args.seed, 1])
    frames = round(args.minutes * 60 * args.fps)
    crops = [_crop(rng) for _ in range(CROPS)]
    backend = dict(type='FaissBackend', kind=args.kind, storage='fp16')
    with GalleryIndex.create(folder, model.fingerprint, backend) as index:
        for start in range(0, args.people, BLOCK):
            count = min(BLOCK, args.people - start)
            vectors = model.around(rng.integers(IDENTITIES, size=count), 1, start)
            best = rng.integers(50, max(frames - 50, 51), count).tolist()
            records = [
                _record(video, frame, start + place, args) for place, frame in enumerate(best)
            ]
            kept = None if args.no_crops else [crops[row % CROPS] for row in range(count)]
            index.add(vectors, records, f'block {start}', crops=kept)
            index.commit()
        index.optimize()


def _crop(rng: np.random.Generator) -> bytes:
    """Draw a crop as a build keeps it: 256 pixels high."""
    noise = cv2.resize(rng.integers(0, 256, (32, 13, 3), np.uint8), (104, 256))
    return bytes(cv2.imencode('.jpg', noise, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


def _record(video: Path, frame: int, row: int, args: argparse.Namespace) -> GalleryRecord:
    width, height = args.size
    left = (37 * row) % (width - width // 10)
    box = (left, height / 3, left + width / 20, height / 3 + height / 4)
    first, last = max(0, frame - 50), frame + 50
    stay = Stay(first, last, first / args.fps, last / args.fps, 20)
    return GalleryRecord(str(video), frame, frame / args.fps, box, 0.9, 'door', row, stay)


def serve(folder: str, dims: int, seed: int, address: Connection) -> None:
    """Serve an index until the process is ended; tell the port."""
    from mmclsa.webui.app import build_app
    from mmclsa.webui.server import serving
    from mmclsa.webui.service import GalleryService

    with GalleryIndex.open(folder) as index:
        app = build_app(GalleryService(index, DrawnPeople(dims, seed)))
        with serving(app) as url:
            address.send(url.rpartition(':')[2])
            address.recv()


def upload(connection: http.client.HTTPConnection, identity: int) -> str:
    """Send a picture of somebody of an identity."""
    picture = np.full((64, 64, 3), (identity % 256, identity // 256, 0), np.uint8)
    data = cv2.imencode('.png', picture)[1].tobytes()
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head.encode() + data + f'\r\n--{BOUNDARY}--\r\n'.encode()
    headers = {'Content-Type': f'multipart/form-data; boundary={BOUNDARY}'}
    return json.loads(ask(connection, 'POST', '/api/pictures', body, headers))['picture']


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | str | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    """Send a request, and read its answer."""
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise ConfigError(f'{path} gave {answer.status}: {content[:200]!r}')
    return content


def measure(port: str, args: argparse.Namespace) -> list[dict[str, float]]:
    """Search, and fetch the crops, for one query after the other; milliseconds of each part."""
    connections = [http.client.HTTPConnection('127.0.0.1', int(port)) for _ in range(CONNECTIONS)]
    rng = np.random.default_rng([args.seed, 3])
    figures = []
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for identity in rng.integers(IDENTITIES, size=args.queries).tolist():
            picture = upload(connections[0], identity)
            body = dict(query=[dict(picture=picture, person=1)], topk=args.hits)
            json_type = {'Content-Type': 'application/json'}
            began = time.perf_counter()
            found = json.loads(
                ask(connections[0], 'POST', '/api/search', json.dumps(body), json_type)
            )
            searched = time.perf_counter()
            if len(found['hits']) != min(args.hits, args.people):
                raise ConfigError(f'{len(found["hits"])} hits were found instead of {args.hits}')
            shares = [found['hits'][n::CONNECTIONS] for n in range(CONNECTIONS)]
            list(threads.map(_fetch, connections, shares))
            ended = time.perf_counter()
            figures.append(
                dict(
                    search=1e3 * found['seconds'],
                    answer=1e3 * (searched - began),
                    crops=1e3 * (ended - searched),
                    all=1e3 * (ended - began),
                )
            )
    return figures


def _fetch(connection: http.client.HTTPConnection, hits: list[dict[str, Any]]) -> None:
    for hit in hits:
        if not ask(connection, 'GET', hit['crop']).startswith(b'\xff\xd8'):
            raise ConfigError(f'{hit["crop"]} is no JPEG')


def summary(figures: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Give the first, the median and the 95th percentile of each part, ms."""
    parts = {name: np.array([one[name] for one in figures]) for name in figures[0]}
    return {
        name: dict(
            first=round(float(values[0]), 2),
            median=round(float(np.median(values)), 2),
            percentile_95=round(float(np.percentile(values, 95)), 2),
        )
        for name, values in parts.items()
    }


def main() -> None:
    """Benchmark."""
    args = parse_args()
    for name in ('people', 'hits', 'queries', 'minutes', 'fps', 'dims'):
        if getattr(args, name) <= 0:
            raise ConfigError(f'--{name} must be positive')
    work = check_writable(args.work_dir).resolve()
    model = DrawnPeople(args.dims, args.seed)
    bare = '-bare' if args.no_crops else ''
    video = work / f'{args.minutes:g}min-{args.size[0]}x{args.size[1]}-{args.fps:g}.mp4'
    folder = work / f'index-{args.people}-{args.kind}-{args.dims}{bare}'
    if not video.is_file():
        write_video(video, args)
    if not (folder / MANIFEST).is_file():
        build(folder, video, model, args)
    context = multiprocessing.get_context('spawn')
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(str(folder), args.dims, args.seed, there))
    server.start()
    there.close()  # so that the end of the server is noticed
    try:
        figures = summary(measure(here.recv(), args))
        here.send('end')
        server.join(30)
    finally:
        server.kill()
        if not args.keep:
            video.unlink()
            shutil.rmtree(folder)
    print(f'{args.people} sightings, {args.hits} hits; ms: first, median, 95 %')
    for name, values in figures.items():
        print(f'  {name:<7}' + ''.join(f'{value:10.2f}' for value in values.values()))
    if args.out:
        write_json(args.out, dict(vars(args), figures=figures), indent=2)


if __name__ == '__main__':
    run_tool(main)
