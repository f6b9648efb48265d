# The short name of nae_faster-rcnn_r50_1xb5-18e_prw.py.
_base_ = './nae_faster-rcnn_r50_1xb5-18e_prw.py'
