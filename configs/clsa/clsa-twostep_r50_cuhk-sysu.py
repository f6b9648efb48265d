# The short name of clsa-twostep_faster-rcnn_r50_1xb64-60e_cuhk-sysu.py.
_base_ = './clsa-twostep_faster-rcnn_r50_1xb64-60e_cuhk-sysu.py'
