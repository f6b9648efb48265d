"""Are two models measured on the same data? Said in a sentence, or by silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmclsa.structures import Scene, SearchProtocol

__all__ = ['scenes_differ', 'tasks_differ']


def scenes_differ(ours: Sequence[Scene], theirs: Sequence[Scene]) -> str:
    """Say where the annotations that detection is measured by differ.

    Args:
        ours: Annotated images.
        theirs: Those of another.

    Returns:
        Words such as ``150 images against 140``; empty if nothing differs.

    Example:
        >>> scene = Scene('a.jpg', np.zeros((1, 4)), np.array([0]), np.array([False]))
        >>> scenes_differ([scene], [scene]), scenes_differ([scene], [])
        ('', '1 images against 0')
    """
    if len(ours) != len(theirs):
        return f'{len(ours)} images against {len(theirs)}'
    for place, (one, other) in enumerate(zip(ours, theirs)):
        if one.image != other.image:
            return f'image {place} is {one.image} against {other.image}'
        if not all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ('boxes', 'person_ids', 'ignore')
        ):
            return f'other people in the image {one.image}'
    return ''


def tasks_differ(ours: SearchProtocol, theirs: SearchProtocol) -> str:
    """Say where two search tasks of one name differ.

    Compared are what is searched for, where, and who is to be found.

    Args:
        ours: A task.
        theirs: That of another.

    Returns:
        Words such as ``192 queries against 100``; empty if nothing differs.

    Example:
        >>> task = SearchProtocol.build('none', ['a.jpg'], [], [])
        >>> other = SearchProtocol.build('none', ['b.jpg'], [], [])
        >>> tasks_differ(task, task), tasks_differ(task, other)
        ('', 'other images')
    """
    if len(ours) != len(theirs):
        return f'{len(ours)} queries against {len(theirs)}'
    if ours.images != theirs.images:
        counts = len(ours.images), len(theirs.images)
        return (
            'other images' if counts[0] == counts[1] else f'{counts[0]} images against {counts[1]}'
        )
    for words, names in (
        ('queries', ('query_ids', 'query_images', 'query_boxes', 'person_ids')),
        ('galleries', ('cross_camera', 'gallery_offsets', 'gallery_images')),
        ('galleries', ('excluded_offsets', 'excluded_images')),
        ('matches', ('truth_offsets', 'truth_images', 'truth_boxes')),
    ):
        if not all(_equal(getattr(ours, name), getattr(theirs, name)) for name in names):
            return f'other {words}'
    return ''


def _equal(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(np.asarray(one), np.asarray(other))
