# The short name of clsa_yolox-narrow_1xb8-9e_synthetic.py.
_base_ = './clsa_yolox-narrow_1xb8-9e_synthetic.py'
