# Of a re-ID network on crops. All values ours.
max_epochs = 60

train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=max_epochs, val_interval=20)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# tools/train.py --amp fp16|bf16 turns the wrapper into AmpOptimWrapper.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3.5e-4, weight_decay=5e-4),
    clip_grad=dict(max_norm=10.0),
)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]

# tools/train.py --auto-scale-lr: the learning rate above is for so many pictures a step.
auto_scale_lr = dict(enable=False, base_batch_size=64)
