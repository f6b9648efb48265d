# The headline model (faster-rcnn_r50_scene-reid.py), narrow and from scratch: it learns in
# minutes on a CPU. Strides 4, 8 and 16 in place of 8, 16 and 32, as pictures are small.
# The leaf fills in num_identities and queue_size from the data set's base.
num_levels = 3
embed_dims = 64  # of each level; ours
temperature = 3.0  # of the alignment; ours
# docs/recipe.md tells how surely these three win.
reid_weight = 0.1  # w_id
align_weight = 0.01  # w_align
num_stripes = 4  # of a person that are pooled apart

model = dict(
    type='PersonSearcher',
    detector=dict(
        type='FasterRCNN',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type='ResNet',
            depth=18,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(0, 1, 2),
            base_channels=16,
            stem_channels=16,
            norm_cfg=dict(type='BN', requires_grad=True),
            norm_eval=False,
            style='pytorch',
        ),
        neck=dict(type='FPN', in_channels=[16, 32, 64], out_channels=32, num_outs=4),
        rpn_head=dict(
            type='RPNHead',
            in_channels=32,
            feat_channels=32,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[5],
                # Drawn people are about 2.5:1.
                ratios=[2.0, 3.0],
                strides=[4, 8, 16, 32],
            ),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder',
                target_means=[0.0, 0.0, 0.0, 0.0],
                target_stds=[1.0, 1.0, 1.0, 1.0],
            ),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            loss_bbox=dict(type='L1Loss', loss_weight=1.0),
        ),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
                out_channels=32,
                featmap_strides=[4, 8, 16],
                finest_scale=28,
            ),
            bbox_head=dict(
                type='Shared2FCBBoxHead',
                in_channels=32,
                fc_out_channels=128,
                roi_feat_size=7,
                num_classes=1,
                bbox_coder=dict(
                    type='DeltaXYWHBBoxCoder',
                    target_means=[0.0, 0.0, 0.0, 0.0],
                    target_stds=[0.1, 0.1, 0.2, 0.2],
                ),
                reg_class_agnostic=False,
                loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type='L1Loss', loss_weight=1.0),
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.7,
                    neg_iou_thr=0.3,
                    min_pos_iou=0.3,
                    match_low_quality=True,
                    ignore_iof_thr=-1,
                ),
                sampler=dict(
                    type='RandomSampler',
                    num=128,
                    pos_fraction=0.5,
                    neg_pos_ub=-1,
                    add_gt_as_proposals=False,
                ),
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
            rpn_proposal=dict(
                nms_pre=200,
                max_per_img=100,
                nms=dict(type='nms', iou_threshold=0.7),
                min_bbox_size=0,
            ),
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.5,
                    min_pos_iou=0.5,
                    match_low_quality=False,
                    ignore_iof_thr=-1,
                ),
                sampler=dict(
                    type='RandomSampler',
                    num=32,
                    pos_fraction=0.5,
                    neg_pos_ub=-1,
                    add_gt_as_proposals=True,
                ),
                pos_weight=-1,
                debug=False,
            ),
        ),
        test_cfg=dict(
            rpn=dict(
                nms_pre=200,
                max_per_img=100,
                nms=dict(type='nms', iou_threshold=0.7),
                min_bbox_size=0,
            ),
            # 0.01: detection recall and AP count from there; the search threshold is the metric's.
            rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.4), max_per_img=30),
        ),
    ),
    train_boxes=dict(proposals=True, min_iou=0.6, max_per_person=4),
    reid=dict(
        type='SceneReID',
        strides=(4, 8, 16),
        neck=dict(type='CLSANeck', in_channels=[16, 32, 64], out_channels=32),
        head=dict(
            type='MultiScaleReIDHead',
            in_channels=32,
            num_levels=num_levels,
            embed_dims=embed_dims,
            num_stripes=num_stripes,
            # 30, as with 256 dimensions, is too sharp for 64 and a network from scratch.
            loss_id=dict(type='OIMLoss', scale=10, loss_weight=reid_weight),
            loss_align=dict(
                type='SemanticAlignmentLoss', temperature=temperature, loss_weight=align_weight
            ),
        ),
        roi_size=(8, 4),
    ),
)
