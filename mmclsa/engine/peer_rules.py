"""What the tensors of OIM, NAE and SeqNet are called in their authors' code, and here."""

from __future__ import annotations

from mmclsa.utils.peer_weights import Rule

__all__ = ['NAE', 'OIM', 'SEQNET']

# torchvision's classes are background and person; of the boxes' deltas there is one set a class.
_PERSON_FIRST = [1, 0]
_PERSON_DELTAS = slice(4, 8)

_DETECTOR = [
    Rule(r'backbone\.(?:body\.)?((?:conv1|bn1|layer[123]).+)', r'detector.backbone.\1'),
    # conv.0.0 since torchvision 0.13.
    Rule(r'rpn\.head\.conv\.(?:0\.0\.)?(weight|bias)', r'detector.rpn_head.rpn_conv.\1'),
    Rule(r'rpn\.head\.cls_logits\.(.+)', r'detector.rpn_head.rpn_cls.\1'),
    Rule(r'rpn\.head\.bbox_pred\.(.+)', r'detector.rpn_head.rpn_reg.\1'),
    Rule(r'roi_heads\.(?:box|feat)_head\.(layer4.+)', r'detector.roi_head.shared_head.\1'),
]
_MEMORY = [
    Rule(r'roi_heads\.reid_loss\.lut', 'reid.head.id_losses.0.memory.table'),
    Rule(r'roi_heads\.reid_loss\.cq', 'reid.head.id_losses.0.memory.queue'),
]


def _norm_aware(roi_head: str) -> list[Rule]:
    """List what NAE's head has beside its res5: box deltas, embedding and score."""
    return [
        Rule(
            r'roi_heads\.box_predictor\.bbox_pred\.0\.(.+)',
            rf'{roi_head}.bbox_head.fc_reg.linear.\1',
            _PERSON_DELTAS,
        ),
        Rule(
            r'roi_heads\.box_predictor\.bbox_pred\.1\.(.+)',
            rf'{roi_head}.bbox_head.fc_reg.norm.\1',
            _PERSON_DELTAS,
        ),
        *_projections('feat_res4', 0),
        *_projections('feat_res5', 1),
        Rule(r'roi_heads\.embedding_head\.rescaler\.(.+)', rf'{roi_head}.norm_score.rescaler.\1'),
    ]


def _projections(name: str, level: int) -> list[Rule]:
    there = rf'roi_heads\.embedding_head\.projectors\.{name}'
    return [
        Rule(rf'{there}\.0\.(.+)', rf'reid.head.projections.{level}.linear.\1'),
        Rule(rf'{there}\.1\.(.+)', rf'reid.head.projections.{level}.norm.\1'),
    ]


def _box_predictor(there: str) -> list[Rule]:
    """List what a Faster R-CNN head has beside its res5."""
    head = 'detector.roi_head.bbox_head'
    return [
        Rule(rf'roi_heads\.{there}\.cls_score\.(.+)', rf'{head}.fc_cls.\1', _PERSON_FIRST),
        Rule(rf'roi_heads\.{there}\.bbox_pred\.(.+)', rf'{head}.fc_reg.\1', _PERSON_DELTAS),
    ]


#: github.com/serend1p1ty/SeqNet
SEQNET = [
    *_DETECTOR,
    Rule(r'roi_heads\.reid_head\.(layer4.+)', r'detector.roi_head.second_stage.shared_head.\1'),
    *_box_predictor('faster_rcnn_predictor'),
    *_norm_aware('detector.roi_head.second_stage'),
    *_MEMORY,
]
#: github.com/dichen-cd/NAE4PS; its box predictor has a classifier that it does not use.
NAE = [
    *_DETECTOR,
    Rule(r'roi_heads\.box_predictor\.cls_score\..+', None),
    *_norm_aware('detector.roi_head'),
    *_MEMORY,
]
#: A Faster R-CNN of torchvision, in SeqNet's layout, with a linear embedding of res5.
OIM = [
    *_DETECTOR,
    *_box_predictor('box_predictor'),
    Rule(
        r'roi_heads\.embedding_head\.projectors\.feat_res5\.0\.(weight|bias)',
        r'reid.head.projections.0.linear.\1',
    ),
    *_MEMORY,
]
