# CUHK-SYSU, from its original layout; docs/datasets.md tells how to get it.
# The folder is data/cuhk_sysu, or $MMCLSA_DATA/cuhk_sysu where that variable is set.
_base_ = './scenes.py'
data_root = '{{$MMCLSA_DATA:data}}/cuhk_sysu'
num_identities = 5532  # training identities; the data set is checked against it
queue_size = 5000  # unlabelled people that OIM remembers; customary for this data set

train_dataloader = dict(
    dataset=dict(type='CUHKSYSUDataset', data_root=data_root, num_identities=num_identities)
)
# Every TestG*.mat that is there is a protocol: gallery_50 ... gallery_4000.
val_dataloader = dict(dataset=dict(type='CUHKSYSUDataset', data_root=data_root))
test_dataloader = val_dataloader
