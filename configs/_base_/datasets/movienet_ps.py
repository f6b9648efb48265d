# MovieNet-PS, from its original layout; docs/datasets.md tells how to get it.
# The folder is data/movienet_ps, or $MMCLSA_DATA/movienet_ps where that variable is set.
_base_ = './scenes.py'
data_root = '{{$MMCLSA_DATA:data}}/movienet_ps'
subset = 'app10'  # at most 10 appearances of a training person; also app30, app50, app70, app100
num_identities = 2087  # training identities; the data set is checked against it
queue_size = 5000  # unlabelled people that OIM remembers; ours

train_dataloader = dict(
    dataset=dict(
        type='MovieNetPSDataset', data_root=data_root, subset=subset, num_identities=num_identities
    )
)
# Every TestG*.mat that is there is a protocol: gallery_2000, gallery_4000, gallery_10000.
val_dataloader = dict(dataset=dict(type='MovieNetPSDataset', data_root=data_root))
test_dataloader = val_dataloader
