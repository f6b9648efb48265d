# OIM, narrow and from scratch; its embedding is of the upper level alone.
_base_ = ['./oim_r50.py', './narrow_c4.py']

model = dict(
    detector=dict(
        backbone={{_base_.narrow.backbone}},
        rpn_head={{_base_.narrow.rpn_head}},
        roi_head=dict(
            shared_head={{_base_.narrow.shared_head}},
            bbox_roi_extractor={{_base_.narrow.bbox_roi_extractor}},
            bbox_head={{_base_.narrow.bbox_head}},
        ),
        train_cfg={{_base_.narrow.train_cfg}},
        test_cfg={{_base_.narrow.test_cfg}},
    ),
    reid=dict(head=dict(in_channels=[64], embed_dims=192)),
)
