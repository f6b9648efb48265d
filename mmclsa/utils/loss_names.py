"""What the losses of the re-ID branch are called, in logs and pictures of them."""

from __future__ import annotations

__all__ = ['ALIGN', 'CONTRASTIVE', 'IDENTITY', 'TRIPLET', 'is_reid_loss', 'name_of_stage']

#: Beginnings of names: the level follows, as in ``loss_id_l0``.
IDENTITY, ALIGN, TRIPLET, CONTRASTIVE = 'loss_id', 'loss_align', 'loss_triplet', 'loss_contrastive'


def is_reid_loss(name: str) -> bool:
    """Say whether a loss is one of the re-ID head's, and not the detector's.

    Example:
        >>> is_reid_loss('loss_align_l0'), is_reid_loss('loss_bbox')
        (True, False)
    """
    return name.startswith((IDENTITY, ALIGN, TRIPLET, CONTRASTIVE))


def name_of_stage(name: str, stage: int) -> str:
    """Name a loss of one stage of several: MMDetection's way for its own losses.

    Example:
        >>> name_of_stage('loss_bbox', 1), name_of_stage('loss_id', 1)
        ('s1.loss_bbox', 'loss_id_s1')
    """
    return f'{name}_s{stage}' if is_reid_loss(name) else f's{stage}.{name}'
