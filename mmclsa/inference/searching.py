"""From a query to ranked hits."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Union

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import k_reciprocal_distances
from mmclsa.gallery import GalleryIndex, Hit, SearchFilter
from mmclsa.gallery.building import (
    Embedder,
    QueryEmbedder,
    build_gallery,
    plan_units,
)
from mmclsa.gallery.manifest import MANIFEST
from mmclsa.inference.queries import QueryPerson, describe_queries
from mmclsa.inference.results import GalleryHits

__all__ = ['GalleryInput', 'check_gallery', 'open_gallery', 'rank_people', 'search']

GalleryInput = Union[GalleryIndex, str, Path, Sequence[Union[str, Path]]]
RERANK_DEPTH = 200
_MAX_DEPTH = 20_000
_MAX_TOLD = 5  # of the files that were not searched


def search(
    embedder: QueryEmbedder,
    queries: Sequence[QueryPerson],
    gallery: GalleryInput,
    topk: int = 10,
    where: SearchFilter | None = None,
    rerank: bool = False,
    group_by_track: bool = False,
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

    Returns:
        The hits, best first.

    Raises:
        ConfigError: If the index is of another model, or ``topk`` below 1.
        UserError: If a box or a source is wrong.
    """
    feature = describe_queries(embedder, queries)
    with open_gallery(gallery, embedder) as index:
        hits = rank_people(index, feature, topk, where, rerank, group_by_track)
    return GalleryHits(queries, hits)


def rank_people(
    index: GalleryIndex,
    feature: np.ndarray,
    topk: int = 10,
    where: SearchFilter | None = None,
    rerank: bool = False,
    group_by_track: bool = False,
) -> list[Hit]:
    """Find the people of an index who are most like one.

    Args:
        index: The index.
        feature: Shape (D,), a unit vector.
        topk: How many to find.
        where: Which records may be found.
        rerank: Order the best 200 anew by the neighbours they share with the
            query (k-reciprocal re-ranking); similarities stay what they are.
        group_by_track: Take the best of each track alone.

    Returns:
        The hits, best first; fewer than ``topk`` only if there are fewer.

    Raises:
        ConfigError: If ``topk`` is below 1.
    """
    if topk < 1:
        raise ConfigError(f'topk must be at least 1, but is {topk}')
    depth = max(topk, RERANK_DEPTH) if rerank else topk
    while True:
        (found,) = index.search(feature[None], depth, where)
        hits = _rerank(index, feature, found) if rerank else found
        kept = _best_of_tracks(hits) if group_by_track else hits
        if len(kept) >= topk or len(found) < depth or depth >= _MAX_DEPTH:
            return kept[:topk]
        depth *= 4


def _rerank(index: GalleryIndex, feature: np.ndarray, hits: list[Hit]) -> list[Hit]:
    """Order the first hits anew; those behind keep their places."""
    first = hits[:RERANK_DEPTH]
    if len(first) < 2:
        return hits
    distances = k_reciprocal_distances(feature, index.embeddings([hit.row for hit in first]))
    order = np.argsort(distances, kind='stable')
    return [*(first[number] for number in order), *hits[RERANK_DEPTH:]]


def _best_of_tracks(hits: Sequence[Hit]) -> list[Hit]:
    best: dict[Hashable, Hit] = {}
    for hit in hits:
        track = hit.record.track_id
        best.setdefault((hit.record.source, track) if track >= 0 else hit.row, hit)
    return list(best.values())


def check_gallery(gallery: GalleryInput | None) -> None:
    """Refuse a gallery that is none; an index with nobody in it is one.

    Args:
        gallery: What :func:`open_gallery` is given.

    Raises:
        ConfigError: If it is None, or an empty text or list.

    Example:
        >>> check_gallery([])
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: gallery must be an index or its folder, or pictures, ...
    """
    if not isinstance(gallery, (GalleryIndex, Path)) and (gallery is None or not len(gallery)):
        raise ConfigError(
            'gallery must be an index or its folder, or pictures, folders, videos and lists, but '
            'none is given'
        )


@contextmanager
def open_gallery(
    gallery: GalleryInput, embedder: Embedder, batch_size: int = 8
) -> Iterator[GalleryIndex]:
    """Give an index of whatever a gallery is.

    Args:
        gallery: An index or its folder, or pictures, folders, videos and
            lists, of which an index is built that lasts as long as the block.
        embedder: The model.
        batch_size: Pictures that go through the network at once.

    Yields:
        The index.

    Raises:
        ConfigError: If there is no gallery, or the index is of another model.
        UserError: If a source does not exist.

    Warns:
        UserWarning: If a file of the gallery cannot be used; names the first.
    """
    check_gallery(gallery)
    if isinstance(gallery, (str, Path)):
        gallery = os.path.expanduser(gallery) if not os.path.lexists(gallery) else gallery
    if isinstance(gallery, GalleryIndex):
        if difference := gallery.model.difference(embedder.fingerprint):
            raise ConfigError(f'the index holds embeddings of another model: {difference}')
        yield gallery
    elif isinstance(gallery, (str, Path)) and (Path(gallery) / MANIFEST).is_file():
        with GalleryIndex.open(gallery, embedder.fingerprint) as index:
            yield index
    else:
        sources = [gallery] if isinstance(gallery, (str, Path)) else list(gallery)
        plan = plan_units(sources)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            index = GalleryIndex.create(folder / 'index', embedder.fingerprint)
            stack.enter_context(index)
            report = build_gallery(index, embedder, plan, batch_size=batch_size)
            if report.skipped:
                warnings.warn(
                    f'{len(report.skipped)} files were not searched, or not to their end: '
                    f'{"; ".join(list(report.skipped.values())[:_MAX_TOLD])}',
                    stacklevel=4,
                )
            yield index
