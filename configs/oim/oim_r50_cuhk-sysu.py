# The short name of oim_faster-rcnn_r50_1xb5-20e_cuhk-sysu.py.
_base_ = './oim_faster-rcnn_r50_1xb5-20e_cuhk-sysu.py'
