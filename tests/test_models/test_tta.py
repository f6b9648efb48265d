"""A searcher that looks at several versions of each picture."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox_flip, bbox_overlaps

from mmclsa.models import PersonSearchTTAModel
from mmclsa.models.searchers import average_views
from tests.test_models.builders import build_searcher, scene_sample

pytestmark = pytest.mark.filterwarnings('ignore')
SIZE = (96, 128)


@pytest.fixture(scope='module')
def searcher():
    return build_searcher('faster_rcnn').eval()


def scene(seed=1, **options):
    torch.manual_seed(seed)
    return scene_sample(SIZE, scale=0.5, **options)


def flipped(picture, sample):
    """Flip a scene as the pipeline does: not its boxes, which are loaded after."""
    sample = copy.deepcopy(sample)
    sample.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    sample.original_image = sample.original_image.flip(2)
    return picture.flip(2), sample


def search(model, *views):
    """Search one picture in views."""
    pictures, samples = zip(*[copy.deepcopy(view) for view in views])
    data = dict(inputs=[[one] for one in pictures], data_samples=[[one] for one in samples])
    with torch.no_grad():
        (found,) = model.test_step(data)
    return found


def plain(model, view):
    picture, sample = copy.deepcopy(view)
    with torch.no_grad():
        (found,) = model.test_step(dict(inputs=[picture], data_samples=[sample]))
    return found


def assert_same(one, other, **tolerance):
    """Compare by score, since equals may come in any order."""
    for name in ('bboxes', 'scores', 'embeddings'):
        values = [found.get(name)[found.scores.argsort(descending=True)] for found in (one, other)]
        torch.testing.assert_close(*values, **tolerance)


@pytest.mark.parametrize('number', [1, 3])
def test_equal_views_change_nothing(searcher, number):
    view = scene(queries=2)
    expected = plain(searcher, view)
    assert len(expected.pred_instances) > 1
    found = search(PersonSearchTTAModel(searcher), *[view] * number)
    close = dict(rtol=1e-4, atol=1e-5)
    assert_same(found.pred_instances, expected.pred_instances, **close)
    queries = found.query_instances, expected.query_instances
    torch.testing.assert_close(*(q.embeddings for q in queries), **close)
    assert torch.equal(*(q.bboxes for q in queries))
    assert found.img_id == expected.img_id


def test_a_mirrored_picture_has_mirrored_people(searcher):
    """Both have the same two views, and boxes are in the pixels of each."""
    picture, sample = scene(queries=2)
    model = PersonSearchTTAModel(searcher)
    found = search(model, (picture, sample), flipped(picture, sample))
    other = picture.flip(2), copy.deepcopy(sample)
    other[1].original_image = sample.original_image.flip(2)
    for boxes in (other[1].gt_instances, other[1].query_instances):
        boxes.bboxes = bbox_flip(boxes.bboxes, sample.ori_shape)
    mirrored = search(model, flipped(*other), other)
    for one in (mirrored.pred_instances, mirrored.query_instances):
        one.bboxes = bbox_flip(one.bboxes, sample.ori_shape)
    close = dict(rtol=1e-3, atol=1e-4)
    assert_same(found.pred_instances, mirrored.pred_instances, **close)
    for name in ('bboxes', 'embeddings'):
        values = [one.query_instances.get(name) for one in (found, mirrored)]
        torch.testing.assert_close(*values, **close)
    alone = plain(searcher, (picture, sample)).query_instances.embeddings
    assert (found.query_instances.embeddings - alone).abs().max() > 0.01


def test_ground_truth_is_kept_and_has_the_embeddings_of_flip_test():
    """Of people who overlap, too, whom a suppression would drop."""
    model = build_searcher('yolox', reid='crop', use_gt_boxes=True).eval()
    view = scene(people=3, queries=1)
    boxes = view[1].gt_instances.bboxes
    boxes[1] = boxes[0] + 1
    found = search(PersonSearchTTAModel(model), view, flipped(*view))
    model.reid.flip_test = True
    expected = plain(model, view)
    assert torch.equal(found.pred_instances.bboxes, expected.pred_instances.bboxes)
    assert len(found.pred_instances) == 3
    for name in ('pred_instances', 'query_instances'):
        values = [one.get(name).embeddings for one in (found, expected)]
        torch.testing.assert_close(*values, rtol=1e-3, atol=1e-4)


def test_at_most_so_many_people_and_none(searcher):
    view = scene(queries=1)
    some = search(PersonSearchTTAModel(searcher, tta_cfg=dict(max_per_img=2)), view, view)
    assert len(some.pred_instances) == 2
    silent = copy.deepcopy(searcher)
    silent.person_label = 5
    nobody = search(PersonSearchTTAModel(silent), view, flipped(*view))
    assert nobody.pred_instances.embeddings.shape == (0, 24)
    assert nobody.query_instances.embeddings.shape == (1, 24)


def test_average_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 6, (30, 2), generator=generator).double()
    boxes = torch.cat([corners, corners + torch.randint(0, 5, (30, 2), generator=generator)], 1)
    units = F.normalize(torch.randn(30, 4, generator=generator).double())
    views = torch.arange(30) % 3
    kept = torch.tensor([0, 4, 11, 29])
    found = average_views(kept, boxes, units, views, 0.4)
    for row, one in zip(kept.tolist(), found):
        total = units[row].clone()
        for view in {0, 1, 2} - {int(views[row])}:
            rows = [i for i in range(30) if views[i] == view]
            overlaps = [float(bbox_overlaps(boxes[row, None], boxes[i, None])) for i in rows]
            best = max(range(len(rows)), key=overlaps.__getitem__)
            if overlaps[best] >= 0.4:
                total += units[rows[best]]
        torch.testing.assert_close(one, F.normalize(total, dim=0))
