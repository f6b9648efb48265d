# The smallest OSNet of torchreid: 0.2 million parameters.
_base_ = './osnet-x1.0_yolox-nano.py'

from mmclsa.utils.backbones import published_model

network = 'osnet-x0.25'

model = published_model(network, _base_.reid_weights)
