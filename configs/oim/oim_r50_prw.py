# The short name of oim_faster-rcnn_r50_1xb5-18e_prw.py.
_base_ = './oim_faster-rcnn_r50_1xb5-18e_prw.py'
