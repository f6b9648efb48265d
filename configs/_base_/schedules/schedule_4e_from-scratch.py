# Four epochs of narrow models on a CPU.
_base_ = './schedule_20e.py'
max_epochs = 4

train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
# From scratch: a higher rate than from ImageNet, and the same shape of schedule.
# The identity loss of the rivals weighs ten times CLSA's, and so do their first gradients: with a
# limit of 10 (schedule_20e) their detectors hardly learn (docs/methods.md).
optim_wrapper = dict(optimizer=dict(lr=0.01), clip_grad=dict(max_norm=100))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
