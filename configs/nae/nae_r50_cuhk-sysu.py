# The short name of nae_faster-rcnn_r50_1xb5-20e_cuhk-sysu.py.
_base_ = './nae_faster-rcnn_r50_1xb5-20e_cuhk-sysu.py'
