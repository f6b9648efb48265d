_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/synthetic_hard.py',
    '../_base_/models/coat-narrow.py',
    '../_base_/schedules/schedule_4e_from-scratch.py',
]
model = dict(
    reid=dict(
        head=dict(
            num_identities={{_base_.num_identities}},
            loss_id=dict(queue_size={{_base_.queue_size}}),
        )
    )
)
default_hooks = dict(checkpoint=dict(interval={{_base_.max_epochs}}), logger=dict(interval=20))
# The surer a detection is, the more its similarities weigh (CWS).
val_evaluator = dict(similarity='score_weighted')
test_evaluator = val_evaluator
