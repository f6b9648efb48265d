"""Every choice that changes a search figure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from mmclsa.errors import ConfigError

__all__ = ['CHOICES', 'SearchFlags']

#: What each flag that names a rule may be; the default comes first.
CHOICES: dict[str, tuple[str, ...]] = {
    'iou_rule': ('wh10', 'fixed'),
    'duplicates': ('legacy', 'dedup', 'double'),
    'camera': ('protocol', 'all', 'cross'),
    'query_feature': ('gt_box', 'matched_det'),
    'missing_query': ('zero', 'skip'),
    'similarity': ('dot', 'cosine', 'score_weighted'),
    'cbgm_value': ('max', 'mean'),
}
# Options that mean nothing while their switch is off.
_BELONGS_TO = {
    'cbgm': ('k1', 'k2', 'cbgm_value'),
    'rerank': ('rerank_depth', 'rerank_k1', 'rerank_k2', 'rerank_weight'),
    'expand': ('expand_alpha',),
}


@dataclass(frozen=True)
class SearchFlags:
    """Choices that change the figures; the defaults are SeqNet's.

    Convention:
        ``iou_rule='wh10'`` asks for an IoU of min(0.5, 10 x 20 / (20 x 30)) = 0.33 with a
        person of 10 x 20 pixels, and of 0.5 with one of 40 x 80; ``fixed`` asks for 0.5
        with both, as COCO does.

    Attributes:
        det_thresh: Detections below this score are not searched.
        iou_rule: IoU with the person that makes a detection right: ``wh10``,
            less for small people (:func:`match_threshold`), or ``fixed``,
            ``max_iou_thresh`` for all.
        max_iou_thresh: Largest IoU threshold of either rule.
        duplicates: A gallery image that the protocol lists twice counts twice
            among the images to find and is searched once (``legacy``), counts
            and is searched once (``dedup``), or both twice (``double``).
        camera: Keep the protocol's rule (``protocol``), search all cameras
            (``all``), or leave out images of the query's camera (``cross``).
        query_feature: The query's embedding is that of its own box
            (``gt_box``), or of the detection in its image that overlaps the
            box best, whatever its score, counting edge pixels
            (``matched_det``).
        missing_query: A query that nobody in the gallery matches, or without
            a feature (``matched_det`` in an image without detections), has AP
            0 (``zero``) or is left out of the means (``skip``).
        similarity: Dot product of the embeddings as they are (``dot``) or
            normalised (``cosine``), or the latter times the detection's score
            (``score_weighted``).
        cbgm: Whether context bipartite graph matching re-scores the images
            that look best.
        k1: Number of most similar detections whose images are re-scored;
            None for the protocol's default (CUHK-SYSU 10, PRW 30).
        k2: Number of people taken from a query's image, the query included;
            None for the protocol's default (CUHK-SYSU 3, PRW 4).
        cbgm_value: What the query's partner is given: the largest matched
            similarity (``max``), or the mean of that and its own (``mean``).
        expand: Number of most similar detections that are added to the query
            before it is searched again (alpha query expansion); 0 = none.
        expand_alpha: Power of the similarity that weighs each of them.
        rerank: Whether the best detections are put into a new order by
            k-reciprocal re-ranking.
        rerank_depth: How many of the best detections that is.
        rerank_k1: Neighbours that must be mutual.
        rerank_k2: Neighbours that are averaged over.
        rerank_weight: Share of the original distance, in [0, 1].

    Raises:
        ConfigError: If a flag is not one of its choices or out of range.
    """

    det_thresh: float = 0.5
    iou_rule: str = 'wh10'
    max_iou_thresh: float = 0.5
    duplicates: str = 'legacy'
    camera: str = 'protocol'
    query_feature: str = 'gt_box'
    missing_query: str = 'zero'
    similarity: str = 'dot'
    cbgm: bool = False
    k1: int | None = None
    k2: int | None = None
    cbgm_value: str = 'max'
    expand: int = 0
    expand_alpha: float = 3.0
    rerank: bool = False
    rerank_depth: int = 200
    rerank_k1: int = 20
    rerank_k2: int = 6
    rerank_weight: float = 0.3

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f'{name} must be one of {", ".join(choices)}, but is {getattr(self, name)!r}'
                )
        for name in ('k1', 'k2', 'rerank_depth', 'rerank_k1', 'rerank_k2'):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f'{name} must be at least 1, but is {value}')
        if self.expand < 0:
            raise ConfigError(f'expand must be at least 0, but is {self.expand}')
        for name in ('rerank_weight', 'max_iou_thresh'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'{name} must lie in [0, 1], but is {getattr(self, name)}')

    def cbgm_sizes(self, of_protocol: tuple[int, int]) -> tuple[int, int]:
        """Return k1 and k2; the protocol's where the flag is None.

        Example:
            >>> SearchFlags(cbgm=True, k2=5).cbgm_sizes((10, 3))
            (10, 5)
        """
        return self.k1 or of_protocol[0], self.k2 or of_protocol[1]

    def as_used(self, of_protocol: tuple[int, int]) -> SearchFlags:
        """Fill in what was left to the protocol, so that it can be told.

        Args:
            of_protocol: The protocol's k1 and k2.

        Example:
            >>> SearchFlags(cbgm=True).as_used((10, 3)).describe()['k1']
            10
        """
        if not self.cbgm:
            return self
        k1, k2 = self.cbgm_sizes(of_protocol)
        return replace(self, k1=k1, k2=k2)

    def describe(self) -> dict[str, Any]:
        """Return the flags by name, for printing; without options of what is off."""
        off = {
            name
            for switch, names in _BELONGS_TO.items()
            for name in names
            if not getattr(self, switch)
        }
        return {name: value for name, value in asdict(self).items() if name not in off}
