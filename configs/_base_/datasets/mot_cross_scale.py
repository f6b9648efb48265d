# Search across scales on real footage: people of some sequences of mot17_mini and TUD-Campus cut
# out for training, those of the others searched, query and gallery at several heights.
# fold = 0 .. 4 (--cfg-options fold=1): every sequence is searched in one of them. Values ours.
_base_ = './mot_crops.py'
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
# Heights at most, in pixels; None is a person's own. 'mixed': each person at one of these by lot,
# so that right and wrong people of all heights compete.
heights = [128, 64, 32, 24]
pairs = [
    ('mixed', 'mixed'),
    (None, None),
    *((None, h) for h in heights),
    *((h, None) for h in heights),
]

train_dataloader = dict(
    dataset=dict(
        num_identities=num_identities,
        dataset=dict(sequences=[s for k, names in enumerate(folds) if k != fold for s in names]),
    ),
)
val_dataloader = None
val_evaluator = None
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
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
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
test_evaluator = dict(type='PersonSearchMetric')
