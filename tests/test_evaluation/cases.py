"""Small random retrieval tasks, with ties, duplicates and gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmclsa.structures import Context, Predictions, Query, Scene, SearchProtocol

BOX = np.array([10.0, 10.0, 40.0, 90.0])


def make_task(seed, images=7, people=3, queries=4, listed=True, cams=2):
    """Scenes with people, and a task on them; galleries may repeat an image."""
    rng = np.random.default_rng(seed)
    names = [f'{i}.jpg' for i in range(images)]
    cameras = rng.integers(0, cams, images)
    scenes = []
    for index, name in enumerate(names):
        count = int(rng.integers(0, people + 1))
        corners = rng.integers(0, 100, (count, 2)).astype(float)
        boxes = np.concatenate([corners, corners + rng.integers(4, 80, (count, 2))], axis=1)
        ids = rng.permutation(people)[:count]
        scenes.append(Scene(name, boxes, ids, np.zeros(count, bool), cam_id=int(cameras[index])))
    shown = [(i, p) for i, scene in enumerate(scenes) for p in scene.person_ids]
    asked, galleries, truths = [], [], []
    for _ in range(queries):
        image, person = shown[rng.integers(len(shown))] if shown else (0, 0)
        boxes = scenes[image].boxes[scenes[image].person_ids == person]
        box = boxes[0] if len(boxes) else BOX
        asked.append(Query(names[image], box, int(person), int(cameras[image])))
        others = [i for i in range(images) if i != image]
        gallery = others if not listed else list(rng.choice(others, size=images, replace=True))
        galleries.append([names[i] for i in gallery])
        truths.append(
            [
                (names[i], scenes[i].boxes[scenes[i].person_ids == person][0])
                for i in gallery
                if person in scenes[i].person_ids
            ]
        )
    task = SearchProtocol.build(
        'random',
        names,
        asked,
        truths,
        galleries=galleries if listed else None,
        image_cams=cameras,
    )
    return scenes, task


def make_predictions(seed, scenes, task, per_image=5, dims=3, spread=2):
    """Detections near the people and elsewhere; whole-number embeddings tie often."""
    rng = np.random.default_rng(seed + 1)
    images, boxes = [], []
    for scene in scenes:
        for _ in range(int(rng.integers(0, per_image + 1))):
            if len(scene.boxes) and rng.random() < 0.7:
                base = scene.boxes[rng.integers(len(scene.boxes))]
                box = base + rng.integers(-6, 7, 4)
            else:
                corner = rng.integers(0, 100, 2).astype(float)
                box = np.concatenate([corner, corner + rng.integers(5, 60, 2)])
            images.append(scene.image)
            boxes.append(box)
    order = rng.permutation(len(images))
    count, asked = len(images), len(task)
    names = np.array([task.images[i] for i in task.query_images])
    embeddings = rng.integers(-spread, spread + 1, (count, dims)).astype(np.float32)
    query_embeddings = rng.integers(-spread, spread + 1, (asked, dims)).astype(np.float32)
    embeddings[~embeddings.any(axis=1), 0] = 1
    query_embeddings[~query_embeddings.any(axis=1), 0] = 1
    extra = rng.integers(0, 3, asked)
    owners = np.repeat(np.arange(asked), 1 + extra)
    people = rng.integers(-spread, spread + 1, (len(owners), dims)).astype(np.float32)
    people[np.flatnonzero(np.diff(owners, prepend=-1))] = query_embeddings
    return Predictions(
        images=np.array(images, dtype='U9')[order],
        boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4)[order],
        scores=rng.choice([0.3, 0.5, 0.7, 0.9], count),
        embeddings=embeddings,
        query_images=names,
        query_boxes=task.query_boxes,
        query_embeddings=query_embeddings,
        context=Context(owners, np.zeros((len(owners), 4)), people),
    )


def continuous(seed, predictions):
    """The same predictions with embeddings that never tie."""
    rng = np.random.default_rng(seed + 2)
    context = predictions.context
    queries = rng.normal(size=predictions.query_embeddings.shape)
    people = rng.normal(size=context.embeddings.shape)
    people[np.flatnonzero(np.diff(context.queries, prepend=-1))] = queries
    return replace(
        predictions,
        embeddings=rng.normal(size=predictions.embeddings.shape),
        query_embeddings=queries,
        context=replace(context, embeddings=people),
    )


def make_case(seed, **task):
    scenes, protocol = make_task(seed, **task)
    return scenes, protocol, make_predictions(seed, scenes, protocol)


TALL = np.array([10.0, 10.0, 50.0, 110.0])


def tiny_case():
    """One query; in image b two detections lie on the person, the worse one more similar."""
    task = SearchProtocol.build('tiny', ['a', 'b'], [Query('a', TALL, 0)], [[('b', TALL)]])
    return task, Predictions(
        images=np.array(['b', 'b', 'b']),
        boxes=np.stack([TALL, TALL + np.array([0, 0, 0, 30]), TALL + 200]),
        scores=np.array([0.9, 0.8, 0.7]),
        embeddings=np.array([[0.5], [0.6], [0.4]]),
        query_images=np.array(['a']),
        query_boxes=TALL[None],
        query_embeddings=np.ones((1, 1)),
    )
