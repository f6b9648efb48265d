"""Convert a data set of a config to images, COCO + person_id, and protocol JSON.

    python tools/dataset_converters/to_coco.py configs/clsa/clsa_tiny_synthetic.py out

Writes OUT/img/, OUT/annotations.json and, for each protocol of a test set, OUT/NAME.json.
Images are saved without loss. Use it to index and search synthetic scenes like footage.
The JSON files are written last, so they exist only if the conversion is complete.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import atomic_write, write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a data set of a config to COCO.')
    parser.add_argument('config', help='config file')
    parser.add_argument('out', type=Path, help='output folder')
    parser.add_argument(
        '--split', default='test', help='train, val or test, or a name shown by verify_dataset.py'
    )
    add_cfg_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import cv2
from rich.progress import track

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.coco_export import queries_to_json, scenes_to_coco
from mmclsa.datasets.mot_challenge import FirstFrameQuery
from mmclsa.engine.splits import build_split
from mmclsa.structures import SearchProtocol


def file_names(dataset: BasePersonSearchDataset) -> dict[str, str]:
    """Name a file for every picture; a frame of a video has its number behind a #."""
    names = {}
    for scene in dataset.scenes:
        stem = (
            scene.image.replace('#', '_') if '#' in scene.image else scene.image.rpartition('.')[0]
        )
        names[scene.image] = f'{stem or scene.image}.png'
    if len(set(names.values())) < len(names):
        raise ConfigError('two pictures of the data set differ in nothing but their suffix')
    return names


def write_pictures(dataset: BasePersonSearchDataset, folder: Path, names: dict[str, str]) -> None:
    """Write every picture."""
    for item in track(range(len(dataset)), 'pictures', disable=not sys.stdout.isatty()):
        loaded = dataset[item]
        with atomic_write(folder / names[str(loaded['img_id'])]) as temporary:
            temporary.write_bytes(cv2.imencode('.png', loaded['img'])[1].tobytes())


def queries_of(protocol: SearchProtocol) -> list[FirstFrameQuery]:
    """List the queries of a task with their galleries."""
    return [
        FirstFrameQuery(
            image=protocol.images[protocol.query_images[number]],
            box=protocol.query_boxes[number],
            person_id=int(protocol.person_ids[number]),
            cam_id=int(protocol.cam_ids[number]),
            gallery=[protocol.images[place] for place in protocol.gallery(number)],
        )
        for number in range(len(protocol))
    ]


def main() -> None:
    """Convert; see the module's text."""
    args = parse_args()
    dataset = build_split(args.config, args.split, args.cfg_options)
    names = file_names(dataset)
    write_pictures(dataset, args.out / 'img', names)
    for protocol in dataset.protocols:
        content = queries_to_json(protocol.name, queries_of(protocol), dataset.scenes)
        write_json(args.out / f'{protocol.name}.json', content)
    write_json(args.out / 'annotations.json', scenes_to_coco(dataset.scenes, names))
    counts = ', '.join(f'{count} {name}' for name, count in dataset.counts().items())
    print(f'{args.out}: {counts}')


if __name__ == '__main__':
    run_tool(main)
