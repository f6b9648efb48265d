"""Views of a crop: image pyramid at test time, second view in training, memory format."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope

from mmclsa.models.reid.base import SceneBatch
from mmclsa.models.reid.crops import blur_by_shrinking
from mmclsa.registry import MODELS
from tests.test_models.builders import crop_reid_cfg


def build(**options):
    init_default_scope('mmclsa')
    torch.manual_seed(0)
    return MODELS.build({**crop_reid_cfg(), **options})


@pytest.fixture
def people():
    """Two scenes of five people each, 60 to 80 pixels high."""
    torch.manual_seed(1)
    samples = [DetDataSample(metainfo=dict(img_id=str(n))) for n in range(2)]
    for sample in samples:
        sample.original_image = torch.randint(0, 255, (3, 120, 160), dtype=torch.uint8)
    low = torch.rand(2, 5, 2) * 30
    high = low + torch.tensor([30.0, 60.0]) + torch.rand(2, 5, 2) * 20
    ids = [torch.tensor([0, 1, 2, 3, 4]), torch.tensor([0, 1, 2, 5, -1])]
    return SceneBatch(None, samples), list(torch.cat([low, high], dim=2)), ids


class TestImagePyramid:
    def test_mean_of_the_sizes(self, people):
        scenes, boxes, _ = people
        sizes = [(64, 32), (96, 48)]
        reid = build(test_sizes=sizes).eval()
        with torch.no_grad():
            found = reid.describe(scenes, boxes)
            each = [reid.describe_crops(reid.cut(scenes, boxes, size)) for size in sizes]
        torch.testing.assert_close(found, F.normalize(each[0] + each[1]))
        assert not torch.allclose(each[0], each[1], atol=1e-3)

    def test_its_own_size_alone_changes_nothing(self, people):
        scenes, boxes, _ = people
        with torch.no_grad():
            usual = build().eval().describe(scenes, boxes)
            assert torch.equal(build(test_sizes=[(64, 32)]).eval().describe(scenes, boxes), usual)


class TestSecondView:
    def test_a_view_without_loss_of_detail_counts_everybody_twice(self, people):
        """With nothing shrunk both views are one picture: the losses are those of one view."""
        scenes, boxes, ids = people
        one = build().train().loss(scenes, boxes, ids)
        two = build(second_view=64).train().loss(scenes, boxes, ids)
        # The top level of a second view follows that of the first, which is the same.
        assert two.pop('loss_align_l2').item() == pytest.approx(0, abs=1e-6)
        assert one.keys() == two.keys()
        for name, value in one.items():
            torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5, msg=name)

    def test_the_top_level_learns_from_the_sharp_view(self, people):
        scenes, boxes, ids = people
        reid = build(second_view=8).train()
        for loss in reid.head.classifiers:
            torch.nn.init.normal_(loss.classifier.weight)
        losses = reid.loss(scenes, boxes, ids)
        assert losses['loss_align_l2'] > 1e-4

    def test_copies_of_a_person_are_one_person(self, people, monkeypatch):
        scenes, boxes, ids = people
        reid, seen = build(second_view=16).train(), []
        loss = reid.head.loss

        def look(feats, person_ids, owners, followed):
            seen.append((owners, followed))
            return loss(feats, person_ids, owners, followed)

        monkeypatch.setattr(reid.head, 'loss', look)
        reid.loss(scenes, boxes, ids, [torch.tensor([0, 0, 1, 2, 3]), torch.arange(5)])
        owners, followed = seen[0]
        assert owners.tolist() == [0, 0, 1, 2, 3, 5, 6, 7, 8, 9] * 2
        assert followed.tolist() == list(range(10)) * 2


class TestShrinking:
    def test_to_the_own_height_is_the_crop(self):
        crops = torch.rand(3, 3, 16, 8)
        torch.testing.assert_close(blur_by_shrinking(crops, 16), crops)

    def test_detail_goes_and_the_mean_stays(self):
        torch.manual_seed(0)
        crops = torch.rand(20, 3, 32, 16)
        blurred = blur_by_shrinking(crops, 4)
        deviation = blurred.std(dim=(1, 2, 3))
        assert (deviation <= crops.std(dim=(1, 2, 3))).all()
        assert deviation.std() > 0.01  # each by an amount of its own
        torch.testing.assert_close(blurred.mean(), crops.mean(), rtol=0, atol=0.01)

    def test_nobody(self):
        assert blur_by_shrinking(torch.zeros(0, 3, 16, 8), 4).shape == (0, 3, 16, 8)


def test_channels_last_gives_the_same_descriptors(people):
    scenes, boxes, _ = people
    with torch.no_grad():
        usual = build().eval().describe(scenes, boxes)
        other = build(channels_last=True).eval().describe(scenes, boxes)
    torch.testing.assert_close(usual, other, rtol=0, atol=1e-5)
