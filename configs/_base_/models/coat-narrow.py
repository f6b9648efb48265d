# COAT, narrow and from scratch.
_base_ = ['./coat_r50.py', './narrow_c4.py']

attention = dict(in_channels=32, embed_dims=64, out_channels=64, num_heads=2)
later_stage = dict(shared_head=attention, bbox_head={{_base_.narrow.bbox_head}})

model = dict(
    detector=dict(
        backbone={{_base_.narrow.backbone}},
        rpn_head={{_base_.narrow.rpn_head}},
        roi_head=dict(
            shared_head=attention,
            bbox_roi_extractor={{_base_.narrow.bbox_roi_extractor}},
            bbox_head={{_base_.narrow.bbox_head}},
            second_stage=later_stage,
            third_stage=later_stage,
        ),
        train_cfg={{_base_.narrow.train_cfg}},
        test_cfg={{_base_.narrow.test_cfg}},
    ),
    # 192 dimensions of both stages together.
    reid=dict(head=dict(in_channels=[32, 64], embed_dims=96, loss_id=dict(scale=10))),
)
