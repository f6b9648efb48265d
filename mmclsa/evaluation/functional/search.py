"""Search average precision and top-k, for whole protocols at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmclsa.errors import UserError
from mmclsa.evaluation.functional.candidates import Candidates
from mmclsa.evaluation.functional.context import context_from_detections
from mmclsa.evaluation.functional.flags import SearchFlags
from mmclsa.evaluation.functional.gallery import Gallery, matched_detections, query_features
from mmclsa.evaluation.functional.hits import find_hits
from mmclsa.evaluation.functional.notes import notes_of
from mmclsa.evaluation.functional.plain_search import Part, search_all, search_listed
from mmclsa.evaluation.functional.rescoring import Rescoring
from mmclsa.evaluation.functional.results import Hits, SearchResult
from mmclsa.evaluation.functional.similarity import (
    ProductMaker,
    Similarities,
    computed_ahead,
    is_dense,
    numpy_product,
)
from mmclsa.structures import Context, Predictions, SearchProtocol

__all__ = ['Asked', 'evaluate_search', 'evaluate_searches', 'search_in_chunks']

# What a pair of query and detection costs while it is looked at: its
# similarity, its number, and temporaries of listing and sorting.
PAIR_BYTES = 32


def evaluate_search(
    protocol: SearchProtocol,
    predictions: Predictions,
    flags: SearchFlags | None = None,
    chunk_bytes: int = 128 * 2**20,
    make_product: ProductMaker = numpy_product,
) -> SearchResult:
    """Search every query of a protocol in its gallery.

    Convention:
        A detection is right by :func:`find_hits`; precision is by
        :func:`average_precision`, in which ties have no order. For
        top-k they have: gallery image, then detection, where SeqNet's unstable
        sort leaves it to chance. A query that finds nobody has AP 0; an image
        that shows the person and has no detection lowers the recall. The first
        of two detections wrong, the second right, one to find: AP 0.5, top-1 0.
        Every choice is one of ``flags``; the defaults are SeqNet's.

    Args:
        protocol: The task.
        predictions: Detections of all gallery images; an image without any
            simply is not found. ``query_embeddings`` are found by the
            protocol's ``query_ids``.
        flags: Choices that change the figures.
        chunk_bytes: Memory for the pairs that are looked at at once.
        make_product: Where similarities are computed, e.g. on a GPU.

    Returns:
        Average precision and first right place of each query, and every hit.

    Raises:
        UserError: If a query has no embedding, or lies in another image.

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
    return evaluate_searches([protocol], predictions, flags, chunk_bytes, make_product)[0]


def evaluate_searches(
    protocols: Sequence[SearchProtocol],
    predictions: Predictions,
    flags: SearchFlags | None = None,
    chunk_bytes: int = 128 * 2**20,
    make_product: ProductMaker = numpy_product,
) -> list[SearchResult]:
    """Search several protocols; those on the same images share similarities.

    Convention:
        Each is what :func:`evaluate_search` gives of it alone, to the last bit: a wrong
        detection first, the right one second, one to find, AP 0.5 in company too.

    Args:
        protocols: The tasks.
        predictions: As for :func:`evaluate_search`.
        flags: As for :func:`evaluate_search`.
        chunk_bytes: As for :func:`evaluate_search`.
        make_product: As for :func:`evaluate_search`.

    Returns:
        One result for each protocol, in their order.

    Raises:
        UserError: As :func:`evaluate_search`.
    """
    flags = flags or SearchFlags()
    tasks = [protocol.with_camera_rule(flags.camera) for protocol in protocols]
    # Dense and sparse tasks apart: a figure is the same bits alone and in company.
    groups: dict[tuple[tuple[str, ...], bool], list[int]] = {}
    for number, task in enumerate(tasks):
        groups.setdefault((task.images, is_dense(task)), []).append(number)
    results: dict[int, SearchResult] = {}
    for numbers in groups.values():
        searched = _search(
            [tasks[n] for n in numbers], predictions, flags, chunk_bytes, make_product
        )
        results.update(zip(numbers, searched))
    return [results[number] for number in range(len(protocols))]


