# The detector of clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py alone, with its schedule.
_base_ = '../clsa/clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'

# Nothing but MMDetection's own class.
model = dict(_delete_=True, **_base_.model.detector)
val_evaluator = dict(type='PersonDetectionMetric')
test_evaluator = val_evaluator
