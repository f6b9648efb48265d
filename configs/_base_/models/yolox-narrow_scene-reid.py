# A narrow YOLOX that learns from scratch in minutes on a CPU, and CLSA on its backbone.
# The leaf fills in num_identities and queue_size from the data set's base.
model = dict(
    type='PersonSearcher',
    detector=dict(
        type='YOLOX',
        data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
        backbone=dict(
            type='CSPDarknet',
            deepen_factor=0.33,
            widen_factor=0.25,
            # Strides 4, 8, 16: in small pictures people are small too.
            out_indices=(1, 2, 3),
            # The first three stages of CSPDarknet; a fourth would have no use and no gradient.
            arch_ovewrite=[
                [64, 128, 3, True, False],
                [128, 256, 9, True, False],
                [256, 512, 9, True, False],
            ],
            norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
            act_cfg=dict(type='Swish'),
        ),
        neck=dict(
            type='YOLOXPAFPN',
            in_channels=[32, 64, 128],
            out_channels=32,
            num_csp_blocks=1,
            norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
            act_cfg=dict(type='Swish'),
        ),
        bbox_head=dict(
            type='YOLOXHead',
            num_classes=1,
            in_channels=32,
            feat_channels=32,
            stacked_convs=1,
            strides=(4, 8, 16),
            norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
            act_cfg=dict(type='Swish'),
        ),
        train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
        test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5)),
    ),
    train_boxes=dict(copies=1, jitter=0.1),
    reid=dict(
        type='SceneReID',
        strides=(4, 8, 16),
        neck=dict(type='CLSANeck', in_channels=[32, 64, 128], out_channels=48),
        head=dict(
            type='MultiScaleReIDHead',
            in_channels=48,
            embed_dims=64,
            num_stripes=4,
            # 30, as with 256 dimensions, is too sharp for 64 and a network from scratch.
            loss_id=dict(type='OIMLoss', scale=10),
            # A tenth of the identity loss: more of it loses (docs/alignment.md).
            loss_align=dict(type='SemanticAlignmentLoss', temperature=3.0, loss_weight=0.1),
            loss_contrastive=dict(type='SupervisedContrastiveLoss'),
        ),
        roi_size=(8, 4),
    ),
)