def _search(
    tasks: Sequence[SearchProtocol],
    predictions: Predictions,
    flags: SearchFlags,
    chunk_bytes: int,
    make_product: ProductMaker,
) -> list[SearchResult]:
    """Search tasks on the same images."""
    asked = Asked.of(tasks, predictions, flags)
    gallery = Gallery.of(tasks[0], predictions, flags)
    parts: list[list[Hits]] = [[] for _ in tasks]
    again = flags.expand or flags.cbgm or flags.rerank
    if again:
        searched = search_in_chunks(
            tasks, predictions, asked, gallery, flags, chunk_bytes, make_product
        )
        for number, candidates, values in searched:
            parts[number].append(find_hits(candidates, values, tasks[number], gallery, flags))
    else:
        for number, hits in _plain_hits(tasks, asked, gallery, flags, chunk_bytes, make_product):
            parts[number].append(hits)
    results = []
    for task, rows, found in zip(tasks, asked.rows, parts):
        known = asked.known[rows]
        notes = notes_of(task, gallery, known, predictions.query_boxes[rows])
        results.append(_result(task, Hits.join(found), known, flags, notes))
    return results


def _plain_hits(
    tasks: Sequence[SearchProtocol],
    asked: Asked,
    gallery: Gallery,
    flags: SearchFlags,
    chunk_bytes: int,
    make_product: ProductMaker,
) -> Iterator[tuple[int, Hits]]:
    """Search by similarity alone, chunk by chunk."""
    pairs = max(chunk_bytes // PAIR_BYTES, 1)
    chunks = list(_chunks(tasks, gallery, len(asked.features), pairs))
    features = [asked.features[low:high] for low, high in chunks]
    dense = is_dense(tasks[0])
    matrices = computed_ahead(make_product(gallery.embeddings), features if dense else [])
    for (low, high), own in zip(chunks, features):
        parts = []
        for number, (task, rows) in enumerate(zip(tasks, asked.rows)):
            queries = np.flatnonzero((rows >= low) & (rows < high) & asked.known[rows])
            parts += Part.of(number, task, rows[queries] - low, queries)
        if dense:
            yield from search_all(parts, next(matrices), gallery, flags)
        else:
            yield from (search_listed(part, own, gallery, flags) for part in parts)


@dataclass(frozen=True, eq=False)
class Asked:
    """The queries of tasks on the same images.

    Attributes:
        features: What is searched with, a row a query of the predictions,
            shape (R, D).
        known: Whether each has a feature, shape (R,), bool.
        rows: For each task the rows of its queries, shape (Q,).
    """

    features: np.ndarray
    known: np.ndarray
    rows: list[np.ndarray]

    @classmethod
    def of(
        cls, tasks: Sequence[SearchProtocol], predictions: Predictions, flags: SearchFlags
    ) -> Asked:
        """Find the queries in the predictions.

        Raises:
            UserError: As :func:`evaluate_search`.
        """
        rows = [_query_rows(task, predictions) for task in tasks]
        for task in tasks:
            _check_predicted(task, predictions)
        return cls(*query_features(predictions, flags), rows)


def search_in_chunks(
    tasks: Sequence[SearchProtocol],
    predictions: Predictions,
    asked: Asked,
    gallery: Gallery,
    flags: SearchFlags,
    chunk_bytes: int = 128 * 2**20,
    make_product: ProductMaker = numpy_product,
    chosen: np.ndarray | None = None,
) -> Iterator[tuple[int, Candidates, np.ndarray]]:
    """Compare the queries of tasks on the same images with their galleries.

    Args:
        tasks: With the camera rule of the flags.
        predictions: Of all of them.
        asked: The tasks' queries.
        gallery: What is searched.
        flags: Choices that change the similarities.
        chunk_bytes: Memory for the pairs that are looked at at once.
        make_product: Where similarities are computed.
        chosen: Positions of the queries to look at; None for all.

    Yields:
        Number of a task, the pairs of some of its queries, and the
        similarity of each pair as it is ranked: after expansion, CBGM and
        re-ranking where these are on.
    """
    features, known = asked.features, asked.known
    context = _context(predictions, flags) if flags.cbgm else None
    product = make_product(gallery.embeddings)
    pairs = max(chunk_bytes // PAIR_BYTES, 1)
    for low, high in _chunks(tasks, gallery, len(features), pairs):
        similarities = Similarities(features[low:high], gallery, product)
        for number, (task, rows) in enumerate(zip(tasks, asked.rows)):
            queries = np.flatnonzero((rows >= low) & (rows < high) & known[rows])
            if chosen is not None:
                queries = np.intersect1d(queries, chosen)
            if not len(queries):
                continue
            candidates = Candidates.of(task, queries, gallery, flags.duplicates == 'double')
            values = similarities.of(candidates, rows[queries] - low, is_dense(task))
            own = features[rows[queries]]
            rescoring = Rescoring(candidates, gallery, flags)
            if flags.expand:
                again = Similarities(rescoring.expanded(values, own), gallery, product)
                values = again.of(candidates, np.arange(len(queries)), is_dense(task))
            if context is not None:
                rescoring.match_contexts(values, own, rows[queries], context, task.cbgm_sizes)
            if flags.rerank:
                rescoring.rerank(values, own)
            yield number, candidates, values


def _context(predictions: Predictions, flags: SearchFlags) -> Context:
    """Take the people around the queries as they are given, or from the detections."""
    if flags.query_feature == 'matched_det':
        matched = matched_detections(predictions)
        return context_from_detections(predictions, flags.det_thresh, matched)
    return predictions.context or context_from_detections(predictions, flags.det_thresh)


def _query_rows(protocol: SearchProtocol, predictions: Predictions) -> np.ndarray:
    """Find the row of each query in the predictions, and check that it is this query."""
    rows = predictions.query_rows(protocol.query_ids)
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        raise UserError(
            f'query {protocol.query_ids[missing[0]]} of protocol {protocol.name} has no embedding: '
            f'the predictions have {len(predictions.query_embeddings)} queries'
        )
    for row, number, place in zip(rows, protocol.query_ids, protocol.query_images):
        if predictions.query_images[row] != protocol.images[place]:
            raise UserError(
                f'query {number} of protocol {protocol.name} lies in image '
                f'{protocol.images[place]}, but in the predictions in '
                f'{predictions.query_images[row]}: queries must come in protocol order'
            )
    return rows


def _check_predicted(protocol: SearchProtocol, predictions: Predictions) -> None:
    """Check that every gallery image was looked at, where the predictions tell."""
    if predictions.predicted_images is None:
        return
    known = set(predictions.predicted_images.tolist())
    skipped = np.array([image not in known for image in protocol.images])
    for query in range(len(protocol) if skipped.any() else 0):
        gallery = protocol.gallery(query)
        missing = gallery[skipped[gallery]]
        if len(missing):
            raise UserError(
                f'query {protocol.query_ids[query]} of protocol {protocol.name} searches image '
                f'{protocol.images[missing[0]]}, which predicted_image does not list: was it '
                'skipped?'
            )


def _chunks(
    tasks: Sequence[SearchProtocol], gallery: Gallery, count: int, pairs: int
) -> Iterator[tuple[int, int]]:
    """Cut the queries so that a chunk has no more than so many pairs."""
    # The table of places has a small number for each image, whether it is searched or not.
    images, found = len(tasks[0].images), len(gallery.images)
    per_query = max(1.0, images / 8)
    for task in tasks:
        if is_dense(task):
            per_query = max(per_query, images, found)
        else:
            per_query = max(per_query, found * task.gallery_size / max(images, 1))
    step = max(int(pairs // per_query), 1)
    for low in range(0, count, step):
        yield low, min(low + step, count)


def _result(
    protocol: SearchProtocol,
    hits: Hits,
    known: np.ndarray,
    flags: SearchFlags,
    notes: tuple[str, ...],
) -> SearchResult:
    truths = protocol.truth_counts(distinct=flags.duplicates == 'dedup')
    precisions = hits.weights * hits.found_at_least() / np.maximum(hits.at_least, 1)
    sums = np.bincount(hits.queries, weights=precisions, minlength=len(protocol))
    ranks = np.full(len(protocol), np.iinfo(np.int64).max)
    np.minimum.at(ranks, hits.queries, hits.places)
    ranks[ranks == np.iinfo(np.int64).max] = 0
    counted = known & (truths > 0) if flags.missing_query == 'skip' else None
    return SearchResult(
        name=protocol.name,
        average_precisions=sums / np.maximum(truths, 1),
        ranks=ranks,
        flags=flags.as_used(protocol.cbgm_sizes),
        counted=counted,
        gallery_size=protocol.gallery_size,
        notes=notes,
        hits=hits,
    )
