# The short name of coat_faster-rcnn_r50_1xb3-14e_cuhk-sysu.py.
_base_ = './coat_faster-rcnn_r50_1xb3-14e_cuhk-sysu.py'
