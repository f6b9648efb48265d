# What OIM, NAE and SeqNet have in common: Faster R-CNN on res4 (stride 16), RoIs of 14 x 14 cells,
# res5 on each RoI, and an embedding beside its score and box. The numbers are those of SeqNet's
# code (github.com/serend1p1ty/SeqNet), which NAE's and OIM's ports share.
# The leaf fills in num_identities and queue_size from the data set's base.
_base_ = './faster-rcnn_r50-c4.py'

backbone_weights = 'mmclsa://resnet50_imagenet.pth'
pretrained = dict(type='Pretrained', checkpoint=backbone_weights)
norm_cfg = dict(type='BN', requires_grad=True)
embed_dims = 256
# What lies by half or more on somebody whom the data set ignores is no background.
ignore_iof_thr = 0.5

model = dict(
    detector=dict(
        data_preprocessor=dict(
            mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
        ),
        # Batch norms learn; of the stem they do not.
        backbone=dict(
            frozen_stages=0,
            norm_cfg=norm_cfg,
            norm_eval=False,
            style='pytorch',
            init_cfg=pretrained,
        ),
        rpn_head=dict(anchor_generator=dict(type='mmclsa.RoundedAnchorGenerator')),
        roi_head=dict(
            type='mmclsa.ReIDRoIHead',
            shared_head=dict(
                _delete_=True,
                type='mmclsa.RoIResLayer',
                depth=50,
                norm_cfg=norm_cfg,
                init_cfg=pretrained,
            ),
            # As torchvision aligns, without the half pixel.
            bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False)),
            bbox_head=dict(
                _delete_=True,
                type='mmclsa.PersonBBoxHead',
                in_channels=2048,
                loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0),
            ),
        ),
        train_cfg=dict(
            rpn=dict(assigner=dict(ignore_iof_thr=ignore_iof_thr)),
            rcnn=dict(
                assigner=dict(ignore_iof_thr=ignore_iof_thr),
                sampler=dict(num=128, pos_fraction=0.5),
            ),
        ),
        test_cfg=dict(
            rpn=dict(max_per_img=300),
            # 0.01: detection recall and AP count from there; the search threshold is the metric's.
            rcnn=dict(score_thr=0.01, nms=dict(iou_threshold=0.4), max_per_img=300),
        ),
    ),
    reid=dict(
        type='RoIReID',
        head=dict(
            type='RoIEmbeddingHead',
            in_channels=[1024, 2048],
            embed_dims=embed_dims,
            loss_id=dict(type='OIMLoss', scale=30),
        ),
    ),
)
