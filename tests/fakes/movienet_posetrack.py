"""Writers of fake MovieNet-PS and PoseTrack21, in their original layouts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from tests.fakes.datasets import SIZE, _box_of, _cells, _cuhk_tasks, _struct
from tests.fakes.scenes import FakeScene, make_scenes, write_scenes

__all__ = ['make_fake_movienet', 'make_fake_posetrack21']


def make_fake_movienet(
    root: str | Path,
    num_train: int = 6,
    num_test: int = 8,
    num_train_ids: int = 4,
    num_queries: int = 3,
    subsets: Sequence[int] = (10, 30),
    gallery_sizes: Sequence[int] = (2000, 4000),
    folder: str = 'annotation',
    images: bool = True,
    seed: int = 0,
) -> Path:
    """Write a fake MovieNet-PS.

    ``Train_app10`` knows two appearances of each person, the other subsets
    all of them. The first pool lacks an image of nobody who is looked for, as
    pools differ by size.

    Args:
        root: Folder to fill; made if it is not there.
        num_train: Training images.
        num_test: Test images.
        num_train_ids: Training people.
        num_queries: Queries, each of a person of its own.
        subsets: Which ``Train_app<n>.mat`` to write.
        gallery_sizes: Which ``TestG<size>.mat`` and ``pool_<size>.mat``.
        folder: Of the annotations; copies of the data set differ in it.
        images: Write pictures (120x160) too.
        seed: Of the positions.

    Returns:
        ``root``.
    """
    root = Path(root)
    names = [f'tt{i // 4:03d}_{i:04d}.jpg' for i in range(num_train + num_test + 1)]
    train = make_scenes(names[:num_train], range(num_train_ids), SIZE, seed=seed)
    people = range(1000, 1000 + num_queries)
    test = make_scenes(names[num_train:-1], people, SIZE, seed=seed + 1)
    extra = FakeScene(names[-1], np.array([[20, 20, 20, 40]]), np.array([-1]))
    tests = root / folder / 'test' / 'train_test'
    tests.mkdir(parents=True, exist_ok=True)
    rows = []
    for scene in [*train, *test, extra]:
        boxes = [[box.astype(np.int32)[None], 0] for box in scene.boxes]
        rows.append([scene.name, len(boxes), _struct(['idlocate', 'ishard'], boxes)])
    savemat(root / folder / 'Images.mat', {'Img': _struct(['imname', 'nAppear', 'box'], rows)})
    for subset in subsets:
        table = _training_cells(train, num_train_ids, 2 if subset == 10 else len(train))
        savemat(tests / f'Train_app{subset}.mat', {'Train': table})
    for place, size in enumerate(gallery_sizes):
        pool = test if place == 0 else [*test, extra]
        savemat(root / folder / f'pool_{size}.mat', {'pool': _cells([s.name for s in pool])})
        savemat(tests / f'TestG{size}.mat', {f'TestG{size}': _cuhk_tasks(pool, people)})
    if images:
        write_scenes(root / 'Image' / 'SSM', [*train, *test, extra], SIZE, seed)
    return root


def _training_cells(scenes: Sequence[FakeScene], num_ids: int, limit: int) -> np.ndarray:
    """Make a cell array with a row for each person: name, count, and a row a scene."""
    table = np.empty((num_ids, 3), dtype=object)
    for person in range(num_ids):
        seen = [s for s in scenes if person in s.ids][:limit]
        rows = np.empty((len(seen), 3), dtype=object)
        for row, scene in zip(rows, seen):
            row[:] = scene.name, _box_of(scene, person), 0
        table[person] = f'p{person}', len(seen), None
        table[person, 2] = rows
    return table


def make_fake_posetrack21(
    root: str | Path,
    num_train: int = 6,
    num_test: int = 8,
    num_train_ids: int = 4,
    num_queries: int = 3,
    images: bool = True,
    seed: int = 0,
) -> Path:
    """Write a fake PoseTrack21 person search.

    Images belong to two videos. The first test image has a polygon as a flat
    list, the second has two polygons. Test people have the ids 500, 502, ...;
    a last query is of somebody who is in no other image.

    Args:
        root: Folder to fill; made if it is not there.
        num_train: Training images.
        num_test: Test images.
        num_train_ids: Training people, with the ids 7, 10, ...
        num_queries: Queries with matches.
        images: Write pictures (120x160) too.
        seed: Of the positions.

    Returns:
        ``root``.
    """
    root = Path(root)
    folder = root / 'posetrack_person_search'
    folder.mkdir(parents=True, exist_ok=True)
    people = [500 + 2 * i for i in range(num_queries)]
    train_ids = [7 + 3 * i for i in range(num_train_ids)]
    train = make_scenes(_names('train', num_train), train_ids, SIZE, unlabelled=0, seed=seed)
    test = make_scenes(_names('val', num_test), people, SIZE, unlabelled=0, seed=seed + 1)
    last = test[-1]
    box = np.array([[3, 3, 11, 22]])
    test[-1] = FakeScene(last.name, np.append(last.boxes, box, 0), np.append(last.ids, 999))
    for name, scenes in (('train', train), ('val', test)):
        (folder / f'{name}.json').write_text(json.dumps(_posetrack(scenes)))
    content = _posetrack(test)
    entries: list[dict[str, Any]] = content['annotations']
    first = [next(e for e in entries if e['person_id'] == person) for person in [*people, 999]]
    (folder / 'query.json').write_text(json.dumps({**content, 'annotations': first}))
    if images:
        for scene in [*train, *test]:
            part = root / Path(scene.name).parent
            write_scenes(part, [FakeScene(Path(scene.name).name, scene.boxes, scene.ids)], SIZE)
    return root


def _names(split: str, count: int) -> list[str]:
    return [f'images/{split}/{i % 2:06d}_clip/{i:06d}.jpg' for i in range(count)]


def _posetrack(scenes: Sequence[FakeScene]) -> dict[str, Any]:
    """Make the contents of a JSON file."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes):
        image: dict[str, Any] = dict(id=10 * number, file_name=scene.name, vid_id=f'{number % 2}')
        if number == 0:
            image.update(ignore_regions_x=[100, 150, 150], ignore_regions_y=[5, 5, 60])
        elif number == 1:
            image.update(
                ignore_regions_x=[[0, 30, 30, 0], [50, 60, 55]],
                ignore_regions_y=[[0, 0, 20, 20], [5, 5, 9]],
            )
        images.append(image)
        for box, person in zip(scene.boxes.tolist(), scene.ids.tolist()):
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=10 * number,
                    bbox=[float(v) for v in box],
                    bbox_head=[0, 0, 1, 1],
                    person_id=person,
                    track_id=person % 5,
                    keypoints=[],
                )
            )
    return dict(images=images, annotations=annotations, categories=[dict(id=1, name='person')])
