# YOLOX-nano (COCO) that finds people, for a searcher; what describes them is another base's.

# It lies in weights/, or where the environment variable MMCLSA_WEIGHTS points; docs/clsa.md says
# how to get it.
detector_weights = '{{$MMCLSA_WEIGHTS:weights}}/yolox_nano_coco.pth'

model = dict(
    type='PersonSearcher',
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
)
