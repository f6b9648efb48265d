# CLSA in two steps on the scenes of clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py. Tested with
# the file that tools/model_converters/join.py makes of the trained parts, which have configs of
# their own: detectors/faster-rcnn-narrow_1xb4-4e_synthetic-hard.py and
# clsa-reid_r18-narrow_1xb32-4e_synthetic-hard-people.py. Each part sees each scene four times.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/synthetic_hard_people.py',
    '../_base_/models/faster-rcnn-narrow_crop-reid.py',
    '../_base_/schedules/schedule_crops.py',
]
max_epochs = 4

model = dict(reid=dict(head=dict(num_identities={{_base_.num_identities}})))
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
# From scratch: a higher rate than from ImageNet.
optim_wrapper = dict(optimizer=dict(lr=3e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=max_epochs), logger=dict(interval=20))
