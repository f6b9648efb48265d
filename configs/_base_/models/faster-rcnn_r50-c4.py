# MMDetection's Faster R-CNN (ResNet-50, C4) as the detector of a person searcher.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50-caffe-c4.py'

model = dict(_delete_=True, type='PersonSearcher', detector={{_base_.model}})
