# COAT: three stages of ever stricter IoUs, each with a transformer in place of res5. The second and
# the third are NAE's heads, and what they embed is concatenated. The numbers are those of COAT's
# code (github.com/Kitware/COAT).
_base_ = './faster-rcnn_r50-c4_roi-reid.py'

attention = dict(type='mmclsa.OccludedAttention')
later_stage = dict(
    type='mmclsa.OccludedRoIHead',
    shared_head=attention,
    bbox_head=dict(
        type='mmclsa.PersonBBoxHead',
        in_channels=2048,
        with_cls=False,
        reg_predictor_cfg=dict(type='mmclsa.NormedLinear'),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=10.0),
    ),
)

model = dict(
    detector=dict(
        roi_head=dict(
            type='mmclsa.COATRoIHead',
            # The first stage only detects: nobody exchanges anything there.
            shared_head=dict(_delete_=True, **attention, project_lower=False, stripe=0),
            bbox_head=dict(loss_bbox=dict(loss_weight=10.0)),
            second_stage=later_stage,
            third_stage=later_stage,
        ),
        train_cfg=dict(rcnn=dict(sampler=dict(pos_fraction=0.25))),
        # Boxes of the last stage lie closest on people: fewer of them are suppressed.
        test_cfg=dict(rcnn=dict(third_stage=dict(nms=dict(type='nms', iou_threshold=0.5)))),
    ),
    reid=dict(head=dict(type='CascadeEmbeddingHead', loss_id=dict(loss_weight=0.5))),
)
