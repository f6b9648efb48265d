"""Writers of fake data sets in the original layouts, for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import savemat

from tests.fakes.scenes import FakeScene, draw_scene, make_scenes, write_scenes

__all__ = ['make_fake_coco', 'make_fake_cuhk_sysu', 'make_fake_mot', 'make_fake_prw']

SIZE = (120, 160)


def _struct(fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> np.ndarray:
    """Make a MATLAB struct array (1, n)."""
    array = np.empty((1, len(rows)), dtype=[(field, object) for field in fields])
    for index, row in enumerate(rows):
        array[0, index] = tuple(row)
    return array


def _cells(values: Sequence[Any]) -> np.ndarray:
    """Make a MATLAB cell array (n, 1)."""
    array = np.empty((len(values), 1), dtype=object)
    for index, value in enumerate(values):
        array[index, 0] = value
    return array


def _box_of(scene: FakeScene, person: int) -> np.ndarray:
    return scene.boxes[scene.ids == person][:1].astype(np.int32)


def make_fake_cuhk_sysu(
    root: str | Path,
    num_train: int = 6,
    num_test: int = 8,
    num_train_ids: int = 4,
    num_queries: int = 3,
    gallery_sizes: Sequence[int] = (50, 100),
    images: bool = True,
    seed: int = 0,
) -> Path:
    """Write a fake CUHK-SYSU.

    Each scene has an unlabelled person; the first one also a box of width 0,
    which is no box. The gallery of a query is every other test image,
    whatever the size in the file's name.

    Args:
        root: Folder to fill; made if it is not there.
        num_train: Training images.
        num_test: Test images.
        num_train_ids: Training people.
        num_queries: Queries, each of a person of its own.
        gallery_sizes: Which ``TestG<size>.mat`` to write.
        images: Write pictures (120x160) too.
        seed: Of the positions.

    Returns:
        ``root``.
    """
    root = Path(root)
    names = [f's{i + 1}.jpg' for i in range(num_train + num_test)]
    train = make_scenes(names[:num_train], range(num_train_ids), SIZE, seed=seed)
    people = range(1000, 1000 + num_queries)
    test = make_scenes(names[num_train:], people, SIZE, seed=seed + 1)
    tests = root / 'annotation' / 'test' / 'train_test'
    tests.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, scene in enumerate(train + test):
        boxes = [[box.astype(np.int32)[None], 0] for box in scene.boxes]
        if index == 0:
            boxes.append([np.array([[5, 5, 0, 10]], np.int32), 0])
        rows.append([scene.name, len(boxes), _struct(['idlocate', 'ishard'], boxes)])
    savemat(
        root / 'annotation' / 'Images.mat', {'Img': _struct(['imname', 'nAppear', 'box'], rows)}
    )
    savemat(root / 'annotation' / 'pool.mat', {'pool': _cells([s.name for s in test])})
    savemat(tests / 'Train.mat', {'Train': _cuhk_train(train, num_train_ids)})
    for size in gallery_sizes:
        name = f'TestG{size}'
        savemat(tests / f'{name}.mat', {name: _cuhk_tasks(test, people)})
    if images:
        write_scenes(root / 'Image' / 'SSM', train + test, SIZE, seed)
    return root


def _cuhk_train(scenes: Sequence[FakeScene], num_ids: int) -> np.ndarray:
    entries = []
    for person in range(num_ids):
        seen = [[s.name, _box_of(s, person), 0] for s in scenes if person in s.ids]
        scene = _struct(['imname', 'idlocate', 'ishard'], seen)
        entry = [[f'p{person + 1}', len(seen), scene]]
        entries.append(_struct(['idname', 'nAppear', 'scene'], entry))
    return _cells(entries)


def _cuhk_tasks(scenes: Sequence[FakeScene], people: Sequence[int]) -> np.ndarray:
    empty = np.zeros((1, 0))
    tasks = []
    for person in people:
        first, *others = [s for s in scenes if person in s.ids]
        query = [[first.name, _box_of(first, person), 0, f'p{person}']]
        gallery = [[s.name, _box_of(s, person), 0] for s in others]
        gallery += [[s.name, empty, empty] for s in scenes if person not in s.ids]
        tasks.append(
            [
                _struct(['imname', 'idlocate', 'ishard', 'idname'], query),
                _struct(['imname', 'idlocate', 'ishard'], gallery),
            ]
        )
    return _struct(['Query', 'Gallery'], tasks)


def make_fake_prw(
    root: str | Path,
    num_train: int = 6,
    num_test: int = 8,
    num_train_ids: int = 4,
    num_queries: int = 3,
    images: bool = True,
    seed: int = 0,
) -> Path:
    """Write a fake PRW.

    Frames go round the six cameras; annotation files use PRW's three key
    names in turn; training ids are 1, 2, ... and, as in PRW, 932 at the end.

    Args:
        root: Folder to fill; made if it is not there.
        num_train: Training frames.
        num_test: Test frames.
        num_train_ids: Training people.
        num_queries: Queries, each of a person of its own.
        images: Write frames (120x160) too.
        seed: Of the positions.

    Returns:
        ``root``.
    """
    root = Path(root)
    total = num_train + num_test
    names = [f'c{i % 6 + 1}s1_{1001 + 25 * i:06d}' for i in range(total)]
    train_ids = [*range(1, num_train_ids), 932]
    people = list(range(479, 479 + num_queries))
    files = [f'{name}.jpg' for name in names]
    train = make_scenes(files[:num_train], train_ids, SIZE, seed=seed)
    test = make_scenes(files[num_train:], people, SIZE, seed=seed + 1)
    (root / 'annotations').mkdir(parents=True, exist_ok=True)
    keys = ('box_new', 'anno_file', 'anno_previous')
    for index, scene in enumerate(train + test):
        ids = np.where(scene.ids < 0, -2, scene.ids)[:, None]
        rows = np.concatenate([ids, scene.boxes], axis=1).astype(np.float64)
        savemat(root / 'annotations' / f'{scene.name}.mat', {keys[index % 3]: rows})
    savemat(root / 'frame_train.mat', {'img_index_train': _cells(names[:num_train])})
    savemat(root / 'frame_test.mat', {'img_index_test': _cells(names[num_train:])})
    savemat(root / 'ID_train.mat', {'ID_train': np.array([train_ids])})
    savemat(root / 'ID_test.mat', {'ID_test2': np.array([people])})
    lines = []
    for person in people:
        scene = next(s for s in test if person in s.ids)
        box = ' '.join(f'{v:.3f}' for v in _box_of(scene, person)[0])
        lines.append(f'{person} {box} {Path(scene.name).stem}\r\n')
    (root / 'query_info.txt').write_bytes(''.join(lines).encode())
    if images:
        write_scenes(root / 'frames', train + test, SIZE, seed)
    return root


def make_fake_coco(
    root: str | Path,
    num_images: int = 8,
    num_ids: int = 4,
    images: bool = True,
    seed: int = 0,
) -> Path:
    """Write ``annotations.json``, ``protocol.json`` and ``img/``.

    Images have ids 1, 11, 21, ... and a ``cam_id``; the last image has an
    ignored box. The query of a person is his first image, the gallery of
    even queries ``all``, of odd ones a list.

    Args:
        root: Folder to fill; made if it is not there.
        num_images: Images.
        num_ids: People, all queried.
        images: Write pictures (120x160) too.
        seed: Of the positions.

    Returns:
        ``root``.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    names = [f'{i + 1:06d}.jpg' for i in range(num_images)]
    scenes = make_scenes(names, range(num_ids), SIZE, seed=seed)
    image_ids = {name: 1 + 10 * i for i, name in enumerate(names)}
    entries = [
        dict(id=image_ids[n], file_name=n, width=SIZE[1], height=SIZE[0], cam_id=i % 2)
        for i, n in enumerate(names)
    ]
    annotations: list[dict[str, Any]] = []
    for scene in scenes:
        for box, person in zip(scene.boxes.tolist(), scene.ids.tolist()):
            annotations.append(_coco_annotation(annotations, image_ids[scene.name], box, person))
    ignored = _coco_annotation(annotations, image_ids[names[-1]], [1, 1, 20, 20], -1)
    annotations.append(dict(ignored, ignore=1))
    categories = [dict(id=1, name='person')]
    content = dict(images=entries, annotations=annotations, categories=categories)
    (root / 'annotations.json').write_text(json.dumps(content))
    queries = []
    for person in range(num_ids):
        scene = next(s for s in scenes if person in s.ids)
        others = [image_ids[n] for n in names if n != scene.name]
        query: dict[str, Any] = dict(query_id=person, image_id=image_ids[scene.name])
        query.update(bbox=_box_of(scene, person)[0].tolist(), person_id=person)
        queries.append(dict(query, gallery=others if person % 2 else 'all'))
    (root / 'protocol.json').write_text(json.dumps(dict(name='fake', queries=queries)))
    if images:
        write_scenes(root / 'img', scenes, SIZE, seed)
    return root


