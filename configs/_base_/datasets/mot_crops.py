# People of mot17_mini (frames in folders) and TUD-Campus (a video), cut out: training only.
# The folders lie in data/, or in $MMCLSA_DATA where that variable is set.
data_root = '{{$MMCLSA_DATA:data}}'
sequences = ['mot17_mini/*', 'tud_campus']
num_identities = 145  # 137 of mot17_mini and 8 of TUD-Campus; the data set is checked against it
queue_size = 0  # every box of these sequences has an identity
num_persons = 16  # P different people in a batch; ours
num_instances = 4  # K pictures of each; ours

# Consecutive frames show a person before one background: without RandomBackground and batches
# of one camera the background is what is learnt (docs/mot2pets.md).
train_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='LoadPersonAnnotations'),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='RandomBackground', prob=0.7),
    dict(type='RandomDownscale', min_height=24, prob=0.5),
    dict(type='RandomErasing', prob=0.5),
    dict(type='RandomBoxJitter'),
    dict(type='KeepOriginalImage'),
    # The detector is frozen and does not look at crops: its input is only kept small.
    dict(type='mmdet.Resize', scale=(64, 128), keep_ratio=False),
    dict(type='PackPersonSearchInputs'),
]
train_dataloader = dict(
    batch_size=num_persons * num_instances,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(
        type='IdentityBalancedSampler',
        num_persons=num_persons,
        num_instances=num_instances,
        same_camera=True,
    ),
    dataset=dict(
        type='PersonCropDataset',
        num_identities=num_identities,
        margin=0.15,
        dataset=dict(type='MOTChallengeDataset', data_root=data_root, sequences=sequences),
        pipeline=train_pipeline,
    ),
)
