# Faster R-CNN R50-FPN that finds people, on PRW, 900x1500: the detector of
# clsa_faster-rcnn_r50_1xb4-20e_prw.py alone, with its schedule.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/prw.py',
    '../_base_/models/faster-rcnn_r50_scene-reid.py',
    '../_base_/schedules/schedule_20e.py',
]
# Nothing but MMDetection's own class.
model = dict(_delete_=True, **_base_.model.detector)
val_evaluator = dict(type='PersonDetectionMetric')
test_evaluator = val_evaluator
