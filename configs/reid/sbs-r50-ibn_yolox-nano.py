# ResNet-50 of fast-reid with IBN-a, non-local blocks and GeM (SBS), on crops of 384 x 128.
_base_ = './osnet-x1.0_yolox-nano.py'

from mmclsa.utils.backbones import published_model

network = 'sbs-r50-ibn'

model = published_model(network, _base_.reid_weights)
