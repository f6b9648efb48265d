"""From predictions and a task to pictures of ranked results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.evaluation.functional.geometry import aligned_iou
from mmclsa.evaluation.functional.search import SearchFlags, evaluate_search, match_threshold
from mmclsa.structures import Predictions, SearchProtocol
from mmclsa.visualization.canvas import write_picture
from mmclsa.visualization.rank_lists import RankedPerson, draw_rank_list

__all__ = [
    'RankedHits',
    'choose_protocol',
    'choose_queries',
    'load_rgb',
    'picture_loader',
    'rank_query',
    'ranked_people',
    'save_rank_lists',
]

PictureLoader = Callable[[str], np.ndarray]
ORDERS = ('worst', 'best', 'random', 'first')


@dataclass(frozen=True, eq=False)
class RankedHits:
    """What was found for one query, best first.

    Attributes:
        detections: Shape (n,), rows of the predictions.
        similarities: Shape (n,).
        right: Shape (n,), bool: whether it is the person. In an image only
            the most similar detection on the person is right, as in the
            metric.
        num_truths: How many gallery entries show the person.
    """

    detections: np.ndarray
    similarities: np.ndarray
    right: np.ndarray
    num_truths: int


def rank_query(
    predictions: Predictions, protocol: SearchProtocol, query: int, det_thresh: float = 0.5
) -> RankedHits:
    """Rank the detections of a query's gallery by similarity.

    Args:
        predictions: Detections and embeddings.
        protocol: The task.
        query: Position in protocol order, 0..Q-1.
        det_thresh: Detections below this score do not count.

    Returns:
        All hits, by the rules of the metric, without CBGM.

    Example:
        >>> from mmclsa.structures import Query
        >>> box = np.array([0.0, 0.0, 20.0, 60.0])
        >>> task = SearchProtocol.build(
        ...     'tiny', ['a', 'b'], [Query('a', box, 0)], [[('b', box)]])
        >>> found = Predictions(
        ...     images=np.array(['b', 'b']), boxes=np.stack([box + 90, box]),
        ...     scores=np.ones(2), embeddings=np.array([[0.8], [0.9]]),
        ...     query_images=np.array(['a']), query_boxes=box[None],
        ...     query_embeddings=np.ones((1, 1)))
        >>> hits = rank_query(found, task, 0)
        >>> hits.detections.tolist(), hits.right.tolist()
        ([1, 0], [True, False])
    """
    kept = _searched(predictions, protocol, query, det_thresh)
    (row,) = predictions.query_rows(protocol.query_ids[query : query + 1])
    feature = predictions.query_embeddings[row]
    similarity = predictions.embeddings[kept] @ feature
    order = np.argsort(-similarity, kind='stable')
    kept, similarity = kept[order], similarity[order]
    numbers, boxes = protocol.truth(query)
    right = np.zeros(len(kept), bool)
    for number, box in zip(numbers, boxes):
        found = np.flatnonzero(predictions.images[kept] == protocol.images[number])
        overlaps = aligned_iou(predictions.boxes[kept[found]], box) >= match_threshold(box)
        if overlaps.any():
            # They are in order of similarity: the first is the most similar.
            right[found[overlaps.argmax()]] = True
    return RankedHits(kept, similarity, right, len(numbers))


def _searched(
    predictions: Predictions, protocol: SearchProtocol, query: int, det_thresh: float
) -> np.ndarray:
    """List rows of the gallery's detections; their order breaks ties, as in the metric."""
    gallery, first = np.unique(protocol.gallery(query), return_index=True)
    places = np.full(len(protocol.images) + 1, -1)  # one more: images that the task lacks
    places[gallery] = first
    place = places[protocol.numbers_of(predictions.images)]
    kept = np.flatnonzero((predictions.scores >= det_thresh) & (place >= 0))
    return kept[np.argsort(place[kept], kind='stable')]


def choose_queries(
    precisions: np.ndarray, num: int, which: str = 'random', seed: int = 0
) -> np.ndarray:
    """Choose queries to look at.

    Args:
        precisions: Average precision of each query, shape (Q,); NaN ones
            come last in ``worst`` and ``best``.
        num: How many, at most.
        which: ``worst``, ``best``, ``random`` or ``first``.
        seed: Of ``random``.

    Returns:
        Positions, at most ``num``.

    Raises:
        UserError: If ``which`` is none of these or ``num`` is below 1.

    Example:
        >>> choose_queries(np.array([0.5, 0.1, 0.9]), 2, 'worst').tolist()
        [1, 0]
    """
    if which not in ORDERS:
        raise UserError(f'which must be one of {", ".join(ORDERS)}, but is {which!r}')
    if num < 1:
        raise UserError(f'num must be at least 1, but is {num}')
    if which == 'random':
        return np.random.default_rng(seed).permutation(len(precisions))[:num]
    if which == 'first':
        return np.arange(len(precisions))[:num]
    sign = 1 if which == 'worst' else -1
    return np.argsort(sign * np.asarray(precisions, float), kind='stable')[:num]


