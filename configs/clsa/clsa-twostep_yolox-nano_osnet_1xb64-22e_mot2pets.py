# MOT->PETS from a published re-ID network: OSNet-AIN of torchreid, fine-tuned with CLSA.
_base_ = './clsa-twostep_yolox-nano_mobilenetv2_1xb64-22e_mot2pets.py'

from mmclsa.utils.backbones import crop_model, frozen_lowest

backbone = 'osnet-ain-x1.0'
# tools/model_converters/torchreid.py makes it.
reid_weights = '{{$MMCLSA_REID_WEIGHTS:weights/reid.pth}}'

model = crop_model(backbone, reid_weights, **frozen_lowest(backbone))
# What people look like is in there already.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'reid.backbone': dict(lr_mult=0.1)}))
