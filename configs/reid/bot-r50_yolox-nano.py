# ResNet-50 of fast-reid by a bag of tricks (BoT).
_base_ = './osnet-x1.0_yolox-nano.py'

from mmclsa.utils.backbones import published_model

network = 'bot-r50'

model = published_model(network, _base_.reid_weights)
