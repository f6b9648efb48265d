"""What the losses of the re-ID branch are called, in logs and pictures of them."""

from __future__ import annotations

__all__ = ['ALIGN', 'CONTRASTIVE', 'IDENTITY', 'TRIPLET', 'is_reid_loss']

#: Beginnings of names: the level follows, as in ``loss_id_l0``.
IDENTITY, ALIGN, TRIPLET, CONTRASTIVE = 'loss_id', 'loss_align', 'loss_triplet', 'loss_contrastive'


def is_reid_loss(name: str) -> bool:
    """Say whether a loss is one of the re-ID head's, and not the detector's.

    Example:
        >>> is_reid_loss('loss_align_l0'), is_reid_loss('loss_bbox')
        (True, False)
    """
    return name.startswith((IDENTITY, ALIGN, TRIPLET, CONTRASTIVE))
