# MMDetection's Faster R-CNN on any backbone: one name, and all that depends on it follows.
_base_ = './faster-rcnn_r50_fpn.py'

from mmclsa.utils.backbones import backbone_weights as published_weights
from mmclsa.utils.backbones import scene_model

# A name of docs/backbones.md: here, or --cfg-options backbone=swin-t, or in a leaf
# model = scene_model('swin-t').
backbone = 'resnet50'
# ImageNet: the file of this name in weights/, or where the environment variable
# MMCLSA_WEIGHTS points; where there is none it is downloaded once.
backbone_weights = published_weights(backbone, '{{$MMCLSA_WEIGHTS:weights}}')

model = scene_model(backbone, backbone_weights)
