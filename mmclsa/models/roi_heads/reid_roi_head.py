"""A RoI head whose detections carry embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.precision import at_least_float32
from mmclsa.models.roi_heads.embedding_head import RoIEmbeddingHead
from mmclsa.models.roi_heads.norms import NormAwareScore
from mmclsa.models.roi_heads.person_sampling import PersonSampling, sampled_people
from mmclsa.registry import MODELS

__all__ = ['NormAwareRoIHead', 'ReIDRoIHead']


@MODELS.register_module()
class ReIDRoIHead(StandardRoIHead):
    """MMDetection's RoI head with an embedding of every RoI beside score and box.

    From Xiao et al., "Joint Detection and Identification Feature Learning for
    Person Search", CVPR 2017. Aligned RoIs are the lower level (res4), what
    the shared head makes of them the upper one (res5). The same RoIs train
    detection and identification; those on nobody (background) take part in
    detection, and in the statistics of batch norms, but not in the identity
    loss.

    The embedding's weights are those of the re-ID branch (:class:`RoIReID`),
    which :class:`PersonSearcher` attaches; without one it detects alone.
    """

    #: Of the re-ID branch; kept out of this module's own weights.
    embedder: RoIEmbeddingHead | None = None
    bbox_sampler: Any

    def attach(self, embedder: RoIEmbeddingHead | None) -> None:
        """Take the embedding head of a re-ID branch, without owning it.

        Raises:
            ConfigError: If it is none for RoIs.
        """
        if not isinstance(embedder, (RoIEmbeddingHead, type(None))):
            raise ConfigError(
                f'{type(self).__name__} embeds once, so the head of RoIReID must be a '
                f'RoIEmbeddingHead, but is {type(embedder).__name__}'
            )
        # Past nn.Module, which would make its weights those of two modules.
        self.__dict__['embedder'] = embedder

    def init_assigner_sampler(self) -> None:
        """Build MMDetection's assigner and sampler; the latter remembers people."""
        super().init_assigner_sampler()
        if self.bbox_sampler is not None:
            self.bbox_sampler = PersonSampling(self.bbox_sampler)

    def extract(self, x: Sequence[Tensor], rois: Tensor) -> list[Tensor]:
        """Compute the maps of RoIs.

        Args:
            x: The detector's feature maps.
            rois: Shape (N, 5): scene, x1 y1 x2 y2 in input pixels.

        Returns:
            One map (N, C_k, H_k, W_k) a level, from low to high.
        """
        return self.levels(self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], rois))

    def levels(self, aligned: Tensor) -> list[Tensor]:
        """Make the levels of aligned RoIs (N, C, H, W), from low to high."""
        return [aligned, self.shared_head(aligned)] if self.with_shared_head else [aligned]

    @property
    def embedding_stage(self) -> ReIDRoIHead:
        """The RoI head whose maps are embedded: this one."""
        return self

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Any]:
        maps = self.extract(x, rois)
        scores, deltas = self.bbox_head(maps[-1])
        levels = [] if self.embedder is None else self.embedder.embed(maps)
        return dict(
            cls_score=self.score(scores, levels),
            bbox_pred=deltas,
            bbox_feats=maps[-1],
            levels=levels,
        )

    def score(self, scores: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Say how likely RoIs are people.

        Args:
            scores: The box head's logits (N, 2), if it has any.
            levels: What the embedding head gave, one (N, D_k) tensor a level.

        Returns:
            Logits (N, 2) of person and background.
        """
        return scores

    def bbox_loss(
        self, x: Sequence[Tensor], sampling_results: list[SamplingResult]
    ) -> dict[str, Any]:
        """Add the identity losses of the sampled people to those of MMDetection."""
        results = super().bbox_loss(x, sampling_results)
        if self.embedder is not None:
            chosen, person_ids = sampled_people(sampling_results)
            people = [level[chosen] for level in results['levels']]
            results['loss_bbox'].update(self.embedder.identity_loss(people, person_ids))
        return results

    def predict_bbox(
        self,
        x: Sequence[Tensor],
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: Any,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Detect people; see MMDetection's method. Embeddings come with the detections."""
        sizes = [len(proposals) for proposals in rpn_results_list]
        rois = bbox2roi([proposals.bboxes for proposals in rpn_results_list])
        results = self._bbox_forward(x, rois)
        scores = self.final_scores(results['cls_score'], rpn_results_list)
        parts = (rois, at_least_float32(scores), at_least_float32(results['bbox_pred']))
        vectors = None
        if self.embedder is not None:
            vectors = self.describe(x, rois, results['levels']).split(sizes)
        detections = []
        for scene, meta in enumerate(batch_img_metas):
            own = [part.split(sizes)[scene] for part in parts]
            found, kept = self.bbox_head.detect(*own, meta, rcnn_test_cfg, rescale)
            if vectors is not None:
                found.embeddings = vectors[scene][kept]
            detections.append(found)
        return detections

    def describe(self, x: Sequence[Tensor], rois: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Describe RoIs that are detected.

        Args:
            x: The detector's feature maps.
            rois: Shape (N, 5): scene, x1 y1 x2 y2 in input pixels.
            levels: What the embedding head gave of them.

        Returns:
            Unit vectors (N, D).
        """
        assert self.embedder is not None
        return self.embedder.describe(levels)

    def final_scores(self, logits: Tensor, proposals: Sequence[InstanceData]) -> Tensor:
        """Say how sure it is that RoIs are people, for suppression and as detections' scores.

        Args:
            logits: Of person and background, shape (N, 2).
            proposals: What the RoIs came from, one a scene.

        Returns:
            Shape (N,), 0..1.
        """
        return at_least_float32(logits).softmax(dim=1)[:, 0]


@MODELS.register_module()
class NormAwareRoIHead(ReIDRoIHead):
    """The RoI head of NAE: an embedding's length is the score of a person.

    From Chen et al., "Norm-Aware Embedding for Efficient Person Search", CVPR
    2020. The box head has no classifier of its own (``with_cls=False``).

    Args:
        options: Of MMDetection's ``StandardRoIHead``.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.norm_score = NormAwareScore()

    def score(self, scores: Tensor | None, levels: Sequence[Tensor]) -> Tensor:
        """Score RoIs by the length of their embeddings; see :class:`NormAwareScore`.

        Raises:
            ConfigError: If there are no embeddings.
        """
        if not levels:
            raise ConfigError(
                f'{type(self).__name__} scores people by their embeddings, but the re-ID branch is '
                'another one: it must be RoIReID'
            )
        return self.norm_score(torch.cat(list(levels), dim=1))
