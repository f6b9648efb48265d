# The headline model (faster-rcnn_r50_scene-reid.py), narrow and from scratch: it learns in
# minutes on a CPU. Strides 4, 8 and 16 in place of 8, 16 and 32, as pictures are small.
# The leaf fills in num_identities and queue_size from the data set's base.
_base_ = './faster-rcnn_r50_scene-reid.py'
embed_dims = 64  # of each level; ours

model = dict(
    detector=dict(
        backbone=dict(
            depth=18,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(0, 1, 2),
            base_channels=16,
            stem_channels=16,
            frozen_stages=-1,
            norm_eval=False,
            init_cfg=None,
        ),
        neck=dict(in_channels=[16, 32, 64], out_channels=32, num_outs=4),
        rpn_head=dict(
            in_channels=32,
            feat_channels=32,
            # Drawn people are about 2.5:1.
            anchor_generator=dict(scales=[5], ratios=[2.0, 3.0], strides=[4, 8, 16, 32]),
        ),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=32, featmap_strides=[4, 8, 16], finest_scale=28),
            bbox_head=dict(in_channels=32, fc_out_channels=128),
        ),
        train_cfg=dict(
            # Nobody is ignored in drawn scenes.
            rpn=dict(assigner=dict(ignore_iof_thr=-1), sampler=dict(num=128)),
            rpn_proposal=dict(nms_pre=200, max_per_img=100),
            rcnn=dict(assigner=dict(ignore_iof_thr=-1), sampler=dict(num=32)),
        ),
        test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100), rcnn=dict(max_per_img=30)),
    ),
    reid=dict(
        in_indices=None,
        strides=(4, 8, 16),
        neck=dict(in_channels=[16, 32, 64], out_channels=32),
        head=dict(
            in_channels=32,
            embed_dims=embed_dims,
            # 30, as with 256 dimensions, is too sharp for 64 and a network from scratch.
            loss_id=dict(scale=10),
        ),
        roi_size=(8, 4),
    ),
)
