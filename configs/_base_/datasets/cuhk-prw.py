# CUHK-SYSU and PRW together: identities of CUHK-SYSU, then of PRW; tested side by side.
_base_ = './cuhk_sysu.py'
prw_root = '{{$MMCLSA_DATA:data}}/prw'
num_identities = 6015  # 5532 + 483; the data sets are checked against it
queue_size = 5000  # unlabelled people that OIM remembers; ours: that of CUHK-SYSU, the larger
names = ['cuhk_sysu', 'prw']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatPersonSearchDataset',
        names=names,
        num_identities=num_identities,
        datasets=[
            dict(
                type='CUHKSYSUDataset',
                data_root={{_base_.data_root}},
                filter_cfg=dict(filter_empty_gt=True),
                pipeline={{_base_.train_pipeline}},
            ),
            dict(
                type='PRWDataset',
                data_root=prw_root,
                filter_cfg=dict(filter_empty_gt=True),
                pipeline={{_base_.train_pipeline}},
            ),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatPersonSearchDataset',
        names=names,
        datasets=[
            dict(
                type='CUHKSYSUDataset',
                data_root={{_base_.data_root}},
                test_mode=True,
                pipeline={{_base_.test_pipeline}},
            ),
            dict(
                type='PRWDataset',
                data_root=prw_root,
                test_mode=True,
                pipeline={{_base_.test_pipeline}},
            ),
        ],
    ),
)
test_dataloader = val_dataloader
