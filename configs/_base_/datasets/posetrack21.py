# PoseTrack21 person search, from its original layout; docs/datasets.md tells how to get it.
# The folder is data/posetrack21, or $MMCLSA_DATA/posetrack21 where that variable is set.
_base_ = './scenes.py'
data_root = '{{$MMCLSA_DATA:data}}/posetrack21'
num_identities = 5381  # training identities; releases differ, the data set is checked against it
queue_size = 0  # every box of training has an identity

train_dataloader = dict(
    dataset=dict(type='PoseTrack21Dataset', data_root=data_root, num_identities=num_identities)
)
# One protocol: val. The gallery of a query is every image but its own.
val_dataloader = dict(dataset=dict(type='PoseTrack21Dataset', data_root=data_root))
test_dataloader = val_dataloader
