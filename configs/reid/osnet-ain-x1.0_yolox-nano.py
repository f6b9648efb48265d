# OSNet-AIN of torchreid, which generalises better to cameras it has not seen.
_base_ = './osnet-x1.0_yolox-nano.py'

from mmclsa.utils.backbones import published_model

network = 'osnet-ain-x1.0'

model = published_model(network, _base_.reid_weights)
