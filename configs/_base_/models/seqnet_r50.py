# SeqNet: a Faster R-CNN head, and NAE's head with a res5 of its own on the boxes left of it.
_base_ = './faster-rcnn_r50-c4_roi-reid.py'

model = dict(
    detector=dict(
        roi_head=dict(
            type='mmclsa.SequentialRoIHead',
            bbox_head=dict(loss_bbox=dict(loss_weight=10.0)),
            second_stage=dict(
                type='mmclsa.RefinedRoIHead',
                shared_head={{_base_.model.detector.roi_head.shared_head}},
                bbox_roi_extractor={{_base_.model.detector.roi_head.bbox_roi_extractor}},
                bbox_head=dict(
                    type='mmclsa.PersonBBoxHead',
                    in_channels=2048,
                    with_cls=False,
                    reg_predictor_cfg=dict(type='mmclsa.NormedLinear'),
                    loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0),
                ),
            ),
        ),
        # Refined boxes lie closer on people than proposals: fewer of them are suppressed.
        test_cfg=dict(rcnn=dict(second_stage=dict(nms=dict(type='nms', iou_threshold=0.5)))),
    ),
)
