"""Which prediction each level follows in the alignment, and how far it is trusted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.precision import at_least_float32

__all__ = ['SOURCES', 'TRUST', 'choose_sources', 'source_trust', 'standardized']

#: What may be the source of an alignment.
SOURCES = ('top', 'lowest', 'all', 'mean', 'best', 'self')
#: How the weight of a person may depend on his source.
TRUST = ('all', 'confidence', 'right')


def choose_sources(
    logits: Sequence[Tensor], source: str, person_ids: Tensor, itself: bool = False
) -> dict[int, list[Tensor]]:
    """Give each level the predictions that it follows.

    Args:
        logits: One (N, C) tensor a level, from low to high.
        source: ``top``: all others follow the last level, as in CLSA.
            ``lowest``: all others follow the first. ``all``: each follows
            each other one. ``mean``: each follows the mean of all levels'
            logits, an ensemble. ``best``: each follows, person by person, the
            level that gives the right identity the highest probability; of
            people without identity, the level whose highest is highest.
            ``self``: each follows itself, which is a loss only where a person
            follows another picture of his (``CropReID.second_view``).
        person_ids: Shape (N,), -1 = unlabelled.
        itself: Let the one level that all others follow follow itself, too,
            as it does where people follow other pictures of theirs.

    Returns:
        For each level that follows anybody, logits (N, C) of its sources.

    Raises:
        ConfigError: If there is no such source.

    Example:
        >>> import torch
        >>> low, top = torch.zeros(1, 2), torch.tensor([[4.0, 0.0]])
        >>> sorted(choose_sources([low, top], 'all', torch.tensor([0])))
        [0, 1]
        >>> choose_sources([low, top], 'best', torch.tensor([1]))[1][0]
        tensor([[0., 0.]])
    """
    levels = range(len(logits))
    if source in ('top', 'lowest'):
        of = levels[-1] if source == 'top' else 0
        return {level: [logits[of]] for level in levels if itself or level != of}
    if source == 'all':
        return {
            level: [logits[other] for other in levels if other != level]
            for level in levels
            if len(logits) > 1
        }
    if source == 'self':
        return {level: [logits[level]] for level in levels}
    stacked = torch.stack([at_least_float32(of_level) for of_level in logits])
    if source == 'mean':
        one = stacked.mean(dim=0)
    elif source == 'best':
        with torch.no_grad():
            best = torch.stack([own_probability(z, person_ids) for z in logits]).argmax(dim=0)
        one = stacked[best, torch.arange(stacked.shape[1], device=best.device)]
    else:
        raise ConfigError(f'source must be one of {SOURCES}, but got {source!r}')
    return {level: [one] for level in levels}


def own_probability(logits: Tensor, person_ids: Tensor) -> Tensor:
    """Give the probability of the right identity; of unlabelled people, the highest one.

    Args:
        logits: Shape (N, C).
        person_ids: Shape (N,), -1 = unlabelled.

    Returns:
        Shape (N,), in [0, 1].
    """
    probabilities = at_least_float32(logits).softmax(dim=1)
    own = probabilities.gather(1, person_ids.clamp(min=0)[:, None])[:, 0]
    return torch.where(person_ids >= 0, own, probabilities.amax(dim=1))


@torch.no_grad()
def source_trust(source: Tensor, person_ids: Tensor, trust: str) -> Tensor | None:
    """Weigh people by how much their source knows.

    Args:
        source: Logits (N, C) of the source.
        person_ids: Shape (N,), -1 = unlabelled.
        trust: ``all``: everybody alike. ``confidence``: by the probability
            that the source gives the right identity; of unlabelled people, by
            its highest. ``right``: 1 where its highest is right, or there is
            no right one, else 0.

    Returns:
        Weights (N,) in [0, 1]; None for everybody alike.

    Raises:
        ConfigError: If there is no such trust.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[9.0, 0.0], [9.0, 0.0], [9.0, 0.0]])
        >>> source_trust(logits, torch.tensor([0, 1, -1]), 'right')
        tensor([1., 0., 1.])
    """
    if trust == 'all':
        return None
    if trust == 'confidence':
        return own_probability(source, person_ids)
    if trust == 'right':
        right = (source.argmax(dim=1) == person_ids) | (person_ids < 0)
        return right.to(at_least_float32(source).dtype)
    raise ConfigError(f'trust must be one of {TRUST}, but got {trust!r}')


def standardized(logits: Tensor) -> Tensor:
    """Shift and scale each row of logits to mean 0 and standard deviation 1.

    Then one temperature fits every level, whatever the length of its
    embeddings: what is compared is the order and relative distance of
    identities (Sun et al., "Logit Standardization in Knowledge Distillation",
    CVPR 2024).

    Args:
        logits: Shape (N, C), C >= 2.

    Returns:
        Shape (N, C), float32 or wider.

    Example:
        >>> import torch
        >>> standardized(torch.tensor([[0.0, 10.0]])).round(decimals=3)
        tensor([[-1.,  1.]])
    """
    rows = at_least_float32(logits)
    spread, mean = torch.std_mean(rows, dim=1, keepdim=True, unbiased=False)
    return (rows - mean) / (spread + 1e-6)
