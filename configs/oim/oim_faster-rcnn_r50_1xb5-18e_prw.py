_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/prw_float.py',
    '../_base_/models/oim_r50.py',
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
train_cfg = dict(max_epochs=18)
