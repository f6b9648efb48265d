"""What the tensors of OIM, NAE, SeqNet and COAT are called in their authors' code, and here."""

from __future__ import annotations

from mmclsa.utils.converting import Rule

__all__ = ['COAT', 'NAE', 'OIM', 'SEQNET']

# torchvision's classes are background and person; of the boxes' deltas there is one set a class.
_PERSON_FIRST = [1, 0]
_PERSON_DELTAS = slice(4, 8)

_DETECTOR = [
    Rule(r'backbone\.(?:body\.)?((?:conv1|bn1|layer[123]).+)', r'detector.backbone.\1'),
    # conv.0.0 since torchvision 0.13.
    Rule(r'rpn\.head\.conv\.(?:0\.0\.)?(weight|bias)', r'detector.rpn_head.rpn_conv.\1'),
    Rule(r'rpn\.head\.cls_logits\.(.+)', r'detector.rpn_head.rpn_cls.\1'),
    Rule(r'rpn\.head\.bbox_pred\.(.+)', r'detector.rpn_head.rpn_reg.\1'),
]
_RES5 = Rule(r'roi_heads\.(?:box|feat)_head\.(layer4.+)', r'detector.roi_head.shared_head.\1')
_MEMORY = [
    Rule(r'roi_heads\.reid_loss\.lut', 'reid.head.id_losses.0.memory.table'),
    Rule(r'roi_heads\.reid_loss\.cq', 'reid.head.id_losses.0.memory.queue'),
]


def _norm_aware(
    roi_head: str,
    levels: tuple[str, str] = ('feat_res4', 'feat_res5'),
    embedder: str = 'reid.head',
    stage: str = '',
) -> list[Rule]:
    """List what NAE's head has beside its res5: box deltas, embedding and score.

    Args:
        roi_head: Whose they are here.
        levels: What the maps that are embedded are called there.
        embedder: What embeds them here.
        stage: How the peer's names end, where there are several such heads.
    """
    return [
        Rule(
            rf'roi_heads\.box_predictor{stage}\.bbox_pred\.0\.(.+)',
            rf'{roi_head}.bbox_head.fc_reg.linear.\1',
            _PERSON_DELTAS,
        ),
        Rule(
            rf'roi_heads\.box_predictor{stage}\.bbox_pred\.1\.(.+)',
            rf'{roi_head}.bbox_head.fc_reg.norm.\1',
            _PERSON_DELTAS,
        ),
        *(
            Rule(
                rf'roi_heads\.embedding_head{stage}\.projectors\.{name}\.{number}\.(.+)',
                rf'{embedder}.projections.{level}.{layer}.\1',
            )
            for level, name in enumerate(levels)
            for number, layer in enumerate(('linear', 'norm'))
        ),
        Rule(
            rf'roi_heads\.embedding_head{stage}\.rescaler\.(.+)',
            rf'{roi_head}.norm_score.rescaler.\1',
        ),
    ]


def _box_predictor(there: str) -> list[Rule]:
    """List what a Faster R-CNN head has beside its res5."""
    head = 'detector.roi_head.bbox_head'
    return [
        Rule(rf'roi_heads\.{there}\.cls_score\.(.+)', rf'{head}.fc_cls.\1', _PERSON_FIRST),
        Rule(rf'roi_heads\.{there}\.bbox_pred\.(.+)', rf'{head}.fc_reg.\1', _PERSON_DELTAS),
    ]


def _attention(stage: str, roi_head: str) -> list[Rule]:
    """List the transformer that COAT has in a stage in place of res5.

    Its one block goes by two names, and a convolution after it is not used.
    """
    there, here = rf'roi_heads\.box_head_{stage}', f'{roi_head}.shared_head'
    scale = rf'{there}\.transformer_encoder\.blocks\.scale{{}}\.0'
    rules = [
        Rule(rf'{there}\.conv1\.(.+)', rf'{here}.reduce.\1'),
        Rule(rf'{there}\.conv2\.(.+)', rf'{here}.expand.\1'),
        Rule(rf'{there}\.transformer_encoder\.output_linear\..+', None),
        # The first stage makes it, too, but takes the aligned RoI itself.
        Rule(rf'{there}\.conv0\.(.+)', None if stage == '1st' else rf'{here}.lower.\1'),
    ]
    for number in (0, 1):
        own, ours = scale.format(number + 1), f'{here}.scales.{number}'
        rules += [
            Rule(rf'{own}\.transblock\..+', None),
            Rule(rf'{own}\.patch2vec\.(.+)', rf'{ours}.to_tokens.\1'),
            Rule(rf'{own}\.vec2patch\.embedding\.(.+)', rf'{ours}.to_patches.\1'),
            *(
                Rule(rf'{own}\.transformer\.0\.{name}\.(.+)', rf'{ours}.block.{layer}.\1')
                for name, layer in _BLOCK.items()
            ),
        ]
    return rules


_BLOCK = {
    r'attention\.query_embedding': 'query',
    r'attention\.key_embedding': 'key',
    r'attention\.value_embedding': 'value',
    r'attention\.output_linear': 'output',
    r'ffn\.conv\.0': 'feed.0',
    r'ffn\.conv\.3': 'feed.3',
    'norm1': 'attention_norm',
    'norm2': 'feed_norm',
}


def _later_stage(stage: str, roi_head: str, embedder: str) -> list[Rule]:
    """List a stage of COAT that embeds, with its memory."""
    memory = rf'roi_heads\.reid_loss_{stage}'
    return [
        *_attention(stage, roi_head),
        *_norm_aware(roi_head, ('before_trans', 'after_trans'), embedder, f'_{stage}'),
        Rule(rf'{memory}\.lut', f'{embedder}.id_losses.0.memory.table'),
        Rule(rf'{memory}\.cq', f'{embedder}.id_losses.0.memory.queue'),
    ]


#: github.com/serend1p1ty/SeqNet
SEQNET = [
    *_DETECTOR,
    _RES5,
    Rule(r'roi_heads\.reid_head\.(layer4.+)', r'detector.roi_head.second_stage.shared_head.\1'),
    *_box_predictor('faster_rcnn_predictor'),
    *_norm_aware('detector.roi_head.second_stage'),
    *_MEMORY,
]
#: github.com/dichen-cd/NAE4PS; its box predictor has a classifier that it does not use.
NAE = [
    *_DETECTOR,
    _RES5,
    Rule(r'roi_heads\.box_predictor\.cls_score\..+', None),
    *_norm_aware('detector.roi_head'),
    *_MEMORY,
]
#: A Faster R-CNN of torchvision, in SeqNet's layout, with a linear embedding of res5.
OIM = [
    *_DETECTOR,
    _RES5,
    *_box_predictor('box_predictor'),
    Rule(
        r'roi_heads\.embedding_head\.projectors\.feat_res5\.0\.(weight|bias)',
        r'reid.head.projections.0.linear.\1',
    ),
    *_MEMORY,
]
#: github.com/Kitware/COAT; torchvision's class keeps two of the stages under its own names as well.
COAT = [
    *_DETECTOR,
    Rule(r'roi_heads\.(?:box_head|box_predictor)\..+', None),
    *_attention('1st', 'detector.roi_head'),
    *_box_predictor('box_predictor_1st'),
    *_later_stage('2nd', 'detector.roi_head.second_stage', 'reid.head.stages.0'),
    *_later_stage('3rd', 'detector.roi_head.third_stage', 'reid.head.stages.1'),
]
