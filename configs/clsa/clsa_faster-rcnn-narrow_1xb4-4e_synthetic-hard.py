# The headline recipe, narrowed: what a change of it does is seen in minutes on a CPU.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/synthetic_hard.py',
    '../_base_/models/faster-rcnn-narrow_scene-reid.py',
    '../_base_/schedules/schedule_20e.py',
]
max_epochs = 4

model = dict(
    reid=dict(
        head=dict(
            num_identities={{_base_.num_identities}},
            loss_id=dict(queue_size={{_base_.queue_size}}),
        )
    )
)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
# From scratch: a higher rate than from ImageNet, and the same shape of schedule.
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=max_epochs), logger=dict(interval=20))
