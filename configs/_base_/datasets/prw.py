# PRW, from its original layout; docs/datasets.md tells how to get it.
# The folder is data/prw, or $MMCLSA_DATA/prw where that variable is set.
_base_ = './scenes.py'
data_root = '{{$MMCLSA_DATA:data}}/prw'
num_identities = 483  # training identities; the data set is checked against it
queue_size = 500  # unlabelled people that OIM remembers; customary for this data set

train_dataloader = dict(
    dataset=dict(type='PRWDataset', data_root=data_root, num_identities=num_identities)
)
# Two protocols in one pass: regular and multi_view.
val_dataloader = dict(dataset=dict(type='PRWDataset', data_root=data_root))
test_dataloader = val_dataloader
