_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/prw_float.py',
    '../_base_/models/coat_r50.py',
    '../_base_/schedules/schedule_coat.py',
]
model = dict(
    reid=dict(
        head=dict(
            num_identities={{_base_.num_identities}},
            loss_id=dict(queue_size={{_base_.queue_size}}),
            loss_class=dict(type='BNNeckIdentityLoss', loss_weight=0.5),
        )
    )
)
train_dataloader = dict(batch_size=3)
train_cfg = dict(max_epochs=13)
# A tenth of the rate from the 11th epoch on.
param_scheduler = [
    _base_.param_scheduler[0],
    dict(type='MultiStepLR', by_epoch=True, milestones=[10], gamma=0.1),
]
# The surer a detection is, the more its similarities weigh (CWS).
val_evaluator = dict(similarity='score_weighted')
test_evaluator = val_evaluator
