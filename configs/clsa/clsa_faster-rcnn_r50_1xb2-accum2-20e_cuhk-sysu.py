# CLSA on CUHK-SYSU on one card of 11 GB: two batches of two pictures make a step of four.
# docs/training.md has the estimate, and what else saves memory.
_base_ = ['clsa_faster-rcnn_r50_1xb4-20e_cuhk-sysu.py']

train_dataloader = dict(batch_size=2)
optim_wrapper = dict(accumulative_counts=2)