def choose_protocol(protocols: Sequence[SearchProtocol], name: str | None) -> SearchProtocol:
    """Find the protocol of a name, or the first.

    Args:
        protocols: Of a test data set.
        name: Of one of them; None for the first.

    Returns:
        The protocol.

    Raises:
        ConfigError: If there is none, or none of this name.
    """
    if not protocols:
        raise ConfigError('the test data set of the config has no protocol')
    known = {protocol.name: protocol for protocol in protocols}
    if name is not None and name not in known:
        raise ConfigError(f'--protocol must be one of {", ".join(known)}, but is {name!r}')
    return protocols[0] if name is None else known[name]


def save_rank_lists(
    predictions: str | Path | Predictions | Mapping[str, np.ndarray],
    protocol: SearchProtocol,
    load_picture: PictureLoader,
    out_dir: str | Path,
    num: int = 12,
    which: str = 'random',
    top: int = 10,
    det_thresh: float = 0.5,
    seed: int = 0,
) -> list[Path]:
    """Draw the ranked results of some queries, a PNG each.

    Args:
        predictions: What was found: an object, the file that ``tools/test.py
            --out`` wrote, or arrays with that file's names.
        protocol: The task.
        load_picture: Gives the picture (H, W, 3), uint8, BGR, of an image
            key; see :func:`picture_loader`. A ``DataError`` of it leaves an
            empty cell.
        out_dir: Folder for the pictures.
        num: How many queries.
        which: ``worst``, ``best``, ``random`` or ``first``.
        top: How many hits of each.
        det_thresh: Detections below this score do not count.
        seed: Of ``random``.

    Returns:
        The files, ``<protocol>_<place>_query<id>.png``.

    Raises:
        DataError: If the predictions are broken.
        UserError: If they lack a query, an argument is out of range or the
            folder cannot be written to.
    """
    predictions = _as_predictions(predictions)
    if top < 1:
        raise UserError(f'top must be at least 1, but is {top}')
    precisions = evaluate_search(
        protocol, predictions, SearchFlags(det_thresh=det_thresh)
    ).average_precisions
    truths = np.diff(protocol.truth_offsets)
    sortable = np.where(truths > 0, precisions, np.nan)
    paths = []
    for place, query in enumerate(choose_queries(sortable, num, which, seed).tolist()):
        hits = rank_query(predictions, protocol, query, det_thresh)
        title = _title(protocol, query, hits, float(precisions[query]))
        people = ranked_people(predictions, hits, load_picture, top)
        own = protocol.images[protocol.query_images[query]]
        asked = RankedPerson(load_rgb(load_picture, own), protocol.query_boxes[query], note=own)
        name = f'{protocol.name}_{place:03d}_query{protocol.query_ids[query]}.png'
        drawn = draw_rank_list(asked, people, title)
        paths.append(write_picture(Path(out_dir) / name, drawn))
    return paths


def _as_predictions(source: str | Path | Predictions | Mapping[str, np.ndarray]) -> Predictions:
    if isinstance(source, Predictions):
        return source
    if isinstance(source, (str, Path)):
        return Predictions.load(source)
    return Predictions.of(source)


def _title(protocol: SearchProtocol, query: int, hits: RankedHits, precision: float) -> str:
    who = f'query {protocol.query_ids[query]}, person {protocol.person_ids[query]}'
    if not hits.num_truths:
        return f'{protocol.name}: {who}, not in the gallery'
    return (
        f'{protocol.name}: {who}, AP {100 * precision:.1f}: {hits.right.sum()} of '
        f'{hits.num_truths} found, {len(hits.detections)} people searched'
    )


def ranked_people(
    predictions: Predictions, hits: RankedHits, load_picture: PictureLoader, top: int
) -> list[RankedPerson]:
    """Make the best hits ready to be drawn."""
    best = zip(hits.detections[:top], hits.similarities[:top], hits.right[:top])
    return [
        RankedPerson(
            picture=load_rgb(load_picture, str(predictions.images[row])),
            box=np.asarray(predictions.boxes[row], float),
            similarity=float(similarity),
            right=bool(right) if hits.num_truths else None,
            note=str(predictions.images[row]),
        )
        for row, similarity, right in best
    ]


def load_rgb(load_picture: PictureLoader, image: str) -> np.ndarray | None:
    """Load a picture; None if it is missing or broken."""
    try:
        return np.ascontiguousarray(load_picture(image)[..., ::-1])
    except DataError:
        return None


def picture_loader(dataset: Any) -> PictureLoader:
    """Give a function that loads a data set's pictures by their keys.

    Args:
        dataset: A data set of :mod:`mmclsa.datasets`; pictures in files,
            videos and memory are all fine.

    Returns:
        Function of an image key to its picture (H, W, 3), uint8, BGR. It
        raises ``DataError`` for a key that is unknown or a broken file.
    """
    places = {dataset.get_data_info(i)['img_id']: i for i in range(len(dataset))}

    def load(image: str) -> np.ndarray:
        if image not in places:
            raise DataError(f'the data set has no image {image}')
        return dataset.load_picture(dataset.get_data_info(places[image]))

    return load
