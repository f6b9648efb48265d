"""COCO JSON with person ids, whichever tool wrote it.

The formats are described in docs/datasets.md.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmclsa.datasets.readers.coco_ids import (
    WEAK_KEYS,
    Identity,
    IdField,
    candidates,
    choose_field,
    file_key,
    number_all,
    read_identity,
    refuse_mixture,
    value_of,
)
from mmclsa.datasets.readers.coco_people import Categories, read_categories
from mmclsa.datasets.readers.coco_protocol import coco_protocol
from mmclsa.datasets.readers.json_file import json_field, json_list, load_json, xywh_to_box
from mmclsa.datasets.readers.paths import AnyPath
from mmclsa.datasets.readers.true_sizes import BEYOND, leave_out_beyond
from mmclsa.errors import DataError
from mmclsa.structures import Scene

__all__ = [
    'CocoFile',
    'coco_protocol',
    'read_coco',
    'read_coco_alone',
    'read_coco_file',
    'tell_left_out',
]

#: Names of what is left out, for counts.
WITHOUT_SIZE = 'boxes smaller than a pixel'
IGNORED = 'ignored boxes that are none'
_TRUE = ('1', 'true', 'yes')
_CAMERAS, _VIDEOS = ('cam_id', 'camera_id', 'camera', 'cam'), ('video_id', 'vid_id')


@dataclass
class CocoFile:
    """What was read of a COCO file.

    Attributes:
        scenes: In the file's order of images; boxes beyond their picture are
            still among them.
        people: The number in ``scenes`` of each id in the file.
        left_out: How many boxes are in no scene, by what they are.
        ids_from: The field that people's ids are from; None if nobody has one.
        note: What a user must know of the ids, or None.
    """

    scenes: list[Scene]
    people: Mapping[Identity, int]
    left_out: dict[str, int] = field(default_factory=dict)
    ids_from: str | None = None
    note: str | None = None


@dataclass
class _Box:
    """An annotation that is in a scene."""

    where: str
    record: Mapping[str, Any]
    box: tuple[float, float, float, float]
    ignore: bool
    person: Identity | None = None
    track: Identity | None = None


def read_coco(ann_file: AnyPath) -> list[Scene]:
    """Read the scenes of COCO annotations; see :func:`read_coco_alone`."""
    return read_coco_alone(ann_file).scenes


def read_coco_alone(ann_file: AnyPath) -> CocoFile:
    """Read COCO annotations where no pictures are at hand; see :func:`read_coco_file`.

    Boxes beyond the size that the file gives their picture are left out;
    where boxes are left out, a warning tells how many.

    Raises:
        DataError: If the file is missing, broken, empty or inconsistent.
    """
    content = read_coco_file(ann_file)
    content.scenes, beyond = leave_out_beyond(content.scenes)
    if beyond:
        content.left_out[BEYOND] = beyond
    for sentence in [content.note, tell_left_out(content.left_out)]:
        if sentence:
            warnings.warn(f'{ann_file}: {sentence}', stacklevel=2)
    return content


def tell_left_out(left_out: Mapping[str, int]) -> str | None:
    """Say what is left out.

    Example:
        >>> tell_left_out({'boxes of category car': 4})
        'left out: 4 boxes of category car'
    """
    told = ', '.join(f'{count} {what}' for what, count in left_out.items())
    return f'left out: {told}' if told else None


def read_coco_file(
    ann_file: AnyPath,
    person_categories: str | int | Sequence[str | int] | None = None,
    person_id_field: str | None = None,
) -> CocoFile:
    """Read COCO annotations with ids of people.

    A person's id is the field ``person_id`` of the annotation, or what other
    tools call it, in the annotation or its ``attributes`` or ``extra``; where
    there is none, ``track_id``. ``ignore`` or ``iscrowd`` make a box neither
    person nor background. Left out and counted are boxes of categories that
    are not people, boxes less than a pixel wide or high, and ignored ones
    whose box is none.

    Args:
        ann_file: The JSON file.
        person_categories: Names or ids of the categories that are people;
            None for those called person, pedestrian, ...
        person_id_field: The field that holds people's ids, such as
            ``attributes.player``; None for the usual names.

    Returns:
        The scenes and what is to be said of them.

    Raises:
        DataError: If the file is missing, broken, empty or inconsistent.
    """
    data = load_json(ann_file)
    images = json_list(data, 'images', str(ann_file))
    annotations = json_list(data, 'annotations', str(ann_file))
    if not images:
        raise DataError(f'{ann_file}, field images: expected at least one image, but got none')
    keys = _image_keys(images, ann_file)
    _check_references(annotations, set(keys), ann_file)
    categories = read_categories(data, annotations, person_categories, str(ann_file))
    left_out: Counter[str] = Counter()
    boxes: dict[Identity, list[_Box]] = {key: [] for key in keys}
    for i, record in enumerate(annotations):
        entry = _read_box(record, f'{ann_file}, annotations[{i}]', categories)
        if isinstance(entry, str):
            left_out[entry] += 1
        else:
            boxes[file_key(record['image_id'], 'image_id', entry.where)].append(entry)
    people = [entry for group in boxes.values() for entry in group if not entry.ignore]
    found = _read_ids(images, keys, boxes, person_id_field, str(ann_file))
    numbers = number_all(entry.person for group in boxes.values() for entry in group)
    tracks = number_all(entry.track for group in boxes.values() for entry in group)
    cameras = _cameras(images, str(ann_file))
    scenes = [
        _scene(image, boxes[key], (numbers, tracks), camera, f'{ann_file}, images[{i}]')
        for i, (image, key, camera) in enumerate(zip(images, keys, cameras))
    ]
    note = _note(found, people)
    return CocoFile(scenes, numbers, dict(left_out), str(found) if found else None, note)


def _image_keys(images: Sequence[Any], ann_file: AnyPath) -> list[Identity]:
    """Read the ids of images, and refuse a picture that is listed twice."""
    keys: dict[Identity, None] = {}
    names: dict[str, int] = {}
    for i, image in enumerate(images):
        where = f'{ann_file}, images[{i}]'
        key = file_key(json_field(image, 'id', where), 'id', where)
        if key in keys:
            raise DataError(f'{where}: id {key!r} occurs twice')
        keys[key] = None
        name = json_field(image, 'file_name', where)
        if not isinstance(name, str) or not name.strip():
            raise DataError(f'{where}: file_name must be the name of a file, but got {name!r:.60}')
        if (first := names.setdefault(name, i)) != i:
            raise DataError(
                f'{where}: file_name {name!r} is that of images[{first}] too, but each picture '
                'is listed once: put the folder before the names of different pictures, and the '
                'boxes of one picture under one image'
            )
    return list(keys)


def _check_references(annotations: Sequence[Any], keys: set[Identity], ann_file: AnyPath) -> None:
    for i, record in enumerate(annotations):
        where = f'{ann_file}, annotations[{i}]'
        key = file_key(json_field(record, 'image_id', where), 'image_id', where)
        if key not in keys:
            raise DataError(f'{where}: image_id {key} is not among the images')


def _read_box(record: Mapping[str, Any], where: str, categories: Categories) -> _Box | str:
    """Read an annotation, or say why it is left out."""
    category = categories.other(record, where)
    if category is not None:
        return f'boxes of category {category}'
    ignore = _is_true(record.get('ignore')) or _is_true(record.get('iscrowd'))
    given = record.get('bbox') if ignore else json_field(record, 'bbox', where)
    box = xywh_to_box(given)
    if box is None:
        if ignore:
            return IGNORED
        if given is None or given == []:
            return WITHOUT_SIZE
        raise DataError(f'{where}: bbox must be 4 finite numbers x y w h, but got {given!r:.100}')
    if box[2] - box[0] < 1 or box[3] - box[1] < 1:
        return IGNORED if ignore else WITHOUT_SIZE
    return _Box(where, record, box, ignore)


def _is_true(value: Any) -> bool:
    return value.strip().lower() in _TRUE if isinstance(value, str) else bool(value)


def _read_ids(
    images: Sequence[Mapping[str, Any]],
    keys: Sequence[Identity],
    boxes: Mapping[Identity, list[_Box]],
    named: str | None,
    where: str,
) -> IdField | None:
    """Read who people are; give the field that says so."""
    entries = [entry for group in boxes.values() for entry in group]
    found = [(entry.record['image_id'], candidates(entry.record, named)) for entry in entries]
    tracks = choose_field(found, tracks=True)
    people = choose_field(found, tracks=False, named=named)
    if named and people is None:
        raise DataError(
            f'{where}: no person has the field {named} of person_id_field; '
            + _seen_fields([entry.record for entry in entries])
        )
    for wanted, name in ((people or tracks, 'person'), (tracks, 'track')):
        known = []
        for entry, (_, fields) in zip(entries, found if wanted else ()):
            if wanted and (given := value_of(fields, wanted)):
                setattr(entry, name, read_identity(given[1], given[0], entry.where))
                known.append((given[1], given[0], entry.where))
        refuse_mixture(known)
    if people is None and tracks is not None:
        _tell_videos_apart(images, keys, boxes)
    for entry in entries:
        entry.person = None if entry.ignore else entry.person
    return people or tracks


def _tell_videos_apart(
    images: Sequence[Mapping[str, Any]],
    keys: Sequence[Identity],
    boxes: Mapping[Identity, list[_Box]],
) -> None:
    """Name people by video and track: the same number is somebody else in another video."""
    videos = [next((str(im[v]) for v in _VIDEOS if im.get(v) is not None), '') for im in images]
    if len(set(videos)) > 1:
        for key, video in zip(keys, videos):
            for entry in boxes[key]:
                entry.person = None if entry.person is None else f'{video}/{entry.person}'


def _seen_fields(records: Sequence[Mapping[str, Any]]) -> str:
    """List the fields that annotations have, those of inner objects too."""
    seen: dict[str, None] = {}
    for record in records:
        for name, value in record.items():
            inner = value if isinstance(value, Mapping) and name != 'segmentation' else {}
            seen.update(dict.fromkeys([name, *(f'{name}.{key}' for key in inner)]))
        if len(seen) > 30:
            break
    return f'the annotations have {", ".join(seen) or "no field"}'


def _note(found: IdField | None, people: Sequence[_Box]) -> str | None:
    """Say what a user must know of the ids."""
    if not people:
        return 'there is no box of a person'
    known = any(entry.person is not None for entry in people)
    if not known:
        looked = (
            f'the ids in {found} are all empty or negative'
            if found
            else 'no annotation, nor its attributes or extra, has person_id, pid, identity, '
            f'track_id or the like ({_seen_fields([entry.record for entry in people])})'
        )
        return f'nobody has an identity: {looked}; person_id_field names the field if it is another'
    if found and (found.is_track or found.key in WEAK_KEYS):
        return f'no person_id is given, so that {found} says who people are'
    return None


def _cameras(images: Sequence[Mapping[str, Any]], where: str) -> list[int]:
    """Number the cameras of images, -1 where none is given."""
    given = [
        next(((im[c], c, f'{where}, images[{i}]') for c in _CAMERAS if c in im), (None, '', where))
        for i, im in enumerate(images)
    ]
    refuse_mixture(given)
    names = [read_identity(*one) for one in given]
    numbers = number_all(names)
    return [-1 if name is None else numbers[name] for name in names]


def _scene(
    image: Mapping[str, Any],
    boxes: Sequence[_Box],
    numbers: tuple[Mapping[Identity, int], Mapping[Identity, int]],
    camera: int,
    where: str,
) -> Scene:
    persons, tracks = (
        [-1 if one is None else known[one] for one in found]
        for known, found in zip(numbers, ([b.person for b in boxes], [b.track for b in boxes]))
    )
    width, height = (_side(image.get(name), name, where) for name in ('width', 'height'))
    return Scene(
        image=str(image['file_name']),
        boxes=np.array([entry.box for entry in boxes], dtype=np.float64).reshape(-1, 4),
        person_ids=np.array(persons, dtype=np.int64),
        ignore=np.array([entry.ignore for entry in boxes], dtype=bool),
        track_ids=np.array(tracks, dtype=np.int64) if any(t != -1 for t in tracks) else None,
        cam_id=camera,
        width=width if height else None,
        height=height if width else None,
        image_id=file_key(image['id'], 'id', where),
    )


def _side(value: Any, name: str, where: str) -> int | None:
    """Read a width or height; None where it is not known."""
    number = read_identity(value, name, where)
    if isinstance(number, str):
        raise DataError(f'{where}: {name} must be an integer, but got {value!r:.60}')
    return number or None
