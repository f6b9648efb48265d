_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/cuhk_sysu_float.py',
    '../_base_/models/nae_r50.py',
    '../_base_/schedules/schedule_seqnet.py',
]
model = dict(
    reid=dict(
        head=dict(
            num_identities={{_base_.num_identities}},
            loss_id=dict(queue_size={{_base_.queue_size}}),
        )
    )
)
train_dataloader = dict(batch_size=5)
# The length of an embedding says how sure it is: similarities weigh by the score (CWS).
val_evaluator = dict(similarity='score_weighted')
test_evaluator = val_evaluator
