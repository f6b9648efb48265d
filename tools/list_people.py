"""List who is in an index: its sightings, grouped into people.

Sightings are joined while they are probable enough to be of one person, by what the footage
has taught the index (docs/probability.md). Two people who are seen in one frame are never one.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.gallery_options import LIMIT_NAMES, add_shared_options
from mmclsa.utils.io import check_writable, write_json
from mmclsa.utils.text import counted
from mmclsa.utils.times import format_time

_TABLE_PEOPLE = 50
_SHEET_PEOPLE = 200  # a JPEG is at most 65,535 pixels high
_COLUMNS = 8


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_shared_options(parser, 'index')
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument(
        '--min-probability', type=float, metavar='P',
        help='join sightings that are of one person with this probability (default: 0.8)',
    )  # fmt: skip
    threshold.add_argument(
        '--min-similarity', type=float, metavar='S',
        help='or that are so similar, for an index that knows no probabilities',
    )  # fmt: skip
    add_shared_options(parser, '--camera', '--from', '--to')
    parser.add_argument(
        '--limit', type=int, metavar='N',
        help=f'list the N people with most sightings (default: {_TABLE_PEOPLE} in the table, '
        f'{_SHEET_PEOPLE} on the sheet, all in --json)',
    )  # fmt: skip
    parser.add_argument('--json', metavar='FILE', help='write the people and their sightings')
    parser.add_argument(
        '--sheet', metavar='FILE.jpg', help='draw a contact sheet of the crops of each person'
    )
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np
from terminaltables import AsciiTable

from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.inference import PersonGroup, crops_of, people_of_index, search_filter
from mmclsa.inference.limits import undated_sentence
from mmclsa.visualization import SheetPerson, draw_contact_sheet, write_picture


def table_of(people: list[PersonGroup]) -> str:
    """Write a line a person."""
    rows = [['person', 'sightings', 'first seen', 'last seen', 'cameras', 'rows']]
    for number, person in enumerate(people, 1):
        rows.append(
            [
                str(number),
                str(person.num_sightings),
                format_time(person.time_from),
                format_time(person.time_to),
                ', '.join(filter(None, person.cameras)),
                _some(person.rows),
            ]
        )
    return str(AsciiTable(rows).table)


def _some(rows: list[int] | Any) -> str:
    shown = ' '.join(map(str, rows[:_COLUMNS]))
    return f'{shown} ...' if len(rows) > _COLUMNS else shown


def as_dict(number: int, person: PersonGroup) -> dict[str, Any]:
    """Give a person as plain lists and numbers."""
    return dict(
        person=number,
        num_sightings=person.num_sightings,
        cameras=person.cameras,
        time_from=_known(person.time_from),
        time_to=_known(person.time_to),
        best=person.best,
        sightings=[_sighting(row, one) for row, one in zip(person.rows, person.records)],
    )


def _sighting(row: int, record: GalleryRecord) -> dict[str, Any]:
    return dict(
        row=row,
        source=record.source,
        camera=record.camera,
        first_frame=record.first_frame,
        last_frame=record.last_frame,
        time_from=_known(record.time_from),
        time_to=_known(record.time_to),
        num_frames=record.num_frames,
        track_id=record.track_id,
        frame=record.frame,
        box=[round(float(value), 2) for value in record.box],
        score=round(record.score, 6),
    )


def _known(time: float) -> float | None:
    return time if math.isfinite(time) else None


def draw_sheet(index: GalleryIndex, people: list[PersonGroup]) -> np.ndarray:
    """Draw the crops of each person's sightings."""
    sheet = []
    for number, person in enumerate(people, 1):
        rows, records = person.rows[:_COLUMNS], person.records[:_COLUMNS]
        names = ', '.join(filter(None, person.cameras))
        span = f'{format_time(person.time_from)} - {format_time(person.time_to)}'.strip(' -')
        count = counted(person.num_sightings, 'sighting')
        heading = ', '.join(filter(None, (f'person {number}: {count}', span, names)))
        crops = [*crops_of(index, rows, records), *[None] * (len(person.rows) - len(rows))]
        notes = [format_time(record.time_from) or Path(record.source).name for record in records]
        sheet.append(SheetPerson(heading, crops, notes))
    return draw_contact_sheet(sheet, columns=_COLUMNS)


def check(args: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before anything takes long."""
    if args.limit is not None and args.limit < 1:
        raise ConfigError(f'--limit must be at least 1, but is {args.limit}')
    if args.sheet and Path(args.sheet).suffix.lower() not in ('.jpg', '.jpeg', '.png'):
        raise ConfigError(f'--sheet must end in .jpg or .png, but is {args.sheet}')
    for option, path in (('--json', args.json), ('--sheet', args.sheet)):
        if path is not None:
            check_writable(Path(path).parent)
            if not path or Path(path).is_dir():
                raise ConfigError(f'{option} must be a file, but is {path or "an empty text"}')


def main() -> None:
    """List."""
    args = parse_args()
    check(args)
    with GalleryIndex.open(args.index) as index:
        where = search_filter(index, args.camera, args.time_from, args.time_to, LIMIT_NAMES)
        found = people_of_index(index, where, args.min_probability, args.min_similarity)
        people = found[: args.limit]
        drawn = people[:_SHEET_PEOPLE]
        sheet = draw_sheet(index, drawn) if args.sheet else None
        undated = undated_sentence(index, where)
    listed = people[: args.limit or _TABLE_PEOPLE]
    print(table_of(listed))
    if not found:
        print('nobody was found')
    if more := len(found) - len(listed):
        print(f'{counted(more, "more person is", "more people are")} not listed: see --limit')
    if undated:
        print(undated)
    if args.json:
        content = [as_dict(number, person) for number, person in enumerate(people, 1)]
        write_json(args.json, content, indent=2, ensure_ascii=False)
        print(f'{args.json}: {_of(people, found)}', file=sys.stderr)
    if sheet is not None:
        write_picture(args.sheet, sheet)
        print(f'{args.sheet}: {_of(drawn, found)}', file=sys.stderr)


def _of(people: list[PersonGroup], found: list[PersonGroup]) -> str:
    if len(people) < len(found):
        return f'the first {len(people)} of {counted(len(found), "person")}'
    return counted(len(people), 'person')


if __name__ == '__main__':
    run_tool(main)
