# YOLOX-nano (COCO) finds people, a re-ID network in an ONNX file describes them; tested on PETS.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/pets.py',
    '../_base_/models/yolox-nano.py',
]

model = dict(
    reid=dict(
        type='OnnxReID',
        # Or --cfg-options model.reid.file=FILE.
        file='{{$MMCLSA_REID_ONNX:weights/reid.onnx}}',
        # Of most published networks: height x width, RGB, mean and std of ImageNet in 0..255.
        crop_size=(256, 128),
        bgr_to_rgb=True,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        flip_test=False,
    ),
)

# Nothing is trained.
train_cfg = None
train_dataloader = None
optim_wrapper = None
val_cfg = None
val_dataloader = None
val_evaluator = None
test_cfg = dict(type='TestLoop')
