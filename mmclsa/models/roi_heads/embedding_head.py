"""The embedding of a RoI and its identity loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmclsa.models.checks import check_sizes, with_values
from mmclsa.models.classifiers import IdentityClassifier
from mmclsa.models.gather import RowGatherer
from mmclsa.models.losses import LevelOutputs, build_alignment
from mmclsa.models.precision import at_least_float32
from mmclsa.models.reid.people import (
    Everybody,
    check_num_identities,
    gather_everybody,
    read_people,
)
from mmclsa.models.reid.pooling import StripePooling
from mmclsa.models.roi_heads.norms import normalise_rows
from mmclsa.registry import MODELS
from mmclsa.utils.loss_names import ALIGN, IDENTITY

__all__ = ['RoIEmbeddingHead', 'split_dims']


def split_dims(dims: int, parts: int) -> list[int]:
    """Divide the size of an embedding among levels, the last ones taking what is left over.

    Args:
        dims: Size of the embedding.
        parts: Number of levels.

    Returns:
        The size of each level, from low to high.

    Example:
        >>> split_dims(256, 2), split_dims(256, 3)
        ([128, 128], [85, 85, 86])
    """
    size, rest = divmod(dims, parts)
    return [size + (index >= parts - rest) for index in range(parts)]


class LevelProjection(nn.Module):
    """Pool a level's map and project it.

    Args:
        in_channels: Channels of the map.
        dims: Size of the projection.
        pool: 'avg' or 'max'.
        batch_norm: Whether a batch norm follows the linear layer.
    """

    def __init__(self, in_channels: int, dims: int, pool: str, batch_norm: bool) -> None:
        super().__init__()
        self.pooling = StripePooling(pool)
        self.linear = nn.Linear(in_channels, dims)
        self.norm = nn.BatchNorm1d(dims) if batch_norm else None
        for layer in (self.linear, self.norm):
            if layer is not None:
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)

    def forward(self, feats: Tensor) -> Tensor:
        """Project feats (N, C, H, W) to (N, dims), float32 or wider."""
        rows = self.linear(self.pooling(feats))
        return at_least_float32(rows) if self.norm is None else normalise_rows(self.norm, rows)


@MODELS.register_module()
class RoIEmbeddingHead(BaseModule):
    """Embed RoIs by one vector of all their levels, and tell identities apart by it.

    Each level's map is pooled and projected, and the projections are
    concatenated as they are, without a normalisation of each: their common
    length is what NAE reads as the detection score. With ``in_channels`` of
    one level and without batch norm it is OIM's embedding.

    CLSA joins by ``loss_align``: each level then predicts the identity by
    itself as well, and the lower levels' predictions follow the top one's.

    Args:
        num_identities: Number of labelled training identities.
        in_channels: Channels of each level's map, from low to high. Levels
            that the RoI head gives beyond that are taken from the top.
        embed_dims: Size of the embedding, which the levels share.
        pool: 'avg' or 'max'.
        batch_norm: Whether each projection ends in a batch norm.
        loss_id: Config of the embedding's classifier, an ``OIMLoss``;
            ``embed_dims`` and ``num_identities`` are filled in.
        loss_level: Config of the classifier of each level by itself; None for
            ``loss_id`` where there is an alignment.
        loss_align: Config of the alignment between levels; None for none.
        loss_class: Config of one more classifier of the embedding; None for none.
        align_unlabeled: Let people without identity take part in it.
        init_cfg: Initialisation config.

    Raises:
        ConfigError: If there are no identities, or the alignment is none.
    """

    def __init__(
        self,
        num_identities: int,
        in_channels: Sequence[int] = (1024, 2048),
        embed_dims: int = 256,
        pool: str = 'max',
        batch_norm: bool = True,
        loss_id: dict[str, Any] | None = None,
        loss_level: dict[str, Any] | None = None,
        loss_align: dict[str, Any] | None = None,
        loss_class: dict[str, Any] | None = None,
        align_unlabeled: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_num_identities(num_identities)
        check_sizes('RoIEmbeddingHead', in_channels=in_channels, embed_dims=embed_dims)
        self.num_identities = num_identities
        self.embed_dims = embed_dims
        self.align_unlabeled = align_unlabeled
        dims = split_dims(embed_dims, len(in_channels))
        self.projections = nn.ModuleList(
            LevelProjection(channels, size, pool, batch_norm)
            for channels, size in zip(in_channels, dims)
        )
        # The first classifier is that of the embedding, then come those of the levels, then the
        # embedding's other one.
        whole = loss_id or dict(type='OIMLoss')
        configs = [(whole, embed_dims)]
        if loss_align:
            configs += [(loss_level or whole, size) for size in dims]
        self.classified_twice = bool(loss_class)
        if loss_class:
            configs.append((loss_class, embed_dims))
        self.id_losses = nn.ModuleList(
            MODELS.build(with_values(cfg, embed_dims=size, num_identities=num_identities))
            for cfg, size in configs
        )
        self.loss_align = build_alignment(loss_align)
        self.gather = RowGatherer()

    @property
    def num_levels(self) -> int:
        """Number of levels."""
        return len(self.projections)

    @property
    def classifiers(self) -> list[IdentityClassifier]:
        """The classifiers: of the embedding, of the levels where they are aligned, the other."""
        return [cast(IdentityClassifier, loss) for loss in self.id_losses]

    def embed(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Project each level.

        Args:
            feats: One map (N, C_k, H_k, W_k) a level, from low to high.

        Returns:
            One (N, D_k) tensor a level, float32 or wider, of any length.
        """
        taken = feats[-self.num_levels :]
        return [projection(feat) for projection, feat in zip(self.projections, taken)]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Describe RoIs: unit vectors (N, D) of one map a level."""
        return self.describe(self.embed(feats))

    def describe(self, levels: Sequence[Tensor]) -> Tensor:
        """Turn what :meth:`embed` gave into unit vectors (N, D)."""
        return F.normalize(torch.cat(list(levels), dim=1))

    def loss(
        self, feats: Sequence[Tensor], person_ids: Tensor, owners: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute the losses of people from their maps; see :meth:`identity_loss`."""
        return self.identity_loss(self.embed(feats), person_ids)

    def identity_loss(self, levels: Sequence[Tensor], person_ids: Tensor) -> dict[str, Tensor]:
        """Compute the identity losses of people, then update the memories.

        With several processes the mean over ranks of each loss, and of its
        gradient, is what one process would get from the people of all ranks.

        Args:
            levels: Rows of what :meth:`embed` gave: one (N, D_k) tensor a
                level. No background.
            person_ids: Shape (N,), in 0..num_identities-1, -1 = unlabelled.

        Returns:
            ``loss_id``, ``loss_id_class`` of the other classifier, and with an
            alignment ``loss_id_l0`` ... of each level and ``loss_align_l0``
            ... of each that follows another.

        Raises:
            UserError: If an id lies outside of -1..num_identities-1.
        """
        host_ids, _ = read_people(person_ids, None, self.num_identities)
        rows = [torch.cat(list(levels), dim=1), *(levels if self.loss_align else ())]
        everybody = gather_everybody(self.gather, person_ids, host_ids, [], rows)
        names = [IDENTITY, *(f'{IDENTITY}_l{level}' for level in range(len(rows) - 1))]
        if self.classified_twice:
            rows, names = [*rows, rows[0]], [*names, f'{IDENTITY}_class']
        logits = [loss.logits(row) for loss, row in zip(self.classifiers, rows)]
        labelled = everybody.mean_number(unlabelled=False)
        losses = {
            name: loss.loss(logit, person_ids, labelled)
            for name, loss, logit in zip(names, self.classifiers, logits)
        }
        losses.update(self._align(logits[1 : 1 + len(levels)], levels, person_ids, everybody))
        if self.training:
            for loss, known in zip(self.classifiers, [*everybody.after, everybody.after[0]]):
                loss.update(known, everybody.host_ids)
        return losses

    def _align(
        self,
        logits: Sequence[Tensor],
        levels: Sequence[Tensor],
        person_ids: Tensor,
        everybody: Everybody,
    ) -> dict[str, Tensor]:
        if self.loss_align is None or self.num_levels == 1:
            return {}
        outputs = LevelOutputs(
            # The queue's columns hold strangers, not identities.
            logits=[level[:, : self.num_identities] for level in logits],
            embeddings=levels,
            person_ids=person_ids,
            weight=None if self.align_unlabeled else (person_ids >= 0).to(logits[0].dtype),
            avg_factor=everybody.mean_number(unlabelled=self.align_unlabeled),
            everybody=everybody.after[1:],
            everybody_ids=everybody.person_ids,
        )
        aligned = self.loss_align.of_levels(outputs)
        return {f'{ALIGN}_l{level}': loss for level, loss in aligned.items()}
