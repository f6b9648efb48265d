# MOT->PETS: train on people cut out of mot17_mini and TUD-Campus, search PETS.
_base_ = ['./mot_crops.py', './pets.py']
# PETS is for the final figure alone: settings are chosen with
# clsa/clsa-twostep_yolox-nano_mobilenetv2_1xb64-22e_mot-holdout.py.
val_dataloader = None
val_evaluator = None
