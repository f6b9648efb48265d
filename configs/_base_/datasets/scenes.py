# What the data sets of whole scenes have in common. Each adds its type, its folder and its numbers.
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
    dataset=dict(filter_cfg=dict(filter_empty_gt=True), pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='PersonSearchMetric')
test_evaluator = val_evaluator
