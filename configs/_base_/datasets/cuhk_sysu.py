# CUHK-SYSU, from its original layout; docs/datasets.md tells how to get it.
# The folder is data/cuhk_sysu, or $MMCLSA_DATA/cuhk_sysu where that variable is set.
data_root = '{{$MMCLSA_DATA:data}}/cuhk_sysu'
num_identities = 5532  # training identities; the data set is checked against it
queue_size = 5000  # unlabelled people that OIM remembers; customary for this data set
image_scale = (1500, 900)  # longer and shorter side at most, as is customary

train_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='LoadPersonAnnotations'),
    dict(type='mmdet.Resize', scale=image_scale, keep_ratio=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='PackPersonSearchInputs'),
]
test_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='mmdet.Resize', scale=image_scale, keep_ratio=True),
    # After Resize: ground truth and queries stay in original pixels.
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
train_dataloader = dict(
    batch_size=4,  # a GPU
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    # Portrait and landscape pictures apart: together they pad each other to a square.
    batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'),
    dataset=dict(
        type='CUHKSYSUDataset',
        data_root=data_root,
        num_identities=num_identities,
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CUHKSYSUDataset', data_root=data_root, test_mode=True, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
# Every TestG*.mat that is there is a protocol: gallery_50 ... gallery_4000.
val_evaluator = dict(type='PersonSearchMetric')
test_evaluator = val_evaluator
