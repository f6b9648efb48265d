# CLSA in two steps, as in the paper: the Faster R-CNN of faster-rcnn_r50_scene-reid.py, frozen, and
# a ResNet-50 of its own on crops. The leaf fills in num_identities from the data set's base.
_base_ = './faster-rcnn_r50_scene-reid.py'

crop_size = (256, 128)  # ours
crop_reid_weight = 1.0  # w_id
# A tenth of the identity loss: more of it lost on what was measured here (docs/alignment.md).
crop_align_weight = 0.1  # w_align
label_smoothing = 0.1  # ours

model = dict(
    freeze_detector=True,
    reid=dict(
        _delete_=True,
        type='CropReID',
        crop_size=crop_size,
        backbone=dict(
            type='mmdet.ResNet',
            depth=50,
            out_indices=(1, 2, 3),  # C3, C4, C5
            norm_cfg=dict(type='BN'),
            norm_eval=False,
            style='pytorch',
            init_cfg=dict(type='Pretrained', checkpoint={{_base_.backbone_weights}}),
        ),
        neck=dict(type='CLSANeck', in_channels=[512, 1024, 2048], out_channels=256),
        head=dict(
            type='MultiScaleReIDHead',
            in_channels=256,
            num_levels={{_base_.num_levels}},
            embed_dims={{_base_.embed_dims}},
            num_stripes={{_base_.num_stripes}},
            # With unlabelled people: loss_id.type=OIMLoss and loss_id.queue_size.
            loss_id=dict(
                type='LinearIdentityLoss',
                label_smoothing=label_smoothing,
                loss_weight=crop_reid_weight,
            ),
            # From the top level to those below.
            loss_align=dict(
                type='SemanticAlignmentLoss',
                temperature={{_base_.temperature}},
                loss_weight=crop_align_weight,
            ),
        ),
    ),
)
