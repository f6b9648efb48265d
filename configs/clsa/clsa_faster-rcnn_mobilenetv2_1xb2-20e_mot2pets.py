# The headline recipe end to end on real frames without a GPU: MobileNetV2 in place of ResNet-50,
# MOT17 and TUD-Campus at a quarter of their size, searched in PETS. For what a step does, not for
# figures: 145 people in few scenes teach a detector little.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/mot2pets.py',
    '../_base_/models/faster-rcnn_r50_scene-reid.py',
    '../_base_/schedules/schedule_20e.py',
]

from mmclsa.utils.backbones import scene_model

image_scale = (480, 270)
backbone = 'mobilenetv2'
backbone_weights = '{{$MMCLSA_WEIGHTS:weights}}/mobilenet_v2_imagenet.pth'

model = scene_model(backbone, backbone_weights, norm_eval=True)
model['reid']['head'] = dict(num_identities={{_base_.num_identities}})
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
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]
train_dataloader = dict(
    _delete_=True,
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='MOTChallengeDataset',
        data_root={{_base_.data_root}},
        sequences={{_base_.sequences}},
        num_identities={{_base_.num_identities}},
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_cfg = None
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
