# The short name of seqnet_faster-rcnn_r50_1xb5-18e_prw.py.
_base_ = './seqnet_faster-rcnn_r50_1xb5-18e_prw.py'
