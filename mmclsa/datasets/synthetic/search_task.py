"""What of drawn scenes is known: annotations, and a retrieval task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmclsa.datasets.synthetic.scenes import ScenePlan
from mmclsa.structures import Query, Scene, SearchProtocol

__all__ = ['scene_of_plan', 'search_task']

# First part of the seed of what is drawn for protocols.
_QUERIES, _GALLERIES = 5, 6


def scene_of_plan(plan: ScenePlan) -> Scene:
    """Give the annotation of a synthetic scene.

    Returns:
        Boxes in pixels, ids of the population (-1 = passer-by); the image's
        key is ``scene_00005.png`` for number 5.
    """
    boxes = np.array([person.box for person in plan.people], np.float64).reshape(-1, 4)
    ids = np.array([person.person_id for person in plan.people], np.int64)
    return Scene(
        image=f'scene_{plan.index:05d}.png',
        boxes=boxes,
        person_ids=ids,
        ignore=np.zeros(len(ids), bool),
        width=plan.settings.width,
        height=plan.settings.height,
    )


def search_task(
    scenes: Sequence[Scene],
    queries_per_identity: int = 2,
    gallery_size: int | None = None,
    seed: int = 0,
) -> SearchProtocol:
    """Make a retrieval task of scenes.

    Each person seen in two scenes or more is looked for, from scenes chosen
    at random.

    Args:
        scenes: The scenes; a person is in a scene once at most.
        queries_per_identity: How many queries a person gives, at most.
        gallery_size: Images in each query's gallery: those that show the
            person, filled up with others at random; more than this if the
            person is in more. None for all but the query's own.
        seed: Of the choice.

    Returns:
        The task, ``all`` or ``gallery_<size>``.

    Example:
        >>> from mmclsa.datasets.synthetic.scenes import SceneSettings, plan_scene
        >>> scenes = [scene_of_plan(plan_scene(SceneSettings(), i)) for i in range(20)]
        >>> task = search_task(scenes, gallery_size=10)
        >>> task.name, {len(task.gallery(i)) for i in range(len(task))}
        ('gallery_10', {10})
    """
    # Two generators: protocols of different sizes must have the same queries.
    choose = np.random.default_rng((_QUERIES, seed))
    fill = np.random.default_rng((_GALLERIES, seed))
    places: dict[int, list[tuple[int, int]]] = {}
    for number, scene in enumerate(scenes):
        for place, person in enumerate(scene.person_ids.tolist()):
            if person >= 0:
                places.setdefault(person, []).append((number, place))
    queries, truths, galleries = [], [], []
    for person in sorted(p for p, seen in places.items() if len(seen) > 1):
        seen = places[person]
        for choice in choose.permutation(len(seen))[:queries_per_identity].tolist():
            number, place = seen[choice]
            queries.append(Query(scenes[number].image, scenes[number].boxes[place], person))
            right = [entry for entry in seen if entry[0] != number]
            truths.append([(scenes[n].image, scenes[n].boxes[p]) for n, p in right])
            galleries.append(_gallery(len(scenes), number, right, gallery_size, fill))
    return SearchProtocol.build(
        name='all' if gallery_size is None else f'gallery_{gallery_size}',
        images=[scene.image for scene in scenes],
        queries=queries,
        truths=truths,
        galleries=None
        if gallery_size is None
        else [[scenes[n].image for n in gallery] for gallery in galleries],
    )


def _gallery(
    count: int,
    own: int,
    right: Sequence[tuple[int, int]],
    size: int | None,
    rng: np.random.Generator,
) -> list[int]:
    """Choose the scenes of a gallery of a given size."""
    if size is None:
        return []
    shown = [number for number, _ in right]
    others = np.setdiff1d(np.arange(count), [own, *shown])
    return sorted([*shown, *rng.permutation(others)[: max(size - len(shown), 0)].tolist()])
