"""A data set beside its pictures: their sizes count, and who is left is told."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

from mmengine.logging import print_log

from mmclsa.datasets.instances import has_size
from mmclsa.datasets.picture_sizes import readable_sizes
from mmclsa.datasets.readers.true_sizes import Disagreement, settle_sizes
from mmclsa.errors import DataError
from mmclsa.structures import Scene, SearchProtocol
from mmclsa.utils.text import counted

__all__ = [
    'REPORT',
    'refuse_nobody',
    'refuse_queries_beyond',
    'take_true_sizes',
    'tell_of_empty_boxes',
]

#: A value of ``check_images``: note what is wrong with the pictures that are there.
REPORT = 'report'


def take_true_sizes(
    scenes: Sequence[Scene], files: Sequence[str], folder: str, title: str, tolerant: bool
) -> tuple[list[Scene], list[str]]:
    """Give scenes the sizes of their pictures.

    Args:
        scenes: With what sizes their annotations say.
        files: The picture of each.
        folder: Of the pictures.
        title: Of the data set, for messages.
        tolerant: Take pictures that are missing or broken as they are
            annotated, and boxes that are in pixels of another size too.

    Returns:
        The scenes, and a sentence for each that disagreed.

    Raises:
        DataError: Unless tolerant: if a picture is missing or broken, or
            boxes are in pixels of another size than their picture's.
    """
    names = [os.path.relpath(file, folder) for file in files]
    known = readable_sizes(folder, names, title, tolerant)
    by_image = {s.image: known[name] for s, name in zip(scenes, names) if name in known}
    settled, found = settle_sizes(scenes, by_image)
    if not tolerant:
        _check_boxes(found, title)
    return settled, [str(one) for one in found]


def _check_boxes(found: Sequence[Disagreement], title: str) -> None:
    """Refuse boxes in pixels of another size; say where the sizes alone differ."""
    misfits = [one for one in found if not one.boxes_fit]
    pictures = counted(len(found), 'picture has', 'pictures have')
    count = f'{pictures} another size than their annotations say'
    if misfits:
        raise DataError(
            f'{title}: {count}, and boxes of {len(misfits)} of them are not in pixels of the '
            f'picture, as it is loaded; the first: {misfits[0]}; restore the pictures that were '
            'annotated or scale the boxes, or, if the boxes are right, remove width and height '
            'from the annotations (tools/misc/verify_dataset.py lists all)'
        )
    if found:
        print_log(
            f'{title}: {count}; the pictures count. The first: {found[0]}',
            logger='current',
            level=logging.WARNING,
        )


def refuse_nobody(
    scenes: Sequence[Scene], title: str, place: str, left_out: Mapping[str, int]
) -> None:
    """Refuse a training set of which no box is that of a person: it teaches nothing.

    Raises:
        DataError: If there is nobody, saying what there is.
    """
    if any((has_size(scene) & ~scene.ignore).any() for scene in scenes):
        return
    ignored = sum(int(scene.ignore.sum()) for scene in scenes)
    others = {'ignored boxes': ignored, **left_out}
    told = ', '.join(f'{count} {what}' for what, count in others.items() if count)
    raise DataError(
        f'{title} in {place} has nobody to train on: none of its {len(scenes)} images has the box '
        f'of a person' + (f', only {told}' if told else '')
    )


def refuse_queries_beyond(
    tasks: Sequence[SearchProtocol], scenes: Sequence[Scene], title: str
) -> None:
    """Refuse a query of nobody: a box that has nothing of its picture, where its size is known.

    Raises:
        DataError: If there is one.
    """
    sizes = {scene.image: (scene.width, scene.height) for scene in scenes}
    for task in tasks:
        for image, box in zip(task.query_images, task.query_boxes):
            width, height = sizes.get(task.images[image], (None, None))
            beyond = width and height and (box[0] >= width or box[1] >= height)
            if beyond or (box[2:] <= 0).any():
                raise DataError(
                    f'{title}, protocol {task.name}: the query {box.tolist()} (x1 y1 x2 y2) lies '
                    f'outside of its image, {task.images[image]} of {width}x{height}'
                )


def tell_of_empty_boxes(scenes: Sequence[Scene], title: str, place: str) -> None:
    """Say which boxes are no training boxes for want of width or height."""
    empty = [(scene.image, int((~has_size(scene)).sum())) for scene in scenes]
    images = [image for image, count in empty if count]
    if images:
        size = 'of width or height 0'
        boxes = counted(sum(count for _, count in empty), f'box {size} is', f'boxes {size} are')
        print_log(
            f'{title} in {place}: {boxes} left out of training, the first one in {images[0]}',
            logger='current',
            level=logging.WARNING,
        )
