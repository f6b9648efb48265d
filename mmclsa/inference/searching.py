"""From a query to ranked hits."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import k_reciprocal_distances
from mmclsa.evaluation.functional.calibration import describe_lack
from mmclsa.evaluation.functional.feedback import refine_query
from mmclsa.gallery import Hit, SearchFilter
from mmclsa.gallery.building import QueryEmbedder
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.inference.opening import GalleryInput, check_gallery, open_gallery
from mmclsa.inference.probabilities import calibration_of, with_probabilities
from mmclsa.inference.queries import (
    QueryPerson,
    describe_queries,
    fuse_embeddings,
    queries_of_rows,
)
from mmclsa.inference.results import GalleryHits

__all__ = [
    'GalleryInput',
    'HitUnit',
    'check_gallery',
    'check_search',
    'open_gallery',
    'rank_people',
    'search',
    'search_from_rows',
]

#: What a hit is: a person seen for a while, or each row.
HitUnit = Literal['sighting', 'frame']
RERANK_DEPTH = 200
_MAX_DEPTH = 20_000


def search(
    embedder: QueryEmbedder,
    queries: Sequence[QueryPerson],
    gallery: GalleryInput,
    topk: int = 10,
    where: SearchFilter | None = None,
    rerank: bool = False,
    group_by_track: bool | None = None,
    *,
    unit: HitUnit = 'sighting',
    min_probability: float | None = None,
    confirmed: Sequence[int] = (),
    rejected: Sequence[int] = (),
) -> GalleryHits:
    """Look for a person in a gallery: what command, inferencer and page do.

    Args:
        embedder: The model.
        queries: The person, in one or several pictures. An embedding that
            finding the person has given is not computed again.
        gallery: See :func:`open_gallery`.
        topk: See :func:`rank_people`.
        where: See :func:`rank_people`.
        rerank: See :func:`rank_people`.
        group_by_track: See :func:`rank_people`.
        unit: See :func:`rank_people`.
        min_probability: See :func:`rank_people`.
        confirmed: See :func:`rank_people`.
        rejected: See :func:`rank_people`.

    Returns:
        The hits, best first.

    Raises:
        ConfigError: If the index is of another model, or see
            :func:`rank_people`.
        UserError: If a box or a source is wrong.
    """
    feature = describe_queries(embedder, queries)
    with open_gallery(gallery, embedder) as index:
        hits = rank_people(
            index,
            feature,
            topk,
            where,
            rerank,
            group_by_track,
            unit=unit,
            min_probability=min_probability,
            confirmed=confirmed,
            rejected=rejected,
            looks=len(queries),
        )
        return _as_result(index, queries, hits)


def search_from_rows(
    index: IndexReader,
    rows: Sequence[int],
    topk: int = 10,
    where: SearchFilter | None = None,
    rerank: bool = False,
    *,
    unit: HitUnit = 'sighting',
    min_probability: float | None = None,
    confirmed: Sequence[int] = (),
    rejected: Sequence[int] = (),
) -> GalleryHits:
    """Look for somebody whom an index holds already: no model is needed.

    Args:
        index: The index.
        rows: His rows. These and their sightings are left out of the hits.
        topk: See :func:`rank_people`.
        where: See :func:`rank_people`.
        rerank: See :func:`rank_people`.
        unit: See :func:`rank_people`.
        min_probability: See :func:`rank_people`.
        confirmed: See :func:`rank_people`.
        rejected: See :func:`rank_people`.

    Returns:
        The hits, best first.

    Raises:
        ConfigError: If there are no rows, or see :func:`rank_people`.
        DataError: If there is no such row.
    """
    if not len(rows):
        raise ConfigError('rows must have the number of a row at least')
    queries = queries_of_rows(index, rows)
    hits = rank_people(
        index,
        fuse_embeddings(index.embeddings(rows)),
        topk,
        where,
        rerank,
        unit=unit,
        min_probability=min_probability,
        confirmed=confirmed,
        rejected=rejected,
        left_out=rows,
        looks=len(rows) + 1,
    )
    return _as_result(index, queries, hits)


def _as_result(
    index: IndexReader, queries: Sequence[QueryPerson], hits: Sequence[Hit]
) -> GalleryHits:
    crops = index.crops([hit.row for hit in hits]) if hits else {}
    return GalleryHits(queries, hits, crops, calibration_of(index).calibration)


def rank_people(
    index: IndexReader,
    feature: np.ndarray,
    topk: int = 10,
    where: SearchFilter | None = None,
    rerank: bool = False,
    group_by_track: bool | None = None,
    *,
    unit: HitUnit = 'sighting',
    min_probability: float | None = None,
    confirmed: Sequence[int] = (),
    rejected: Sequence[int] = (),
    left_out: Sequence[int] = (),
    looks: int = 1,
) -> list[Hit]:
    """Find the people of an index who are most like one.

    Args:
        index: The index.
        feature: Shape (D,), a unit vector.
        topk: How many to find.
        where: Which records may be found.
        rerank: Order the best 200 anew by the neighbours they share with the
            query (k-reciprocal re-ranking); similarities stay what they are.
        group_by_track: True for ``unit='sighting'``, False for
            ``unit='frame'``, None for what ``unit`` says.
        unit: ``'sighting'`` for the best row of each track alone, ``'frame'``
            for every row.
        min_probability: Leave out who is less probably the right person, in
            [0, 1]; see :class:`~mmclsa.evaluation.functional.Calibration`.
        confirmed: Rows who are the right person: the query moves towards
            them. They are found like all others.
        rejected: Rows who are somebody else: the query moves away from them,
            and they and their sightings are left out.
        left_out: Rows to leave out with their sightings, for no other effect.
        looks: How many looks ``feature`` is the mean of, for the probability
            alone: of several, a higher similarity means the same.

    Returns:
        The hits, best first; fewer than ``topk`` only if there are fewer.
        Similarities are to the query as moved.

    Raises:
        ConfigError: If ``topk`` is below 1, ``unit`` is another word,
            ``min_probability`` is not in [0, 1] or the index does not know
            probabilities, or a row is both confirmed and rejected.
        DataError: If there is no such row.
    """
    check_search(index, topk, min_probability, confirmed, rejected)
    by_sighting = _by_sighting(unit, group_by_track)
    if len(confirmed) or len(rejected):
        feature = refine_query(feature, _vectors(index, confirmed), _vectors(index, rejected))
        looks += len(confirmed) + len(rejected)
    hidden = np.array(sorted(_with_sightings(index, [*rejected, *left_out])), np.int64)
    depth = max(topk, RERANK_DEPTH if rerank else 0)
    known: list[Hit] = []
    while True:
        (found,) = index.search(feature[None], depth, where, without=hidden)
        # A backend that cannot leave out rows gives them again.
        again = set(hidden.tolist())
        new = [hit for hit in found if hit.row not in again]
        least = with_probabilities(index, new[-1:], looks == 1)
        # Those whom a later search finds are less similar than the first 200.
        known += _rerank(index, feature, new) if rerank and not known else new
        if not rerank:  # a backend that searches by approximation may find a better one late
            known.sort(key=lambda hit: -hit.similarity)
        known = _best_of_tracks(known) if by_sighting else known
        kept = with_probabilities(index, known, looks == 1)
        kept = kept if min_probability is None else _probable(index, kept, min_probability)
        if min_probability is not None and least and not _probable(index, least, min_probability):
            break  # whoever comes later is less probable still
        if len(kept) >= topk or len(found) < depth or (not new and depth >= _MAX_DEPTH):
            break
        # Long tracks may fill any number of places: whoever is found is not looked for again.
        same = index.same_tracks([hit.row for hit in new]) if by_sighting else hidden[:0]
        rows = np.array([hit.row for hit in found], np.int64)
        hidden = np.unique(np.concatenate([hidden, rows, same]))
        depth = min(4 * depth, max(depth, _MAX_DEPTH))
    return _with_stays(index, kept[:topk]) if by_sighting else kept[:topk]


def check_search(
    index: IndexReader,
    topk: int = 10,
    min_probability: float | None = None,
    confirmed: Sequence[int] = (),
    rejected: Sequence[int] = (),
) -> None:
    """Make sure that a search can be done, before anything that takes long or cannot be undone.

    Args:
        index: The index.
        topk: See :func:`rank_people`.
        min_probability: See :func:`rank_people`.
        confirmed: See :func:`rank_people`.
        rejected: See :func:`rank_people`.

    Raises:
        ConfigError: See :func:`rank_people`.
        DataError: If there is no such row.
    """
    if topk < 1:
        raise ConfigError(f'topk must be at least 1, but is {topk}')
    _check_feedback(confirmed, rejected)
    if min_probability is not None:
        _check_probability(index, min_probability)
    if len(confirmed) or len(rejected):
        index.records([*confirmed, *rejected])


def _by_sighting(unit: str, group_by_track: bool | None) -> bool:
    if unit not in ('sighting', 'frame'):
        raise ConfigError(f"unit must be 'sighting' or 'frame', but is {unit!r}")
    return unit == 'sighting' if group_by_track is None else group_by_track


def _check_feedback(confirmed: Sequence[int], rejected: Sequence[int]) -> None:
    if both := sorted(set(confirmed) & set(rejected)):
        raise ConfigError(f'row {both[0]} cannot be both confirmed and rejected')


def _check_probability(index: IndexReader, min_probability: float) -> None:
    if not 0 <= min_probability <= 1:
        raise ConfigError(f'min_probability must lie in 0..1, but is {min_probability}')
    learnt = calibration_of(index)
    if learnt.calibration is None:
        raise ConfigError(
            f'min_probability needs an index that knows probabilities, but {index.path} has '
            f'{describe_lack(learnt.counts)}: '
            'videos of people who are seen together, and for some seconds, give them'
        )


def _probable(index: IndexReader, hits: list[Hit], min_probability: float) -> list[Hit]:
    if any(hit.probability is None for hit in hits):
        raise ConfigError(
            f'min_probability with a query of several looks needs an index of more people than '
            f'the {len(index)} rows of {index.path}'
        )
    return [hit for hit in hits if hit.probability is None or hit.probability >= min_probability]


def _vectors(index: IndexReader, rows: Sequence[int]) -> np.ndarray:
    return index.embeddings(rows) if len(rows) else np.zeros((0, index.model.dims), np.float32)


def _with_sightings(index: IndexReader, rows: Sequence[int]) -> set[int]:
    # Sightings are known of what is committed; a row by itself always.
    return {*rows, *index.same_tracks(rows).tolist()} if len(rows) else set()


def _rerank(index: IndexReader, feature: np.ndarray, hits: list[Hit]) -> list[Hit]:
    """Order the first hits anew; those behind keep their places."""
    first = hits[:RERANK_DEPTH]
    if len(first) < 2:
        return hits
    distances = k_reciprocal_distances(feature, index.embeddings([hit.row for hit in first]))
    order = np.argsort(distances, kind='stable')
    return [*(first[number] for number in order), *hits[RERANK_DEPTH:]]


def _with_stays(index: IndexReader, hits: list[Hit]) -> list[Hit]:
    """Say of sightings from when to when the whole track was seen.

    A long track is a row for each unit of work, of which the best is the hit.
    """
    if all(hit.record.stay is None for hit in hits):
        return hits
    stays = index.track_stays([hit.row for hit in hits])
    return [
        replace(hit, record=replace(hit.record, stay=stays[place])) if place in stays else hit
        for hit in hits
        for place in [(hit.record.source, hit.record.track_id)]
    ]


def _best_of_tracks(hits: Sequence[Hit]) -> list[Hit]:
    best: dict[Hashable, Hit] = {}
    for hit in hits:
        track = hit.record.track_id
        best.setdefault((hit.record.source, track) if track >= 0 else hit.row, hit)
    return list(best.values())
