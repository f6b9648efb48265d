# YOLOX-nano, and any backbone for crops of people: one name, and all that depends on it follows.
_base_ = './yolox-nano.py'

from mmclsa.utils.backbones import backbone_weights, crop_model

# A name of docs/backbones.md: here, or --cfg-options backbone=osnet-x1.0, or in a leaf
# model = crop_model('osnet-x1.0').
backbone = 'mobilenetv2'
# In weights/, or where the environment variable MMCLSA_WEIGHTS points; docs/clsa.md says how to
# get it.
reid_weights = backbone_weights(backbone, '{{$MMCLSA_WEIGHTS:weights}}')

model = crop_model(backbone, reid_weights)
del model['reid']['backbone']['_delete_']  # there is none yet to take the place of
