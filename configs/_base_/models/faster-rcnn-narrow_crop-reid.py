# CLSA in two steps, narrowed: the detector of faster-rcnn-narrow_scene-reid.py, frozen, and the
# ResNet-18 on crops of yolox-narrow_crop-reid.py. Both learn from scratch in minutes on a CPU.
# The leaf fills in num_identities from the data set's base.
_base_ = './faster-rcnn-narrow_scene-reid.py'

model = dict(
    freeze_detector=True,
    reid=dict(
        _delete_=True,
        type='CropReID',
        # People of drawn scenes are 24 to 152 pixels tall.
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
            embed_dims={{_base_.embed_dims}},
            num_stripes=3,  # rows of the top level's map
            loss_id=dict(type='LinearIdentityLoss', label_smoothing=0.1),
            # A tenth of the identity loss: more of it loses (docs/alignment.md).
            loss_align=dict(type='SemanticAlignmentLoss', loss_weight=0.1),
        ),
    ),
)
