# Choosing settings for MOT->PETS: a fifth of the people is held out of training and searched.
_base_ = ['./mot_crops.py', './pets.py']
num_identities = 116  # of 145
holdout = 0.2
holdout_seed = 0
train_dataloader = dict(
    dataset=dict(
        num_identities=num_identities,
        dataset=dict(
            identity_split=dict(holdout=holdout, part='train', seed=holdout_seed),
        ),
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='MOTChallengeDataset',
        data_root={{_base_.data_root}},
        sequences={{_base_.sequences}},
        identity_split=dict(holdout=holdout, part='val', seed=holdout_seed),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    ),
)
val_evaluator = dict(type='PersonSearchMetric')
# Instead of PETS, which is not looked at before all is chosen.
test_dataloader = dict(_delete_=True, **val_dataloader)
test_evaluator = val_evaluator
