# The short name of faster-rcnn_r50_1xb4-20e_cuhk-sysu.py.
_base_ = './faster-rcnn_r50_1xb4-20e_cuhk-sysu.py'
