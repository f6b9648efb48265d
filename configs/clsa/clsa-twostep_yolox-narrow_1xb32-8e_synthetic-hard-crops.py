# The drawn test bed of docs/alignment.md: hard people of 24 to 400 pixels, cut out, from scratch.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/synthetic_hard_crops.py',
    '../_base_/models/yolox-narrow_crop-reid.py',
]
max_epochs = 8  # of 50 batches

model = dict(reid=dict(head=dict(num_identities={{_base_.num_identities}})))
train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=max_epochs)
val_cfg = None
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=max_epochs))
