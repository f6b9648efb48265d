"""Boxes without width or height: nothing that is not finite comes out."""

from __future__ import annotations

import pytest
import torch

from mmclsa.models.reid.boxes import at_least_a_pixel
from mmclsa.models.reid.crops import crop_people
from tests.test_models.builders import DETECTORS, batch, build_searcher, scene_sample, total_loss

#: No width, no height, neither, inside out, outside of the picture, a sliver.
BROKEN = torch.tensor(
    [
        [5.0, 5.0, 5.0, 40.0],
        [5.0, 5.0, 25.0, 5.0],
        [5.0, 5.0, 5.0, 5.0],
        [60.0, 60.0, 20.0, 30.0],
        [500.0, -300.0, 520.0, -200.0],
        [9.2, 10.0, 9.3, 40.0],
    ]
)


def test_whole_boxes_stay_to_the_bit():
    boxes = torch.rand(50, 4) * 20
    boxes[:, 2:] += boxes[:, :2] + 1
    assert torch.equal(at_least_a_pixel(boxes), boxes)
    clipped = torch.minimum(boxes, torch.tensor([30.0, 40.0, 30.0, 40.0]))
    assert torch.equal(at_least_a_pixel(boxes, (40, 30)), clipped)


@pytest.mark.parametrize('size', [None, (50, 70), (1, 1)])
def test_every_box_has_a_pixel_and_is_in_the_picture(size):
    boxes = at_least_a_pixel(BROKEN, size)
    assert ((boxes[:, 2:] - boxes[:, :2]) >= 0.999).all()
    if size:
        assert (boxes >= 0).all()
        assert (boxes[:, 2:] <= torch.tensor([size[1], size[0]])).all()


def test_crops_show_the_pixel_that_is_there():
    picture = torch.arange(50 * 70.0).reshape(1, 50, 70)
    crops = crop_people(picture, BROKEN, (8, 4))
    assert crops.isfinite().all()
    assert crops[2].flatten().tolist() == pytest.approx([picture[0, 5, 5].item()] * 32, abs=36)
    assert crops[4].min() > 60, 'the corner of the picture, not black'
    none = crop_people(picture, BROKEN[:0], (8, 4))
    assert none.shape == (0, 1, 8, 4)


@pytest.mark.parametrize('reid', ['scene', 'crop'])
@pytest.mark.parametrize('detector', DETECTORS)
def test_losses_gradients_and_embeddings_are_finite(detector, reid):
    """A Faster R-CNN took the logarithm of a width of 0 and trained on NaN."""
    boxes = dict(copies=1, proposals=detector == 'faster_rcnn')
    searcher = build_searcher(detector, reid, train_boxes=boxes)
    picture, sample = scene_sample((96, 128), people=len(BROKEN), queries=len(BROKEN))
    sample.gt_instances.bboxes = BROKEN.clone()
    sample.gt_instances.person_ids.clamp_(max=5)
    sample.query_instances.bboxes = BROKEN.clone()
    for _ in range(2):
        losses = searcher.train().loss(*batch(searcher, [(picture, sample.clone())], True))
        assert all(torch.as_tensor(total_loss({k: v})).isfinite() for k, v in losses.items()), (
            losses
        )
        total_loss(losses).backward()
    grads = [p.grad for p in searcher.parameters() if p.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)
    assert all(b.isfinite().all() for b in searcher.buffers() if b.is_floating_point())
    with torch.no_grad():
        (found,) = searcher.eval().predict(*batch(searcher, [(picture, sample)], False))
    lengths = found.query_instances.embeddings.norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(len(BROKEN)))
    assert found.pred_instances.embeddings.isfinite().all()
