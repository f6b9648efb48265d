"""Search average precision and top-k, for whole protocols at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mmclsa.errors import UserError
from mmclsa.evaluation.functional.average_precision import counted_average_precision
from mmclsa.evaluation.functional.cbgm import context_match, most_similar_images
from mmclsa.evaluation.functional.geometry import aligned_iou, expand_ranges
from mmclsa.structures import Context, Predictions, SearchProtocol

__all__ = ['SearchFlags', 'SearchResult', 'evaluate_search', 'match_threshold']

TOP_K = (1, 5, 10)


@dataclass(frozen=True)
class SearchFlags:
    """Choices that change the figures; the defaults are SeqNet's.

    What is fixed: a gallery image that a protocol lists twice counts twice
    among the people to find and is searched once; at most one detection an
    image is right, the most similar one on the person; a query without any
    person to find, or without detections, has AP 0.

    Attributes:
        det_thresh: Detections below this score are not searched.
        cbgm: Whether context bipartite graph matching re-scores the images
            that look best.
        k1: Number of most similar detections whose images are re-scored;
            None for the protocol's default (CUHK-SYSU 10, PRW 30).
        k2: Number of people taken from a query's image, the query included;
            None for the protocol's default (CUHK-SYSU 3, PRW 4).
        max_iou_thresh: IoU that makes a detection right is this, or less for
            a small person; see :func:`match_threshold`.
    """

    det_thresh: float = 0.5
    cbgm: bool = False
    k1: int | None = None
    k2: int | None = None
    max_iou_thresh: float = 0.5

    def describe(self) -> dict[str, Any]:
        """Return the flags by name, for printing beside a result."""
        flags = asdict(self)
        if not self.cbgm:
            flags.pop('k1')
            flags.pop('k2')
        return flags


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Figures of one protocol.

    Attributes:
        name: Of the protocol.
        average_precisions: Of each query, shape (Q,), in [0, 1].
        ranks: Place of each query's first right detection, from 1, shape
            (Q,), int64; 0 if none is right.
        flags: The flags that the figures were made with.
    """

    name: str
    average_precisions: np.ndarray
    ranks: np.ndarray
    flags: SearchFlags = field(default_factory=SearchFlags)

    @property
    def mean_average_precision(self) -> float:
        """Mean over the queries, in [0, 1]."""
        return float(self.average_precisions.mean()) if len(self.average_precisions) else 0.0

    def top(self, k: int) -> float:
        """Return the share of queries with a right detection among the first k."""
        hits = (self.ranks >= 1) & (self.ranks <= k)
        return float(hits.mean()) if len(hits) else 0.0

    def figures(self) -> dict[str, float]:
        """Return ``mAP``, ``top1``, ``top5`` and ``top10``, in [0, 1]."""
        return {'mAP': self.mean_average_precision} | {f'top{k}': self.top(k) for k in TOP_K}


