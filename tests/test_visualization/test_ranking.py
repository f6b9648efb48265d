"""Pictures of ranked results."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmclsa.datasets import CocoPersonSearchDataset
from mmclsa.errors import DataError, UserError
from mmclsa.evaluation.examples import choose_examples
from mmclsa.structures import Predictions, Query, SearchProtocol
from mmclsa.visualization import picture_loader, save_rank_lists
from mmclsa.visualization.canvas import GREEN, GREY, RED
from tests.fakes import make_fake_coco
from tests.test_evaluation.cases import TALL, tiny_case


def load_black(image):
    if image == 'a':
        raise DataError('image a is missing')
    return np.zeros((240, 320, 3), np.uint8)


def read(path):
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def count(picture, colour):
    return int((picture == colour).all(-1).sum())


@pytest.mark.parametrize('kind', ['object', 'arrays', 'file'])
def test_pictures_of_ranked_results(tmp_path, kind):
    task, found = tiny_case()
    np.savez(tmp_path / 'p.npz', **found.arrays())
    found = {'object': found, 'arrays': Predictions.of(found.arrays())}.get(kind) or (
        Predictions.load(tmp_path / 'p.npz')
    )
    examples = choose_examples(found, task, which='worst')
    out = tmp_path / 'bilder für 街'
    (path,) = save_rank_lists(examples, load_black, out)
    assert path == out / 'tiny_000_query0.png'
    drawn = read(path)
    # One right hit and two wrong ones; the query's picture is missing.
    assert count(drawn, GREEN) >= 2 * 4 * (104 + 208)
    assert count(drawn, RED) >= 2 * 2 * 4 * (104 + 208)
    (path,) = save_rank_lists(examples, load_black, out, top=1)
    assert count(read(path), RED) == 0


def test_a_person_who_is_not_in_the_gallery_has_grey_hits(tmp_path):
    _, found = tiny_case()
    nowhere = SearchProtocol.build('tiny', ['a', 'b'], [Query('a', TALL, 0)], [[]])
    (path,) = save_rank_lists(choose_examples(found, nowhere), load_black, tmp_path)
    drawn = read(path)
    assert count(drawn, GREEN) + count(drawn, RED) == 0
    assert count(drawn, GREY) >= 3 * 2 * 4 * (104 + 208)


def test_wrong_arguments(tmp_path):
    task, found = tiny_case()
    with pytest.raises(UserError, match='top must be at least 1, but is 0'):
        save_rank_lists(choose_examples(found, task), load_black, tmp_path, top=0)
    arrays = found.arrays()
    del arrays['score']
    with pytest.raises(UserError, match="lack the array 'score'"):
        Predictions.of(arrays)
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot write into the folder'):
        save_rank_lists(choose_examples(found, task), load_black, tmp_path / 'file' / 'out')


def test_pictures_come_from_the_data_set(tmp_path):
    root = make_fake_coco(tmp_path / 'Straße 街')
    dataset = CocoPersonSearchDataset(
        ann_file='annotations.json',
        data_root=str(root),
        data_prefix=dict(img_path='img'),
        test_mode=True,
        protocol_files='protocol.json',
    )
    load = picture_loader(dataset)
    name = dataset.get_data_info(2)['img_id']
    stored = np.frombuffer((root / 'img' / name).read_bytes(), np.uint8)
    assert (load(name) == cv2.imdecode(stored, cv2.IMREAD_COLOR)).all()
    with pytest.raises(DataError, match=r'the data set has no image x\.jpg'):
        load('x.jpg')
    (root / 'img' / name).write_bytes(b'\xff\xd8 half')
    with pytest.raises(DataError, match=name):
        load(name)
