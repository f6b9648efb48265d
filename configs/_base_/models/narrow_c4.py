# What narrows OIM, NAE and SeqNet so that they learn in minutes on a CPU: a ResNet-18 of a quarter
# of the channels, from scratch, in the widths of faster-rcnn-narrow_scene-reid.py.
narrow = dict(
    # Stride 8 in place of 16, as pictures are small.
    backbone=dict(
        depth=18,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1,),
        base_channels=16,
        stem_channels=16,
        frozen_stages=-1,
        norm_cfg=dict(requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    rpn_head=dict(
        in_channels=32,
        feat_channels=32,
        # Drawn people are about 2.5:1.
        anchor_generator=dict(scales=[2.5, 5, 10, 20], ratios=[2.0, 3.0], strides=[8]),
    ),
    shared_head=dict(
        depth=18,
        stage=2,
        base_channels=16,
        norm_cfg=dict(requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    bbox_roi_extractor=dict(
        roi_layer=dict(output_size=(8, 4)), out_channels=32, featmap_strides=[8]
    ),
    bbox_head=dict(in_channels=64),
    train_cfg=dict(
        # Nobody is ignored in drawn scenes.
        rpn=dict(assigner=dict(ignore_iof_thr=-1), sampler=dict(num=128)),
        rpn_proposal=dict(nms_pre=500, max_per_img=100),
        rcnn=dict(assigner=dict(ignore_iof_thr=-1), sampler=dict(num=32)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=100), rcnn=dict(max_per_img=30)),
    # 192 dimensions, as CLSA's three levels of 64 have together. A scale of 30 is too sharp for a
    # network from scratch.
    reid=dict(head=dict(in_channels=[32, 64], embed_dims=192, loss_id=dict(scale=10))),
)
