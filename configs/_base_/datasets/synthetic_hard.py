# Synthetic scenes made hard: people from 24 pixels to most of the picture's height, in crowds,
# with doubles who differ in details, half hidden, in hard light, out of focus. All values ours.
num_identities = 120  # training identities, in groups of look-alikes
queue_size = 200  # passers-by that OIM remembers
image_size = (224, 160)  # width and height that scenes are drawn in
hard = dict(
    type='SyntheticPersonSearch',
    img_size=image_size,
    people_per_scene=(3, 7),
    person_height=(0.15, 0.95),  # of the picture: 24 to 152 pixels
    unlabelled=0.15,
    occlusion=0.35,
    overlap=0.4,
    lookalikes=4,
    light=0.6,
    blur=0.3,
)

train_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='LoadPersonAnnotations'),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='PackPersonSearchInputs'),
]
test_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='mmdet.Resize', scale=image_size, keep_ratio=True),
    # After Resize: ground truth and queries stay in original pixels.
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **hard,
        num_scenes=400,
        num_identities=num_identities,
        seed=0,
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
# Other people and other scenes than those of the test.
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **hard,
        num_scenes=100,
        num_identities=40,
        first_identity=10000,
        seed=1,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **hard,
        num_scenes=150,
        num_identities=48,
        first_identity=20000,
        seed=2,
        queries_per_identity=4,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='PersonSearchMetric')
test_evaluator = val_evaluator
