# Search across scales on real footage: trained on people of some sequences, searched in the others.
# fold = 0 .. 4 (--cfg-options fold=1): every sequence is searched in one of them. Small crops and
# 150 batches: a run takes a minute or two of one core. See docs/alignment.md.
_base_ = './clsa_mbv2_mot2pets.py'
fold = 0
folds = [
    ['mot17_mini/MOT17-04-FRCNN'],
    ['mot17_mini/MOT17-02-FRCNN', 'mot17_mini/MOT17-05-FRCNN'],
    ['mot17_mini/MOT17-09-FRCNN', 'mot17_mini/MOT17-10-FRCNN'],
    ['mot17_mini/MOT17-11-FRCNN'],
    ['mot17_mini/MOT17-13-FRCNN', 'tud_campus'],
]
people = [42, 31, 25, 17, 30]  # of each fold
num_identities = sum(people) - people[fold]  # the data set is checked against it
# Heights of query and gallery at most, in pixels; None is a person's own. 'mixed': each person at
# one of these by lot, so that right and wrong people of all heights compete.
heights = [128, 64, 32, 24]
pairs = [
    ('mixed', 'mixed'),
    (None, None),
    *((None, h) for h in heights),
    *((h, None) for h in heights),
]
max_epochs = 6  # of num_batches
num_batches = 25
num_persons = 8
num_instances = 4

model = dict(
    use_gt_boxes=True,
    reid=dict(
        crop_size=(96, 48),
        train_crop_size=None,
        flip_test=False,
        channels_last=True,
        head=dict(
            num_identities=num_identities,
            num_stripes=3,  # rows of the top level's map
            # A plain linear layer hardly learns in so few batches (mAP 72 against 85 on fold 0).
            loss_id=dict(cosine_scale=16.0),
        ),
    ),
)
train_dataloader = dict(
    batch_size=num_persons * num_instances,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(num_persons=num_persons, num_instances=num_instances, num_batches=num_batches),
    dataset=dict(
        num_identities=num_identities,
        dataset=dict(sequences=[s for k, names in enumerate(folds) if k != fold for s in names]),
    ),
)
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    optimizer=dict(lr=2e-3),
    paramwise_cfg=dict(custom_keys={'reid.backbone': dict(lr_mult=0.1)}),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(
    logger=dict(interval=num_batches),
    checkpoint=dict(interval=max_epochs),
)
test_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='KeepOriginalImage'),
    # The detector does not look: a scene is one person, with the box of the ground truth.
    dict(type='mmdet.Resize', scale=(64, 128), keep_ratio=False),
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='CrossScaleDataset',
        dataset=dict(
            type='MOTChallengeDataset',
            data_root='{{$MMCLSA_DATA:data}}',
            sequences=folds[fold],
        ),
        pairs=pairs,
        mixed_heights=[None, *heights],
        # TUD's frames fewer than 3 away are not searched.
        min_gap=3,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
