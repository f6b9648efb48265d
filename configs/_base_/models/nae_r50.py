# NAE: the embedding of res4 and res5 has the identity in its direction and the score in its length.
_base_ = './faster-rcnn_r50-c4_roi-reid.py'

model = dict(
    detector=dict(
        roi_head=dict(
            type='mmclsa.NormAwareRoIHead',
            bbox_head=dict(with_cls=False, reg_predictor_cfg=dict(type='mmclsa.NormedLinear')),
        ),
        # A RoI that lies on somebody by 0.1 to 0.5 is neither person nor background.
        train_cfg=dict(rcnn=dict(assigner=dict(neg_iou_thr=0.1))),
    ),
)
