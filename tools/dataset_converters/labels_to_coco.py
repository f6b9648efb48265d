"""Convert what was drawn in labelme or Label Studio to COCO + person_id.

    python tools/dataset_converters/labels_to_coco.py drawn/ annotations.json
    python tools/dataset_converters/labels_to_coco.py export.json annotations.json

SOURCE is a folder of labelme's JSON files, where a person's id is the group id of a shape, or a
JSON export of Label Studio, where a control with perRegion="true" says who it is.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from mmclsa.errors import DataError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert labelme or Label Studio to COCO.')
    parser.add_argument(
        'source', type=Path, help="folder of labelme's JSON files, or Label Studio's JSON export"
    )
    parser.add_argument('out', type=Path, help='annotation file to write')
    parser.add_argument(
        '--person-labels',
        nargs='+',
        metavar='NAME',
        help='labels that are people (default: person, pedestrian, people, human, ...)',
    )
    parser.add_argument(
        '--id-field', metavar='NAME', help='Label Studio: control with the identity'
    )
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.datasets.labels_export import images_to_coco
from mmclsa.datasets.readers.labels import read_label_studio, read_labelme
from mmclsa.utils.text import counted


def main() -> None:
    """Convert; see the module's text."""
    args = parse_args()
    if not args.source.exists():
        raise DataError(f'{args.source} does not exist')
    if args.source.is_dir():
        images = read_labelme(args.source)
    else:
        images = read_label_studio(args.source, args.id_field)
    left_out: Counter[str] = Counter()
    content = images_to_coco(images, str(args.source), args.person_labels, left_out)
    write_json(args.out, content)
    people = {a['person_id'] for a in content['annotations'] if a['person_id'] >= 0}
    told = ''.join(f', {count} {what} left out' for what, count in sorted(left_out.items()))
    images, boxes = (
        counted(len(content['images']), 'image'),
        counted(len(content['annotations']), 'box'),
    )
    print(f'{args.out}: {images}, {boxes}, {counted(len(people), "person")}{told}')


if __name__ == '__main__':
    run_tool(main)
