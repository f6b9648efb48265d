# The short name of clsa-reid_r50_1xb64-60e_prw-crops.py.
_base_ = './clsa-reid_r50_1xb64-60e_prw-crops.py'
