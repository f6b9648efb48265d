# People of CUHK-SYSU cut out for two-step training; whole scenes are searched.
_base_ = ['./cuhk_sysu.py', './person_crops.py']
twostep_test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='KeepOriginalImage'),
    *_base_.test_pipeline[1:],
]

train_dataloader = dict(
    _delete_=True,
    batch_size=_base_.num_persons * _base_.num_instances + _base_.num_unlabelled,  # a GPU
    num_workers=4,
    persistent_workers=True,
    sampler=dict(
        type='IdentityBalancedSampler',
        num_persons={{_base_.num_persons}},
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
test_dataloader = val_dataloader
