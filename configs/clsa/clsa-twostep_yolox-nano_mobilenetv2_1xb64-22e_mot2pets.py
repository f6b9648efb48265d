# MOT->PETS: CLSA on crops, trained on MOT17 and TUD-Campus, searches PETS behind frozen YOLOX-nano.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/mot2pets.py',
    '../_base_/models/yolox-nano_crop-reid.py',
]

from mmclsa.utils.backbones import frozen_lowest

max_epochs = 22  # of 19 batches

model = dict(
    reid=dict(
        crop_size=(192, 96),
        train_crop_size=(160, 80),
        flip_test=True,
        backbone=frozen_lowest(_base_.backbone),
        head=dict(
            num_identities={{_base_.num_identities}},
            num_stripes=4,
            # Cosines times 16 won by 11 points of mAP on the real test bed (docs/alignment.md).
            loss_id=dict(cosine_scale=16.0),
            loss_contrastive=dict(type='SupervisedContrastiveLoss', temperature=0.1),
        ),
    ),
)

train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=max_epochs)
val_cfg = None
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=7e-4, weight_decay=5e-4),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        eta_min=0,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(logger=dict(interval=19))
