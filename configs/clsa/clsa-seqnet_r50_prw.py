# The short name of clsa-seqnet_faster-rcnn_r50_1xb5-18e_prw.py.
_base_ = './clsa-seqnet_faster-rcnn_r50_1xb5-18e_prw.py'
