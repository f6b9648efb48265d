"""The multi-scale re-ID head: every level predicts the identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_number, check_sizes, with_values
from mmclsa.models.classifiers import IdentityClassifier
from mmclsa.models.gather import RowGatherer
from mmclsa.models.losses import LevelOutputs, build_alignment
from mmclsa.models.precision import at_least_float32
from mmclsa.models.reid.level_embedding import LevelEmbedding
from mmclsa.models.reid.people import (
    Everybody,
    check_num_identities,
    count_people,
    count_people_of_all_ranks,
    gather_everybody,
    read_people,
)
from mmclsa.registry import MODELS
from mmclsa.utils.loss_names import ALIGN, CONTRASTIVE, IDENTITY, TRIPLET

__all__ = ['MultiScaleReIDHead', 'concat_levels']


def concat_levels(embeddings: Sequence[Tensor]) -> Tensor:
    """Make one descriptor of the levels' embeddings.

    Args:
        embeddings: One (N, D) tensor a level, any length.

    Returns:
        The L2-normalised concatenation of the L2-normalised levels, shape
        (N, D * levels), float32 or wider.

    Example:
        >>> import torch
        >>> concat_levels([torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 5.0]])])
        tensor([[0.7071, 0.0000, 0.0000, 0.7071]])
    """
    units = [F.normalize(at_least_float32(e)) for e in embeddings]
    return F.normalize(torch.cat(units, dim=1))


@MODELS.register_module()
class MultiScaleReIDHead(BaseModule):
    """Embed every pyramid level, classify each, align the lower with the top.

    Levels are ordered from low to high; the last is the source of the
    alignment. Each level has its own pooling, projection, batch-norm neck and
    classifier.

    Args:
        num_identities: Number of labelled training identities.
        in_channels: Channels of every level's map.
        num_levels: Number of levels.
        embed_dims: Size D of a level's embedding. The default is ours.
        pool: 'avg', 'max' or 'gem'.
        num_stripes: Horizontal stripes pooled apart; 1 for the whole person.
        dropout: Probability of zeroing a pooled value in training.
        loss_id: Config of the levels' classifier and its loss, a
            ``LinearIdentityLoss`` or an ``OIMLoss``; ``embed_dims`` and
            ``num_identities`` are filled in.
        loss_align: Config of the alignment; None trains without it.
        loss_triplet: Config of a metric loss on the embedding before the
            batch-norm neck; None for none.
        loss_contrastive: Config of a metric loss on the descriptor itself,
            the levels' concatenation; None for none.
        align_unlabeled: Let people without identity take part in the
            alignment, which needs no label.
        align_queue: Align predictions over OIM's queue of strangers, too, not
            over the identities alone.
        feature: Descriptor at test time: 'concat' of all levels, 'source', or
            'level_0', 'level_1', ...
        bn_min_people: Different people that a training batch needs for batch
            statistics of its own; see :class:`LevelEmbedding`.
        level_weights: Factor of each level's identity loss, from low to high;
            None for 1 each.
        person_block: Put a light convolution on the aligned person before the
            pooling, each level its own; see :class:`PersonBlock`.
        init_cfg: Initialisation config.

    Raises:
        ConfigError: If there are no identities or too many, a size is below 1,
            the feature is unknown, the alignment is none, or the weights are
            not one a level.
    """

    def __init__(
        self,
        num_identities: int,
        in_channels: int = 256,
        num_levels: int = 3,
        embed_dims: int = 256,
        pool: str = 'avg',
        num_stripes: int = 1,
        dropout: float = 0.0,
        loss_id: dict[str, Any] | None = None,
        loss_align: dict[str, Any] | None = None,
        loss_triplet: dict[str, Any] | None = None,
        loss_contrastive: dict[str, Any] | None = None,
        align_unlabeled: bool = False,
        align_queue: bool = False,
        feature: str = 'concat',
        bn_min_people: int = 8,
        level_weights: Sequence[float] | None = None,
        person_block: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_sizes(
            type(self).__name__,
            in_channels=in_channels,
            num_levels=num_levels,
            embed_dims=embed_dims,
        )
        check_sizes(type(self).__name__, 0, bn_min_people=bn_min_people)
        features = ('concat', 'source', *(f'level_{level}' for level in range(num_levels)))
        if feature not in features:
            raise ConfigError(f'feature must be one of {features}, but got {feature!r}')
        check_num_identities(num_identities)
        check_number(type(self).__name__, 0, 1, dropout=dropout)
        self.num_identities = num_identities
        self.num_levels = num_levels
        self.align_unlabeled = align_unlabeled
        self.align_queue = align_queue
        self.feature = feature
        self.level_weights = tuple(level_weights or [1.0] * num_levels)
        if len(self.level_weights) != num_levels:
            raise ConfigError(
                f'level_weights must give each of the {num_levels} levels a weight, but is '
                f'{level_weights}'
            )
        self.levels = nn.ModuleList(
            LevelEmbedding(
                in_channels, embed_dims, pool, num_stripes, dropout, bn_min_people, person_block
            )
            for _ in range(num_levels)
        )
        id_cfg = with_values(
            loss_id or dict(type='LinearIdentityLoss'),
            embed_dims=embed_dims,
            num_identities=num_identities,
        )
        self.id_losses = nn.ModuleList(MODELS.build(id_cfg) for _ in range(num_levels))
        self.loss_align = build_alignment(loss_align)
        self.loss_triplet = MODELS.build(loss_triplet) if loss_triplet else None
        self.loss_contrastive = MODELS.build(loss_contrastive) if loss_contrastive else None
        self.gather = RowGatherer()

    def embed_levels(
        self, feats: Sequence[Tensor], num_people: int | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Embed each level's map (N, C, H, W); see :class:`LevelEmbedding`."""
        return [level(feat, num_people) for level, feat in zip(self.levels, feats)]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Turn the levels' maps into descriptors.

        Args:
            feats: One map (N, C, H, W) a level, from low to high.

        Returns:
            Unit vectors of shape (N, D * levels) for ``feature='concat'``,
            else (N, D).
        """
        embeddings = [after for _, after in self.embed_levels(feats)]
        if self.feature == 'concat':
            return concat_levels(embeddings)
        level = -1 if self.feature == 'source' else int(self.feature.split('_')[1])
        return concat_levels([embeddings[level]])

    def loss(
        self,
        feats: Sequence[Tensor],
        person_ids: Tensor,
        owners: Tensor | None = None,
        followed: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses of every level, then update the memories.

        With several processes the mean over ranks of each loss, and of its
        gradient, is what one process would get from the people of all ranks.
        One collective a step carries all that takes.

        Args:
            feats: One map (N, C, H, W) a level, from low to high.
            person_ids: Shape (N,), in 0..num_identities-1, -1 = unlabelled.
            owners: Shape (N,), which ground-truth box each person is a copy
                of; None where nobody is a copy.
            followed: Shape (N,), row of the person whose prediction each one
                follows in the alignment; None for his own.

        Returns:
            ``loss_id_l0`` ... for every level, ``loss_align_l0`` ... for every
            level that follows another, ``loss_triplet_l0`` ... and
            ``loss_contrastive`` where configured.

        Raises:
            UserError: If an id lies outside of -1..num_identities-1.
        """
        host_ids, host_owners = read_people(person_ids, owners, self.num_identities)
        people = count_people(host_ids, host_owners)
        norms = [cast(LevelEmbedding, level).bn_neck for level in self.levels]
        people = count_people_of_all_ranks(people, norms, like=person_ids)
        before, after = zip(*self.embed_levels(feats, people))
        everybody = self._gather(before, after, person_ids, host_ids)
        logits = [loss.logits(e) for loss, e in zip(self.classifiers, after)]
        labelled = everybody.mean_number(unlabelled=False)
        losses = {
            f'{IDENTITY}_l{k}': self.level_weights[k] * loss.loss(logits[k], person_ids, labelled)
            for k, loss in enumerate(self.classifiers)
        }
        losses.update(self._align(logits, after, person_ids, everybody, followed))
        losses.update(self._metric_losses(everybody))
        if self.training:
            for loss, embeddings in zip(self.classifiers, everybody.after):
                loss.update(embeddings, everybody.host_ids)
        return losses

    def _gather(
        self,
        before: Sequence[Tensor],
        after: Sequence[Tensor],
        person_ids: Tensor,
        host_ids: Sequence[int],
    ) -> Everybody:
        """Gather from all ranks what the losses and memories want, and no more."""
        remembered = any(loss.has_memory for loss in self.classifiers)
        sent_before = list(before) if self.loss_triplet else []
        compared = self.loss_contrastive is not None or self._aligns_relations
        sent_after = list(after) if remembered or compared else []
        return gather_everybody(self.gather, person_ids, host_ids, sent_before, sent_after)

    @property
    def _aligns_relations(self) -> bool:
        return self.loss_align is not None and self.loss_align.compares_people

    def _align(
        self,
        logits: Sequence[Tensor],
        after: Sequence[Tensor],
        person_ids: Tensor,
        everybody: Everybody,
        followed: Tensor | None,
    ) -> dict[str, Tensor]:
        if self.loss_align is None or self.num_levels == 1:
            return {}
        # The queue's columns hold strangers, not identities.
        columns = None if self.align_queue else self.num_identities
        outputs = LevelOutputs(
            logits=[level[:, :columns] for level in logits],
            embeddings=after,
            person_ids=person_ids,
            weight=None if self.align_unlabeled else (person_ids >= 0).to(logits[0].dtype),
            avg_factor=everybody.mean_number(unlabelled=self.align_unlabeled),
            everybody=everybody.after if self._aligns_relations else (),
            everybody_ids=everybody.person_ids if self._aligns_relations else None,
            followed=followed,
        )
        losses = self.loss_align.of_levels(outputs)
        return {f'{ALIGN}_l{level}': loss for level, loss in losses.items()}

    def _metric_losses(self, everybody: Everybody) -> dict[str, Tensor]:
        """Compare everybody of all ranks; each rank takes the gradient of its own people."""
        losses = {}
        if self.loss_triplet is not None:
            for k, embeddings in enumerate(everybody.before):
                losses[f'{TRIPLET}_l{k}'] = self.loss_triplet(embeddings, everybody.person_ids)
        if self.loss_contrastive is not None:
            descriptors = concat_levels(everybody.after)
            losses[CONTRASTIVE] = self.loss_contrastive(descriptors, everybody.person_ids)
        return losses

    @property
    def averaged_stripes(self) -> int | None:
        """Stripes whose average is all that the head wants of a map; None if it wants more."""
        stripes = {cast(LevelEmbedding, level).averaged_stripes for level in self.levels}
        return stripes.pop() if len(stripes) == 1 else None

    @property
    def classifiers(self) -> list[IdentityClassifier]:
        """The classifiers, one a level, from low to high."""
        return [cast(IdentityClassifier, loss) for loss in self.id_losses]
