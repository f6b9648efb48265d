# CLSA within SeqNet: res4 and res5 of a person, of which SeqNet's embedding is made, predict the
# identity each, and res4's prediction follows res5's. The embedding and its own loss stay SeqNet's;
# nothing is added at test time.
_base_ = '../seqnet/seqnet_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'

model = dict(
    reid=dict(
        head=dict(
            # Of each level by itself; the numbers are ours, as in docs/alignment.md.
            loss_level=dict(
                type='OIMLoss',
                loss_weight=0.1,
                scale={{_base_.model.reid.head.loss_id.scale}},
                queue_size={{_base_.queue_size}},
            ),
            loss_align=dict(type='SemanticAlignmentLoss', temperature=3.0, loss_weight=0.01),
        )
    )
)
