# SeqNet's schedule, which NAE's resembles: five pictures a step, a warm-up of an epoch, a tenth of
# the rate from the 17th epoch on. The leaf sets max_epochs where it is not 20.
_base_ = './schedule_20e.py'

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.001,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(type='MultiStepLR', by_epoch=True, milestones=[16], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=5)
