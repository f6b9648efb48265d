# The short name of coat_faster-rcnn_r50_1xb3-13e_prw.py.
_base_ = './coat_faster-rcnn_r50_1xb3-13e_prw.py'
