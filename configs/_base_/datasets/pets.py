# PETS 2009 S2.L1 (80 frames, 10 people) as COCO + person_id + protocol JSON: testing only.
# The folder is data/pets_mini, or $MMCLSA_DATA/pets_mini where that variable is set.
pets_root = '{{$MMCLSA_DATA:data}}/pets_mini'

# What YOLOX-nano was trained on: 416x416, padded with grey, BGR 0..255.
test_pipeline = [
    dict(type='LoadSceneImage'),
    dict(type='KeepOriginalImage'),
    dict(type='mmdet.Resize', scale=(416, 416), keep_ratio=True),
    dict(type='mmdet.Pad', size=(416, 416), pad_val=dict(img=(114.0, 114.0, 114.0))),
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
test_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoPersonSearchDataset',
        data_root=pets_root,
        ann_file='annotations.json',
        protocol_files=['protocol.json'],
        data_prefix=dict(img_path='img'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = dict(type='PersonSearchMetric')
