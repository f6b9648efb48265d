# YOLOX-nano (COCO) that finds people, frozen, and CLSA with MobileNetV2 on crops of the
# original picture. The leaf fills in num_identities from the data set's base.

# Both lie in weights/, or where the environment variable MMCLSA_WEIGHTS points; docs/clsa.md
# says how to get them.
detector_weights = '{{$MMCLSA_WEIGHTS:weights}}/yolox_nano_coco.pth'
reid_weights = '{{$MMCLSA_WEIGHTS:weights}}/mobilenet_v2_imagenet.pth'

model = dict(
    type='PersonSearcher',
    freeze_detector=True,
    detector=dict(
        type='YOLOX',
        data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
        backbone=dict(
            type='CSPDarknet',
            deepen_factor=0.33,
            widen_factor=0.25,
            out_indices=(2, 3, 4),
            use_depthwise=True,
            spp_kernal_sizes=(5, 9, 13),
            norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
            act_cfg=dict(type='Swish'),
        ),
        neck=dict(
            type='YOLOXPAFPN',
            in_channels=[64, 128, 256],
            out_channels=64,
            num_csp_blocks=1,
            use_depthwise=True,
            upsample_cfg=dict(scale_factor=2, mode='nearest'),
            norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
            act_cfg=dict(type='Swish'),
        ),
        bbox_head=dict(
            type='YOLOXHead',
            num_classes=80,
            in_channels=64,
            feat_channels=64,
            stacked_convs=2,
            strides=(8, 16, 32),
            use_depthwise=True,
            norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
            act_cfg=dict(type='Swish'),
        ),
        train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
        test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65)),
        init_cfg=dict(type='Pretrained', checkpoint=detector_weights),
    ),
    reid=dict(
        type='CropReID',
        crop_size=(256, 128),
        backbone=dict(
            type='mmdet.MobileNetV2',
            out_indices=(2, 4, 7),
            init_cfg=dict(type='Pretrained', checkpoint=reid_weights),
        ),
        neck=dict(type='CLSANeck', in_channels=[32, 96, 1280], out_channels=256),
        head=dict(
            type='MultiScaleReIDHead',
            in_channels=256,
            loss_id=dict(type='LinearIdentityLoss', label_smoothing=0.1),
            # A tenth of the identity loss: more of it loses (docs/alignment.md).
            loss_align=dict(type='SemanticAlignmentLoss', loss_weight=0.1),
        ),
    ),
)
