# Frozen YOLOX-nano, and CLSA with MobileNetV2 on crops of the original picture. The leaf fills in
# num_identities from the data set's base.
_base_ = ['./yolox-nano.py']

# As those of YOLOX-nano.
reid_weights = '{{$MMCLSA_WEIGHTS:weights}}/mobilenet_v2_imagenet.pth'

model = dict(
    freeze_detector=True,
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
