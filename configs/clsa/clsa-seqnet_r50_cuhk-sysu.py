# The short name of clsa-seqnet_faster-rcnn_r50_1xb5-20e_cuhk-sysu.py.
_base_ = './clsa-seqnet_faster-rcnn_r50_1xb5-20e_cuhk-sysu.py'
