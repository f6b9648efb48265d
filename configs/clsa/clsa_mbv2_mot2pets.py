# The short name of clsa-twostep_yolox-nano_mobilenetv2_1xb64-22e_mot2pets.py.
_base_ = './clsa-twostep_yolox-nano_mobilenetv2_1xb64-22e_mot2pets.py'
