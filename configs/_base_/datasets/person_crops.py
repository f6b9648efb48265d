# What the data sets of people cut out have in common, for CropReID. All values ours.
num_persons = 16  # P different people in a batch
num_instances = 4  # K pictures of each
num_unlabelled = 0  # people without identity in a batch, for OIM's queue or align_unlabeled
crop_margin = 0.15  # of a box, on each side; the box moves within

crop_train_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='LoadPersonAnnotations'),
    dict(type='mmdet.RandomFlip', prob=0.5),
    # Shrunk and enlarged again, so that small people are seen.
    dict(type='RandomDownscale', min_height=24, prob=0.5),
    dict(type='RandomErasing', prob=0.5),
    # Pad and crop: what enters is the scene itself, not black.
    dict(type='RandomBoxJitter', shift=0.08, zoom=0.1),
    dict(type='KeepOriginalImage'),
    # The detector is frozen and does not look at crops: its input is only kept small.
    dict(type='mmdet.Resize', scale=(64, 128), keep_ratio=False),
    dict(type='PackPersonSearchInputs'),
]
# Of the re-ID network alone: people are cut out of the scene itself.
crop_test_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='KeepOriginalImage'),
    dict(type='mmdet.Resize', scale=(64, 128), keep_ratio=False),
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
