# The whole chain in minutes on a CPU: a narrow YOLOX and CLSA on synthetic scenes, from scratch.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/models/yolox-narrow_scene-reid.py',
]
max_epochs = 9

model = dict(
    reid=dict(
        head=dict(
            num_identities={{_base_.num_identities}},
            loss_id=dict(queue_size={{_base_.queue_size}}),
        )
    )
)

train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=max_epochs, val_interval=9)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        eta_min=2e-5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(logger=dict(interval=20))
