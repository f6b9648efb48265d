"""Convert MOTChallenge sequences into COCO + person_id + protocol JSON.

    python tools/dataset_converters/mot_to_coco.py data/mot17 out --sequences 'train/*-FRCNN'

A sequence is a folder with gt/gt.txt and its frames in img1/ or in a video; ROOT may be one.
Writes OUT/annotations.json, OUT/protocol.json and the frames in OUT/img/;
the JSON files are written last, so they exist only if the conversion is complete.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path, PurePosixPath

from mmclsa.errors import DataError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import atomic_write, write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert MOTChallenge sequences to COCO.')
    parser.add_argument('root', type=Path, help='folder of the sequences')
    parser.add_argument('out', type=Path, help='output folder')
    parser.add_argument(
        '--sequences', nargs='+', default=['*'], help='folders below ROOT, or patterns (default: *)'
    )
    parser.add_argument(
        '--min-visibility', type=float, default=0.0, help='ignore less visible people'
    )
    parser.add_argument(
        '--min-height', type=float, default=0.0, help='ignore smaller people (pixels)'
    )
    parser.add_argument(
        '--min-gap',
        type=int,
        default=1,
        help='minimum distance in frames between a query and its gallery (default: 1)',
    )
    parser.add_argument('--link', action='store_true', help='link frames instead of copying them')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import cv2
from rich.progress import track

from mmclsa.datasets.coco_export import queries_to_json, scenes_to_coco
from mmclsa.datasets.mot_challenge import first_frame_queries
from mmclsa.datasets.readers.mot import MOTSequence, describe_reading, read_mot_sequences
from mmclsa.datasets.readers.mot_folders import find_sequences, split_root
from mmclsa.datasets.video_lengths import count_frames_once
from mmclsa.media import VideoReader
from mmclsa.utils.text import counted


def write_frames(sequence: MOTSequence, root: Path, out: Path, link: bool) -> dict[str, str]:
    """Write a sequence's frames into ``out/img``; return file name by image key."""
    video = VideoReader(sequence.video) if sequence.video else None
    names = {}
    progress = track(sequence.scenes, description=sequence.name, disable=not sys.stdout.isatty())
    for scene in progress:
        source, _, frame = scene.image.partition('#')
        name = inside(f'{sequence.name}/{frame}.jpg' if video else source)
        target = out / 'img' / name
        if video is not None:
            picture = video[int(frame) - 1]
            with atomic_write(target) as temporary:
                cv2.imwrite(str(temporary), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        else:
            copy_image(root / source, target, link)
        names[scene.image] = name
    return names


def inside(name: str) -> str:
    """Name a picture below ``out/img``, also one of a sequence that lies elsewhere."""
    return PurePosixPath(*(p for p in PurePosixPath(name).parts if p not in ('/', '..'))).as_posix()


def copy_image(source: Path, target: Path, link: bool) -> None:
    """Copy an image, or link to it."""
    if not source.exists():
        raise DataError(f"image {source} is missing, but its sequence's gt.txt lists it")
    if link:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(source.resolve())
    else:
        with atomic_write(target) as temporary:
            shutil.copyfile(source, temporary)


def main() -> None:
    """Convert; see the module's text."""
    args = parse_args()
    given, wanted = split_root(str(args.root), args.sequences)
    root = Path(given)
    found = find_sequences(root, wanted)
    sequences = read_mot_sequences(
        root, found.names, args.min_visibility, args.min_height, count_frames_once
    )
    for sentence in describe_reading(found, sequences):
        print(f'note: {sentence}', file=sys.stderr)
    scenes = [scene for sequence in sequences for scene in sequence.scenes]
    queries = first_frame_queries(scenes, args.min_gap)
    if not queries:
        raise DataError(
            f'{args.root}: nobody is seen in two frames that are --min-gap {args.min_gap} or more '
            'apart, so that there is nothing to search'
        )
    names: dict[str, str] = {}
    for sequence in sequences:
        names.update(write_frames(sequence, root, args.out, args.link))
    write_json(args.out / 'protocol.json', queries_to_json('first_frame', queries, scenes))
    content = scenes_to_coco(scenes, names)
    write_json(args.out / 'annotations.json', content)
    people = len({p for s in scenes for p in s.person_ids[~s.ignore].tolist() if p >= 0})
    boxes = sum(int((~s.ignore).sum()) for s in scenes)
    print(
        f'{args.out}: {counted(len(scenes), "image")}, {counted(boxes, "box")} '
        f'(+{len(content["annotations"]) - boxes} ignored), {counted(people, "person")}, '
        f'{counted(len(queries), "query")}'
    )


if __name__ == '__main__':
    run_tool(main)
