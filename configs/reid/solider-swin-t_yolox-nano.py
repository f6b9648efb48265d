# The Swin-tiny of SOLIDER, on crops of 384 x 128.
_base_ = './osnet-x1.0_yolox-nano.py'

from mmclsa.utils.backbones import published_model

network = 'solider-swin-t'

model = published_model(network, _base_.reid_weights)
