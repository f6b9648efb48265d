"""Batch norms over people in a picture, of whom there may be few."""

from __future__ import annotations

from torch import Tensor, nn

from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.models.reid.level_embedding import running_norm
from mmclsa.registry import MODELS

__all__ = ['NormAwareScore', 'NormedLinear', 'normalise_rows']


def normalise_rows(norm: nn.BatchNorm1d, rows: Tensor) -> Tensor:
    """Apply a batch norm in float32, also to no row or to one in training.

    Args:
        norm: Batch norm of C channels.
        rows: Shape (N, C).

    Returns:
        Shape (N, C), float32 or wider. Fewer than two rows have no statistics
        of their own: they are normalised by the running ones.

    Example:
        >>> import torch
        >>> normalise_rows(torch.nn.BatchNorm1d(1, eps=0.0), torch.tensor([[2.0]])).item()
        2.0
    """
    with full_precision(rows):
        rows = at_least_float32(rows)
        if norm.training and len(rows) < 2:
            return running_norm(norm, rows, 0.0)
        return norm(rows)


@MODELS.register_module()
class NormedLinear(nn.Module):
    """A linear layer and a batch norm: the box regression of NAE and SeqNet.

    For MMDetection's ``reg_predictor_cfg``. Weights of both are drawn with a
    standard deviation of 0.01, as Chen et al., "Norm-Aware Embedding for
    Efficient Person Search", CVPR 2020, have them in their code.

    Args:
        in_features: Channels in.
        out_features: Channels out.

    Example:
        >>> import torch
        >>> NormedLinear(8, 4)(torch.rand(5, 8)).shape
        torch.Size([5, 4])
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.norm = nn.BatchNorm1d(out_features)
        for layer in (self.linear, self.norm):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows (N, in_features) to (N, out_features)."""
        return normalise_rows(self.norm, self.linear(rows))


class NormAwareScore(nn.Module):
    """Read from an embedding's length whether it is a person's.

    The length, shifted and scaled by a batch norm, is the logit of a person
    (Chen et al., "Norm-Aware Embedding for Efficient Person Search", CVPR
    2020): its direction is left to the identity.

    Example:
        >>> import torch
        >>> score = NormAwareScore().eval()
        >>> score(torch.tensor([[3.0, 4.0]])).detach().round(decimals=3)
        tensor([[5., 0.]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.rescaler = nn.BatchNorm1d(1)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Score embeddings (N, D), not normalised.

        Returns:
            Logits (N, 2) of person and background, as MMDetection's heads give
            them: the background's is 0, so that their softmax is the sigmoid
            of the person's, and their cross entropy the binary one.
        """
        with full_precision(embeddings):
            lengths = at_least_float32(embeddings).norm(dim=1, keepdim=True)
        person = normalise_rows(self.rescaler, lengths)
        return nn.functional.pad(person, (0, 1))
