# The real test bed of docs/alignment.md: small crops and 150 batches, a minute of one core.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/mot_cross_scale.py',
    '../_base_/models/yolox-nano_crop-reid.py',
]

from mmclsa.utils.backbones import frozen_lowest

max_epochs = 6  # of num_batches
num_batches = 25
num_persons = 8
num_instances = 4

model = dict(
    use_gt_boxes=True,
    reid=dict(
        crop_size=(96, 48),
        channels_last=True,
        backbone=frozen_lowest(_base_.backbone),
        head=dict(
            num_identities={{_base_.num_identities}},
            num_stripes=3,  # rows of the top level's map
            # A plain linear layer hardly learns in so few batches (mAP 72 against 85 on fold 0).
            loss_id=dict(cosine_scale=16.0),
            # The paper's form at its full weight: what the grid varies.
            loss_align=dict(_delete_=True, type='SemanticAlignmentLoss'),
        ),
    ),
)
train_dataloader = dict(
    batch_size=num_persons * num_instances,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(num_persons=num_persons, num_instances=num_instances, num_batches=num_batches),
)
train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=max_epochs)
val_cfg = None
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'reid.backbone': dict(lr_mult=0.1)}),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=num_batches), checkpoint=dict(interval=max_epochs))
