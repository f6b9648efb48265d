# The short name of clsa_faster-rcnn_r50_1xb4-20e_cuhk-sysu.py.
_base_ = './clsa_faster-rcnn_r50_1xb4-20e_cuhk-sysu.py'
