# The short name of seqnet_faster-rcnn_r50_1xb5-20e_cuhk-sysu.py.
_base_ = './seqnet_faster-rcnn_r50_1xb5-20e_cuhk-sysu.py'