def _coco_annotation(
    before: Sequence[dict[str, Any]], image_id: int, box: Sequence[int], person: int
) -> dict[str, Any]:
    return dict(
        id=len(before) + 1,
        image_id=image_id,
        category_id=1,
        bbox=list(box),
        area=box[2] * box[3],
        iscrowd=0,
        ignore=0,
        person_id=person,
    )


def make_fake_mot(
    root: str | Path,
    name: str = 'FAKE-01',
    num_frames: int = 5,
    num_ids: int = 3,
    video: bool = False,
    mot15: bool = False,
    seed: int = 0,
) -> Path:
    """Write a fake MOTChallenge sequence.

    Beside people (ids 1, 2, ...) each frame has a static person (class 7)
    and a car (class 3), but in MOT15's format, which has no classes.

    Args:
        root: Folder that the sequence's folder is made in.
        name: Of the sequence.
        num_frames: Frames.
        num_ids: People.
        video: Write one video (MJPG) instead of ``img1/``.
        mot15: Write gt.txt with MOT15's ten columns.
        seed: Of the positions.

    Returns:
        The sequence's folder.
    """
    folder = Path(root) / name
    (folder / 'gt').mkdir(parents=True, exist_ok=True)
    names = [f'{i + 1:06d}.jpg' for i in range(num_frames)]
    scenes = make_scenes(names, range(1, num_ids + 1), SIZE, unlabelled=0, seed=seed)
    lines = []
    for frame, scene in enumerate(scenes, 1):
        for (x, y, w, h), person in zip(scene.boxes.tolist(), scene.ids.tolist()):
            tail = '1,-1,-1,-1' if mot15 else '1,1,0.8'
            lines.append(f'{frame},{person},{x},{y},{w},{h},{tail}')
        if not mot15:
            lines.append(f'{frame},90,5,5,20,40,0,7,1')
            lines.append(f'{frame},91,60,60,40,20,0,3,1')
    (folder / 'gt' / 'gt.txt').write_text('\n'.join(lines) + '\n')
    (folder / 'seqinfo.ini').write_text(
        f'[Sequence]\nname={name}\nimDir=img1\nframeRate=25\nseqLength={num_frames}\n'
        f'imWidth={SIZE[1]}\nimHeight={SIZE[0]}\nimExt=.jpg\n'
    )
    if video:
        writer = cv2.VideoWriter(
            str(folder / f'{folder.name}.avi'), cv2.VideoWriter.fourcc(*'MJPG'), 25, SIZE[::-1]
        )
        for scene in scenes:
            writer.write(draw_scene(scene, SIZE, seed))
        writer.release()
    else:
        write_scenes(folder / 'img1', scenes, SIZE, seed)
    return folder
