# CLSA in two steps on CUHK-SYSU, as in the paper. Tested with the file that
# tools/model_converters/join.py makes of the trained parts, which have configs of their own:
# detectors/faster-rcnn_r50_1xb4-20e_cuhk-sysu.py and clsa-reid_r50_1xb64-60e_cuhk-sysu-crops.py.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/cuhk_sysu_crops.py',
    '../_base_/models/faster-rcnn_r50_crop-reid.py',
    '../_base_/schedules/schedule_crops.py',
]
model = dict(reid=dict(head=dict(num_identities={{_base_.num_identities}})))
