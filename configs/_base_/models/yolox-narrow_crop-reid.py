# CLSA with a ResNet-18 of a quarter of the channels, from scratch, on crops: trains in a minute on
# a CPU. The detector is the narrow YOLOX, not trained: people are searched with their own boxes.
_base_ = './yolox-narrow_scene-reid.py'

model = dict(
    freeze_detector=True,
    use_gt_boxes=True,
    reid=dict(
        _delete_=True,
        type='CropReID',
        crop_size=(96, 48),
        channels_last=True,
        backbone=dict(
            type='mmdet.ResNet',
            depth=18,
            base_channels=16,
            stem_channels=16,
            out_indices=(1, 2, 3),
            norm_cfg=dict(type='BN'),
            norm_eval=False,
        ),
        neck=dict(type='CLSANeck', in_channels=[32, 64, 128], out_channels=64),
        head=dict(
            type='MultiScaleReIDHead',
            in_channels=64,
            embed_dims=64,
            num_stripes=3,  # rows of the top level's map
            loss_id=dict(type='LinearIdentityLoss', label_smoothing=0.1),
            loss_align=dict(type='SemanticAlignmentLoss'),
        ),
    ),
)
