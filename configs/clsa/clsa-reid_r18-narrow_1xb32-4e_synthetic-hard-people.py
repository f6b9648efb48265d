# The re-ID network of clsa-twostep_faster-rcnn-narrow_r18_1xb32-4e_synthetic-hard.py alone: trained
# on crops, tested with the boxes of the ground truth.
_base_ = './clsa-twostep_faster-rcnn-narrow_r18_1xb32-4e_synthetic-hard.py'

model = dict(detector=None, use_gt_boxes=True, data_preprocessor=dict(type='DetDataPreprocessor'))
val_dataloader = dict(dataset=dict(pipeline={{_base_.crop_test_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.crop_test_pipeline}}))
