"""Convert a data set of a config to MOTChallenge sequences, one a camera.

    python tools/dataset_converters/to_mot.py configs/clsa/clsa_tiny_synthetic.py out

Writes OUT/NAME/img1/, OUT/NAME/gt/gt.txt, OUT/NAME/gt/labels.txt and OUT/NAME/seqinfo.ini,
which CVAT imports (MOT 1.1) and trackers are tested with. Images are saved without loss.
gt.txt is written last, so it exists only if the conversion of its sequence is complete.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import atomic_write


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a data set of a config to MOTChallenge.')
    parser.add_argument('config', help='config file')
    parser.add_argument('out', type=Path, help='output folder')
    parser.add_argument(
        '--split', default='test', help='train, val or test, or a name shown by verify_dataset.py'
    )
    parser.add_argument(
        '--fps', type=float, default=25.0, help='frame rate for seqinfo.ini (default: 25)'
    )
    add_cfg_options(parser)
    args = parser.parse_args()
    if not 0 < args.fps < float('inf'):
        parser.error(f'--fps must be above 0, but is {args.fps}')
    return args


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import cv2
from rich.progress import track

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.mot_export import (
    GT,
    LABELS,
    SEQINFO,
    scenes_to_gt,
    sequence_info,
    split_by_camera,
)
from mmclsa.engine.splits import build_split
from mmclsa.utils.text import counted


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def write_sequence(
    dataset: BasePersonSearchDataset, places: list[int], folder: Path, fps: float
) -> None:
    """Write the scenes of one camera."""
    sizes: Counter[tuple[int, int]] = Counter()
    numbered = list(enumerate(places, 1))
    for number, place in track(numbered, folder.name, disable=not sys.stdout.isatty()):
        picture = dataset[place]['img']
        sizes[picture.shape[1], picture.shape[0]] += 1
        with atomic_write(folder / 'img1' / f'{number:06d}.png') as temporary:
            temporary.write_bytes(cv2.imencode('.png', picture)[1].tobytes())
    (size, _), *_ = sizes.most_common()
    write_text(folder / SEQINFO, sequence_info(folder.name, len(places), size, '.png', fps))
    write_text(folder / LABELS, 'person\n')
    write_text(folder / GT, scenes_to_gt([dataset.scenes[place] for place in places]))


def main() -> None:
    """Convert; see the module's text."""
    args = parse_args()
    dataset = build_split(args.config, args.split, args.cfg_options)
    sequences = split_by_camera(dataset.scenes)
    for name, places in sequences.items():
        write_sequence(dataset, places, args.out / name, args.fps)
    counts = ', '.join(f'{count} {name}' for name, count in dataset.counts().items())
    print(f'{args.out}: {counted(len(sequences), "sequence")}, {counts}')


if __name__ == '__main__':
    run_tool(main)
