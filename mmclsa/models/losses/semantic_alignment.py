"""Cross-level semantic alignment: the KL divergence at the heart of CLSA."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.losses.alignment import AlignmentLoss, LevelOutputs
from mmclsa.models.losses.alignment_sources import (
    SOURCES,
    TRUST,
    choose_sources,
    source_trust,
    standardized,
)
from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.registry import MODELS

__all__ = ['SemanticAlignmentLoss', 'semantic_alignment_loss']

# The divergence falls with T^2, the rounding of float32 does not. For logits that differ by
# about 1 it is a per mille at T = 100; of an untrained network, whose logits hardly differ, more.
_HOTTEST_IN_FLOAT32 = 30.0


def semantic_alignment_loss(
    source_logits: Tensor,
    target_logits: Sequence[Tensor],
    temperature: float = 3.0,
    detach_source: bool = True,
    weight: Tensor | None = None,
    avg_factor: float | None = None,
) -> Tensor:
    r"""Pull the identity predictions of target levels towards the source's.

    .. math::
        T^2 \sum_t \frac{1}{N} \sum_n
        \mathrm{KL}(\mathrm{softmax}(z_S / T) \,\|\, \mathrm{softmax}(z_t / T))

    Computed in log space and at least float32, also under autocast, and in
    float64 for temperatures above 30. From Lan,
    Zhu and Gong, "Person Search by Multi-Scale Matching", ECCV 2018; the
    temperature is ours (the paper's value is not published).

    Args:
        source_logits: Logits of the source level, shape (N, C), any range.
        target_logits: Logits of each target level, each of shape (N, C).
        temperature: Softening of both sides, > 0.
        detach_source: Stop the gradient into the source level.
        weight: Weight of each person, shape (N,), >= 0; None for 1.
        avg_factor: What the sum over people is divided by, > 0; None for the
            number N of people. With several processes it is their mean number
            a rank, so that the mean over ranks is the mean over people.

    Returns:
        A scalar >= 0. With no people or no targets it is 0 and still carries
        a (zero) gradient to every input that requires one.

    Raises:
        ConfigError: If the temperature is not positive.
        ValueError: If the shapes differ.

    Example:
        >>> import torch
        >>> top = torch.tensor([[2.0, 0.0]])
        >>> semantic_alignment_loss(top, [top]).item()
        0.0
        >>> round(semantic_alignment_loss(top, [-top], temperature=1.0).item(), 4)
        1.5232
    """
    if not 0 < temperature < math.inf:
        raise ConfigError(f'temperature must be positive, but got {temperature}')
    for level, logits in enumerate(target_logits):
        if logits.shape != source_logits.shape:
            raise ValueError(
                f'target_logits[{level}] must have the shape of source_logits '
                f'{tuple(source_logits.shape)}, but got {tuple(logits.shape)}'
            )
    with full_precision(source_logits):
        source = at_least_float32(source_logits)
        targets = [at_least_float32(logits) for logits in target_logits]
        wanted = source.dtype
        if temperature > _HOTTEST_IN_FLOAT32:
            source, targets = source.double(), [target.double() for target in targets]
        if not targets:
            return (source.sum() * 0).to(wanted)
        anchor = source.sum() * 0 if len(source) == 0 else 0.0
        if detach_source:
            source = source.detach()
        log_source = F.log_softmax(source / temperature, dim=1)
        divergence = torch.stack(
            [
                F.kl_div(
                    F.log_softmax(target / temperature, dim=1),
                    log_source,
                    reduction='none',
                    log_target=True,
                ).sum(dim=1)
                for target in targets
            ]
        ).sum(dim=0)
        if weight is not None:
            divergence = divergence * weight
        people = max(len(source), 1) if avg_factor is None else avg_factor
        return (temperature**2 * divergence.sum() / people + anchor).to(wanted)


@MODELS.register_module()
class SemanticAlignmentLoss(AlignmentLoss):
    """CLSA's alignment of levels, around :func:`semantic_alignment_loss`.

    The defaults are the paper's alignment with our numbers; docs/alignment.md
    says what it and each of the other choices were found to do.

    Args:
        temperature: Softening of both sides, > 0. The default is ours.
        loss_weight: Weight ``w_align`` of the term. The default is ours.
        detach_source: Stop the gradient into the source.
        source: Whose prediction levels follow: ``top``, ``lowest``, ``all``,
            ``mean``, ``best`` or ``self``; see :func:`choose_sources`.
        trust: Whether a person counts by what his source knows: ``all``,
            ``confidence`` or ``right``; see :func:`source_trust`.
        standardize: Compare logits after :func:`standardized`, so that the
            temperature does not depend on their scale.

    Raises:
        ConfigError: If the temperature is not positive, or there is no such
            source or trust.
    """

    def __init__(
        self,
        temperature: float = 3.0,
        loss_weight: float = 1.0,
        detach_source: bool = True,
        source: str = 'top',
        trust: str = 'all',
        standardize: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise ConfigError(f'temperature must be positive, but got {temperature}')
        for name, value, known in (('source', source, SOURCES), ('trust', trust, TRUST)):
            if value not in known:
                raise ConfigError(f'{name} must be one of {known}, but got {value!r}')
        self.temperature = temperature
        self.loss_weight = loss_weight
        self.detach_source = detach_source
        self.source = source
        self.trust = trust
        self.standardize = standardize

    def forward(
        self,
        source_logits: Tensor,
        target_logits: Sequence[Tensor],
        weight: Tensor | None = None,
        avg_factor: float | None = None,
    ) -> Tensor:
        """Compute the weighted loss of targets that follow one source.

        Args:
            source_logits: Logits of the source level, shape (N, C).
            target_logits: Logits of each target level, each (N, C).
            weight: Weight of each person, shape (N,).
            avg_factor: See :func:`semantic_alignment_loss`.

        Returns:
            A scalar; without a weight a plain 0, for which nothing is computed or kept.
        """
        if self.loss_weight == 0:
            return source_logits.new_zeros(())
        if self.standardize:
            source_logits = standardized(source_logits)
            target_logits = [standardized(target) for target in target_logits]
        return self.loss_weight * semantic_alignment_loss(
            source_logits,
            target_logits,
            self.temperature,
            self.detach_source,
            weight,
            avg_factor,
        )

    def of_levels(self, outputs: LevelOutputs) -> dict[int, Tensor]:
        """Let every level follow its source; see :class:`AlignmentLoss`.

        With ``outputs.followed`` each person follows the source of another
        picture of his, and the source level learns so, too.
        """
        sources = choose_sources(
            outputs.logits, self.source, outputs.person_ids, outputs.followed is not None
        )
        return {
            level: torch.stack(
                [self._follow(source, outputs.logits[level], outputs) for source in of_level]
            ).sum()
            for level, of_level in sources.items()
        }

    def _follow(self, source: Tensor, target: Tensor, outputs: LevelOutputs) -> Tensor:
        if outputs.followed is not None:
            source = source[outputs.followed]
        weight = source_trust(source, outputs.person_ids, self.trust)
        if weight is None:
            weight = outputs.weight
        elif outputs.weight is not None:
            weight = weight * outputs.weight
        return self(source, [target], weight, outputs.avg_factor)
