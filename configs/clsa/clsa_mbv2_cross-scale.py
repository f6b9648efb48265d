# Search across scales on real footage: trained on people of some sequences, searched in the others.
# fold = 0, 1, 2, 3 (--cfg-options fold=1): every sequence is searched in one of them.
_base_ = './clsa_mbv2_mot2pets.py'
fold = 0
folds = [
    ['mot17_mini/MOT17-04-FRCNN'],
    ['mot17_mini/MOT17-02-FRCNN', 'mot17_mini/MOT17-05-FRCNN'],
    ['mot17_mini/MOT17-10-FRCNN', 'mot17_mini/MOT17-11-FRCNN'],
    ['mot17_mini/MOT17-09-FRCNN', 'mot17_mini/MOT17-13-FRCNN', 'tud_campus'],
]
people = [42, 31, 36, 36]  # of each fold
num_identities = sum(people) - people[fold]  # the data set is checked against it
# Heights of query and gallery at most, in pixels; None is a person's own.
heights = [128, 64, 32, 24]
pairs = [(None, None), *((None, h) for h in heights), *((h, None) for h in heights)]

model = dict(use_gt_boxes=True, reid=dict(head=dict(num_identities=num_identities)))
train_dataloader = dict(
    dataset=dict(
        num_identities=num_identities,
        dataset=dict(sequences=[s for k, names in enumerate(folds) if k != fold for s in names]),
    )
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
    dataset=dict(
        _delete_=True,
        type='CrossScaleDataset',
        dataset=dict(
            type='MOTChallengeDataset',
            data_root='{{$MMCLSA_DATA:data}}',
            sequences=folds[fold],
        ),
        pairs=pairs,
        # Every third appearance asks; TUD's frames fewer than 3 away are not searched.
        min_gap=3,
        query_every=3,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