def match_threshold(boxes: np.ndarray, max_thresh: float = 0.5) -> np.ndarray:
    """Compute the IoU that a detection needs, lower for small people.

    Args:
        boxes: Ground truth, shape (..., 4), x1 y1 x2 y2 in pixels.
        max_thresh: The most that is asked for.

    Returns:
        ``min(max_thresh, w h / ((w + 10) (h + 10)))``, shape (...).

    Example:
        >>> match_threshold(np.array([0, 0, 10, 10])).item()
        0.25
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return np.minimum(max_thresh, width * height / ((width + 10) * (height + 10)))


@dataclass(frozen=True, eq=False)
class _Gallery:
    """Detections above the threshold, sorted by image number."""

    images: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    boxes: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def of(cls, protocol: SearchProtocol, predictions: Predictions, det_thresh: float) -> _Gallery:
        images = protocol.numbers_of(predictions.images)
        kept = np.flatnonzero((predictions.scores >= det_thresh) & (images >= 0))
        kept = kept[np.argsort(images[kept], kind='stable')]
        lengths = np.bincount(images[kept], minlength=len(protocol.images))
        return cls(
            images=images[kept],
            starts=np.cumsum(lengths) - lengths,
            lengths=lengths,
            boxes=predictions.boxes[kept],
            embeddings=predictions.embeddings[kept],
        )

    def members(self, images: np.ndarray) -> np.ndarray:
        """List the detections of these images, image by image."""
        return expand_ranges(self.starts[images], self.lengths[images])


def evaluate_search(
    protocol: SearchProtocol,
    predictions: Predictions,
    flags: SearchFlags | None = None,
    chunk_bytes: int = 256 * 2**20,
) -> SearchResult:
    """Search every query of a protocol in its gallery.

    Similarity is the dot product of the embeddings as they are. Precision is
    tie-invariant; for top-k, detections of equal similarity keep the order
    gallery image, then detection.

    Args:
        protocol: The task.
        predictions: Detections of all gallery images; an image without any
            simply is not found. ``query_embeddings`` are indexed by the
            protocol's ``query_ids``.
        flags: Choices that change the figures.
        chunk_bytes: Size of the similarity matrix that is held at once.

    Returns:
        Average precision and first right place of each query.

    Raises:
        UserError: If a query has no embedding, or CBGM no context.

    Example:
        >>> from mmclsa.structures import Query
        >>> box = np.array([0.0, 0.0, 20.0, 60.0])
        >>> task = SearchProtocol.build(
        ...     'tiny', ['a', 'b'], [Query('a', box, 0)], [[('b', box)]])
        >>> found = Predictions(
        ...     images=np.array(['b', 'b']), boxes=np.stack([box + 90, box]),
        ...     scores=np.ones(2), embeddings=np.array([[0.9], [0.8]]),
        ...     query_images=np.array(['a']), query_boxes=box[None],
        ...     query_embeddings=np.ones((1, 1)))
        >>> evaluate_search(task, found).figures()
        {'mAP': 0.5, 'top1': 0.0, 'top5': 1.0, 'top10': 1.0}
    """
    flags = flags or SearchFlags()
    _check_queries(protocol, predictions, flags)
    gallery = _Gallery.of(protocol, predictions, flags.det_thresh)
    precisions = np.zeros(len(protocol))
    ranks = np.zeros(len(protocol), dtype=np.int64)
    row_bytes = 4 * max(len(gallery.images), 1)
    step = max(int(chunk_bytes // row_bytes), 1)
    for start in range(0, len(protocol), step):
        queries = np.arange(start, min(start + step, len(protocol)))
        features = predictions.query_embeddings[protocol.query_ids[queries]]
        similarities = features @ gallery.embeddings.T
        if flags.cbgm and predictions.context is not None:
            _apply_cbgm(similarities, queries, protocol, predictions.context, gallery, flags)
        for row, query in enumerate(queries):
            precisions[query], ranks[query] = _search_one(
                int(query), similarities[row], protocol, gallery, flags.max_iou_thresh
            )
    return SearchResult(protocol.name, precisions, ranks, flags)


def _check_queries(protocol: SearchProtocol, predictions: Predictions, flags: SearchFlags) -> None:
    known = len(predictions.query_embeddings)
    if len(protocol) and (highest := int(protocol.query_ids.max())) >= known:
        raise UserError(
            f'query {highest} of protocol {protocol.name} has no embedding: the predictions '
            f'have {known} queries'
        )
    for query, number in enumerate(protocol.query_ids):
        image = str(predictions.query_images[number])
        if image != protocol.images[protocol.query_images[query]]:
            raise UserError(
                f'query {number} of protocol {protocol.name} lies in image '
                f'{protocol.images[protocol.query_images[query]]}, but in the predictions in '
                f'{image}: queries must come in protocol order'
            )
    if flags.cbgm and predictions.context is None:
        raise UserError('CBGM needs the people around each query (context_*), which are missing')


def _search_one(
    query: int,
    similarities: np.ndarray,
    protocol: SearchProtocol,
    gallery: _Gallery,
    max_iou_thresh: float,
) -> tuple[float, int]:
    """Compute a query's average precision and the place of its first hit."""
    truth_images, truth_boxes = protocol.truth(query)
    members = gallery.members(_distinct(protocol.gallery(query)))
    hits = _right_detections(similarities, gallery, truth_images, truth_boxes, max_iou_thresh)
    if len(hits) == 0:
        return 0.0, 0
    scores = np.sort(similarities[members])
    precision = counted_average_precision(scores, similarities[hits], len(truth_images))
    best = similarities[hits].max()
    above = len(scores) - int(np.searchsorted(scores, best, side='right'))
    tied = members[similarities[members] == best]
    earlier = int(np.isin(tied, hits).argmax())
    return precision, above + earlier + 1


def _distinct(images: np.ndarray) -> np.ndarray:
    """Drop repeated images, keeping the order of first occurrence."""
    _, first = np.unique(images, return_index=True)
    return images if len(first) == len(images) else images[np.sort(first)]


def _right_detections(
    similarities: np.ndarray,
    gallery: _Gallery,
    truth_images: np.ndarray,
    truth_boxes: np.ndarray,
    max_iou_thresh: float,
) -> np.ndarray:
    """Find, for each true image, the most similar detection on the person."""
    images, first = np.unique(truth_images, return_index=True)
    boxes = truth_boxes[first]
    lengths = gallery.lengths[images]
    candidates = gallery.members(images)
    owners = np.repeat(np.arange(len(images)), lengths)
    overlaps = aligned_iou(gallery.boxes[candidates], boxes[owners])
    on_person = overlaps >= match_threshold(boxes, max_iou_thresh)[owners]
    candidates, owners = candidates[on_person], owners[on_person]
    # Of equally similar ones the first: lexsort is stable.
    order = np.lexsort((-similarities[candidates], owners))
    best = np.flatnonzero(np.diff(owners[order], prepend=-1))
    return candidates[order[best]]


def _apply_cbgm(
    similarities: np.ndarray,
    queries: np.ndarray,
    protocol: SearchProtocol,
    context: Context,
    gallery: _Gallery,
    flags: SearchFlags,
) -> None:
    """Re-score, in place, the images that look best for each query."""
    default_k1, default_k2 = protocol.cbgm_sizes
    k1, k2 = flags.k1 or default_k1, flags.k2 or default_k2
    for row, query in enumerate(queries):
        members = gallery.members(_distinct(protocol.gallery(int(query))))
        people = context.of(int(protocol.query_ids[query]), k2)
        if len(people) == 0 or len(members) == 0:
            continue
        for image in most_similar_images(similarities[row, members], gallery.images[members], k1):
            start = gallery.starts[image]
            there = slice(start, start + gallery.lengths[image])
            match = context_match(people, gallery.embeddings[there])
            if match is not None:
                similarities[row, start + match[0]] = match[1]
