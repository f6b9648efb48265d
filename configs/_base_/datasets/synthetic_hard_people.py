# The people of synthetic_hard.py, cut out for two-step training; the same scenes are tested.
_base_ = ['./synthetic_hard.py', './person_crops.py']
num_persons = 8
twostep_test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='KeepOriginalImage'),
    *_base_.test_pipeline[1:],
]

train_dataloader = dict(
    _delete_=True,
    batch_size=num_persons * _base_.num_instances + _base_.num_unlabelled,
    num_workers=0,
    sampler=dict(
        type='IdentityBalancedSampler',
        num_persons=num_persons,
        num_instances={{_base_.num_instances}},
        num_unlabelled={{_base_.num_unlabelled}},
    ),
    dataset=dict(
        type='PersonCropDataset',
        num_identities={{_base_.num_identities}},
        margin={{_base_.crop_margin}},
        unlabelled=_base_.num_unlabelled > 0,
        dataset={{_base_.train_dataloader.dataset}},
        pipeline={{_base_.crop_train_pipeline}},
    ),
)
val_dataloader = dict(dataset=dict(pipeline=twostep_test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=twostep_test_pipeline))
