# The hard people of synthetic_hard.py in pictures of more pixels, 24 to 400 of height, cut out for
# two-step training and searched with their own boxes, each at his own height. All values ours.
num_identities = 120  # training identities, in groups of look-alikes
queue_size = 0  # nobody without identity is cut out
image_size = (600, 440)  # width and height that scenes are drawn in
num_persons = 8
num_instances = 4
hard = dict(
    type='SyntheticPersonSearch',
    img_size=image_size,
    people_per_scene=(3, 7),
    person_height=(0.055, 0.91),  # of the picture: 24 to 400 pixels
    unlabelled=0.0,
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
    dict(type='RandomDownscale', min_height=24, prob=0.5),
    dict(type='RandomBoxJitter'),
    dict(type='KeepOriginalImage'),
    # The detector is frozen and does not look at crops: its input is only kept small.
    dict(type='mmdet.Resize', scale=(64, 128), keep_ratio=False),
    dict(type='PackPersonSearchInputs'),
]
test_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='KeepOriginalImage'),
    dict(type='mmdet.Resize', scale=(64, 128), keep_ratio=False),
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
train_dataloader = dict(
    batch_size=num_persons * num_instances,
    num_workers=0,
    sampler=dict(
        type='IdentityBalancedSampler',
        num_persons=num_persons,
        num_instances=num_instances,
        num_batches=50,
    ),
    dataset=dict(
        type='PersonCropDataset',
        num_identities=num_identities,
        margin=0.15,
        dataset=dict(**hard, num_scenes=250, num_identities=num_identities, seed=0),
        pipeline=train_pipeline,
    ),
)
val_dataloader = None
val_evaluator = None
# Other people and other scenes.
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CrossScaleDataset',
        dataset=dict(
            **hard,
            num_scenes=120,
            num_identities=48,
            first_identity=20000,
            seed=2,
            test_mode=True,
        ),
        pairs=[(None, None)],
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = dict(type='PersonSearchMetric')
