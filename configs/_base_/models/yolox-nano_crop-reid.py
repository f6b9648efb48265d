# Frozen YOLOX-nano, and CLSA on crops of the original picture, by MobileNetV2 where no other
# backbone is named. The leaf fills in num_identities from the data set's base.
_base_ = './yolox-nano_backbone.py'

model = dict(
    freeze_detector=True,
    reid=dict(
        type='CropReID',
        crop_size=(256, 128),
        neck=dict(type='CLSANeck', out_channels=256),
        head=dict(
            type='MultiScaleReIDHead',
            in_channels=256,
            loss_id=dict(type='LinearIdentityLoss', label_smoothing=0.1),
            # A tenth of the identity loss: more of it loses (docs/alignment.md).
            loss_align=dict(type='SemanticAlignmentLoss', loss_weight=0.1),
        ),
    ),
)
