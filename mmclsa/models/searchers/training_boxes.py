"""The boxes that train the re-ID branch: ground truth and near misses of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_number, check_sizes

__all__ = ['TrainingBoxes', 'jitter_boxes', 'match_proposals']


def jitter_boxes(boxes: Tensor, amount: float, copies: int = 1) -> Tensor:
    """Shift and scale boxes at random.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2.
        amount: Each edge moves by up to this share of the box's own width or
            height, in [0, 0.5).
        copies: Number of jittered copies of each box.

    Returns:
        Shape (copies * n, 4): all boxes once, then all again.

    Example:
        >>> import torch
        >>> jitter_boxes(torch.tensor([[0.0, 0.0, 10.0, 20.0]]), amount=0.0, copies=2)
        tensor([[ 0.,  0., 10., 20.],
                [ 0.,  0., 10., 20.]])
    """
    repeated = boxes.repeat(copies, 1)
    size = (repeated[:, 2:] - repeated[:, :2]).repeat(1, 2)
    return repeated + (torch.rand_like(repeated) * 2 - 1) * amount * size


def match_proposals(
    proposals: Tensor, boxes: Tensor, min_iou: float, max_per_person: int
) -> tuple[Tensor, Tensor]:
    """Choose the proposals that lie on somebody.

    Args:
        proposals: Shape (m, 4).
        boxes: Ground truth, shape (n, 4).
        min_iou: A proposal belongs to the box it overlaps most, if by at
            least this IoU.
        max_per_person: At most so many proposals a box, best first.

    Returns:
        The chosen proposals, shape (k, 4), and the box index of each, (k,).

    Example:
        >>> import torch
        >>> boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
        >>> proposals = torch.tensor([[0.0, 0.0, 10.0, 8.0], [20.0, 0.0, 30.0, 10.0]])
        >>> match_proposals(proposals, boxes, 0.5, 4)
        (tensor([[ 0.,  0., 10.,  8.]]), tensor([0]))
    """
    if len(boxes) == 0 or len(proposals) == 0:
        return proposals[:0], torch.zeros(0, dtype=torch.int64, device=proposals.device)
    overlaps, owners = bbox_overlaps(proposals, boxes).max(dim=1)
    ranked = overlaps[:, None] * (owners[:, None] == torch.arange(len(boxes), device=owners.device))
    best = ranked.topk(min(max_per_person, len(proposals)), dim=0).indices
    is_best = torch.zeros_like(ranked, dtype=torch.bool).scatter_(0, best, True)
    # Only a place among the best of its own box counts: elsewhere it ranks with overlap 0.
    own = is_best.gather(1, owners[:, None]).squeeze(1)
    chosen = own & (overlaps >= min_iou)
    return proposals[chosen], owners[chosen]


@dataclass(frozen=True)
class TrainingBoxes:
    """How training boxes are drawn; ground truth is always among them.

    Attributes:
        jitter: Share of a box's size by which the edges of copies move.
        copies: Number of jittered copies of each ground-truth box.
        proposals: Whether a two-stage detector's own proposals join.
        refined: Whether these are the boxes that its RoI head makes of the
            proposals, as at test time, in place of the proposals.
        min_iou: IoU with a ground-truth box that a proposal needs.
        max_per_person: Proposals taken for one person.

    Raises:
        ConfigError: If a number is out of range, or proposals are to be refined
            that are not taken.
    """

    jitter: float = 0.1
    copies: int = 0
    proposals: bool = False
    refined: bool = False
    min_iou: float = 0.6
    max_per_person: int = 4

    def __post_init__(self) -> None:
        """Refuse what would have no effect."""
        check_number('train_boxes', 0, jitter=self.jitter)
        check_number('train_boxes', 0, 1, min_iou=self.min_iou)
        check_sizes('train_boxes', 0, copies=self.copies)
        check_sizes('train_boxes', max_per_person=self.max_per_person)
        if self.refined and not self.proposals:
            raise ConfigError(
                'train_boxes.refined is of no effect without train_boxes.proposals=True'
            )

    def draw(
        self, boxes: Tensor, person_ids: Tensor, proposals: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw one scene's boxes.

        Args:
            boxes: Ground truth, shape (n, 4), input pixels.
            person_ids: Shape (n,).
            proposals: Shape (m, 4), or None.

        Returns:
            Boxes (k, 4), their ids (k,), and which ground-truth box each is
            of (k,), 0..n-1; the first n are the ground truth itself.
        """
        truth = torch.arange(len(boxes), device=person_ids.device)
        all_boxes, owners = [boxes], [truth]
        if self.copies:
            all_boxes.append(jitter_boxes(boxes, self.jitter, self.copies))
            owners.append(truth.repeat(self.copies))
        if proposals is not None:
            chosen, matched = match_proposals(proposals, boxes, self.min_iou, self.max_per_person)
            all_boxes.append(chosen)
            owners.append(matched)
        owner = torch.cat(owners)
        return torch.cat(all_boxes), person_ids[owner], owner
