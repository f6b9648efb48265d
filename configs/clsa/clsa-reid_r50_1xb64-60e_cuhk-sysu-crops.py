# The re-ID network of CLSA in two steps alone: trained on the labelled people of CUHK-SYSU, cut
# out, and tested with the boxes of the ground truth.
_base_ = './clsa-twostep_faster-rcnn_r50_1xb64-60e_cuhk-sysu.py'

model = dict(detector=None, use_gt_boxes=True, data_preprocessor=dict(type='DetDataPreprocessor'))
val_dataloader = dict(dataset=dict(pipeline={{_base_.crop_test_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.crop_test_pipeline}}))
