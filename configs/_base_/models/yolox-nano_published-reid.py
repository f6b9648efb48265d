# YOLOX-nano finds people, and a published re-ID network describes them, as its authors left it.
_base_ = './yolox-nano.py'

from mmclsa.utils.backbones import published_model

# A name of docs/backbones.md: here, or --cfg-options network=bot-r50, or in a leaf
# model = published_model('bot-r50', _base_.reid_weights).
network = 'osnet-x1.0'
# What a tool of tools/model_converters/ made of the published file.
reid_weights = '{{$MMCLSA_REID_WEIGHTS:weights/reid.pth}}'

model = published_model(network, reid_weights)
del model['reid']['_delete_']  # there is none yet to take the place of
