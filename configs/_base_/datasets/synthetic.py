# Synthetic scenes, drawn in memory: no download. Test people are none of the training people.
num_identities = 400  # training identities; each is in about six scenes
queue_size = 200  # passers-by that OIM remembers; ours
person_height = (0.2, 0.92)  # of the picture: 38 to 177 pixels; ours
image_size = (256, 192)  # width and height that scenes are drawn in; ours

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
    batch_size=8,
    num_workers=1,
    persistent_workers=False,
    # The contrastive loss needs people who are in two scenes of a batch: four of them.
    sampler=dict(type='IdentityBalancedSampler', num_persons=4, num_instances=2, num_batches=100),
    dataset=dict(
        type='SyntheticPersonSearch',
        num_scenes=800,
        num_identities=num_identities,
        img_size=image_size,
        person_height=person_height,
        seed=0,
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SyntheticPersonSearch',
        num_scenes=100,
        num_identities=30,
        first_identity=1000,
        img_size=image_size,
        person_height=person_height,
        seed=1,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
# Other people and other scenes than those of validation.
test_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SyntheticPersonSearch',
        num_scenes=120,
        num_identities=30,
        first_identity=2000,
        img_size=image_size,
        person_height=person_height,
        seed=2,
        gallery_sizes=(None, 50),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='PersonSearchMetric')
test_evaluator = val_evaluator
