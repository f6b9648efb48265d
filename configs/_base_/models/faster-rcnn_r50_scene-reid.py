# Faster R-CNN (FPN) that finds people, and CLSA on the same backbone, ResNet-50 where no other is
# named. Of the detector only what differs from MMDetection's own base is here.
# The leaf fills in num_identities and queue_size from the data set's base.
_base_ = './faster-rcnn_backbone.py'

num_levels = 3
embed_dims = 256  # of each level; ours
temperature = 3.0  # of the alignment; ours
# docs/recipe.md tells what these three were measured on, and how surely they win.
reid_weight = 0.1  # w_id
align_weight = 0.01  # w_align, of T^2 times the divergence; more of it lost
num_stripes = 4  # of a person that are pooled apart
# What lies by half or more on somebody whom the data set ignores is no background.
ignore_iof_thr = 0.5

model = dict(
    detector=dict(
        # People are upright: about 1:1 (a bust) to 3:1.
        rpn_head=dict(anchor_generator=dict(ratios=[1.0, 2.0, 3.0])),
        roi_head=dict(bbox_head=dict(num_classes=1)),
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
            rcnn=dict(score_thr=0.01, nms=dict(iou_threshold=0.4)),
        ),
    ),
    train_boxes=dict(proposals=True, min_iou=0.6, max_per_person=4),
    reid=dict(
        type='SceneReID',
        neck=dict(type='CLSANeck', out_channels=256),
        head=dict(
            type='MultiScaleReIDHead',
            in_channels=256,
            num_levels=num_levels,
            embed_dims=embed_dims,
            num_stripes=num_stripes,
            loss_id=dict(type='OIMLoss', loss_weight=reid_weight),
            loss_align=dict(
                type='SemanticAlignmentLoss', temperature=temperature, loss_weight=align_weight
            ),
        ),
        # A multiple of the stripes, so that averages need no RoIAlign (docs/training.md).
        roi_size=(16, 8),
    ),
)
