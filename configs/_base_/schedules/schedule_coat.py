# COAT's schedule: three pictures a step, a warm-up of an epoch, a tenth of the rate from the 12th
# epoch on, where the leaf says nothing else.
_base_ = './schedule_seqnet.py'
max_epochs = 14

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(type='MultiStepLR', by_epoch=True, milestones=[11], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=3)
