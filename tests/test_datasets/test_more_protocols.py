"""PRW-mini, CUHK-SYSU's subsets and full set, and exclusions of a protocol JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mmclsa.datasets.readers.coco import coco_protocol, read_coco
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols
from mmclsa.datasets.readers.prw import prw_protocols
from mmclsa.errors import DataError
from tests.fakes import make_fake_coco, make_fake_cuhk_sysu, make_fake_prw

FOLDER = 'annotation/test'


def test_prw_mini_numbers_its_queries_as_query_info_does(tmp_path):
    root = make_fake_prw(tmp_path, images=False)
    lines = (root / 'query_info.txt').read_bytes().split(b'\r\n')[:-1]
    # QEEPS wrote the file with LF and kept the columns.
    (root / 'prwmini_query_info.txt').write_bytes(b'\n'.join([lines[2], lines[0]]) + b'\n')
    regular, mini = prw_protocols(root, ['regular', 'prw_mini'])
    assert mini.query_ids.tolist() == [2, 0]
    assert mini.name == 'prw_mini'
    for row, query in enumerate([2, 0]):
        np.testing.assert_array_equal(mini.gallery(row), regular.gallery(query))
        np.testing.assert_array_equal(mini.truth(row)[0], regular.truth(query)[0])
    assert [task.name for task in prw_protocols(root)] == ['regular', 'multi_view']


def test_prw_mini_must_be_part_of_prw(tmp_path):
    root = make_fake_prw(tmp_path, images=False)
    with pytest.raises(DataError, match=r'prwmini_query_info\.txt is missing'):
        prw_protocols(root, ['prw_mini'])
    line = (root / 'query_info.txt').read_text().splitlines()[0].split()
    (root / 'prwmini_query_info.txt').write_text(' '.join(['7', *line[1:]]) + '\n')
    with pytest.raises(DataError, match=r'is not in query_info\.txt'):
        prw_protocols(root, ['prw_mini'])


@pytest.mark.parametrize(
    ('name', 'file', 'variable'),
    [('occlusion', 'Occlusion.mat', 'Occlusion1'), ('resolution', 'Resolution.mat', 'Test_Size')],
)
def test_cuhk_subsets_find_their_queries(tmp_path, name, file, variable):
    root = make_fake_cuhk_sysu(tmp_path, images=False)
    table = loadmat(root / FOLDER / 'train_test' / 'TestG50.mat')['TestG50']
    (root / FOLDER / 'subset').mkdir()
    savemat(root / FOLDER / 'subset' / file, {variable: table[:, [2, 0]]})
    assert [t.name for t in cuhk_sysu_protocols(root)] == ['gallery_50', 'gallery_100', name]
    full, subset = cuhk_sysu_protocols(root, ['gallery_50', name])
    assert subset.query_ids.tolist() == [2, 0]
    np.testing.assert_array_equal(subset.query_boxes, full.query_boxes[[2, 0]])
    np.testing.assert_array_equal(subset.truth(0)[1], full.truth(2)[1])


def test_cuhk_full_set_is_the_pool_without_the_query(tmp_path):
    root = make_fake_cuhk_sysu(tmp_path, images=False)
    listed, full = cuhk_sysu_protocols(root, ['gallery_50', 'full'])
    for query in range(len(full)):
        expected = set(range(len(full.images))) - {int(full.query_images[query])}
        assert set(full.gallery(query).tolist()) == expected
        np.testing.assert_array_equal(full.truth(query)[0], listed.truth(query)[0])


def write_task(tmp_path, images, queries, exclude):
    """``images``: (camera, [(person, track), ...]) each; ids 1, 2, ..."""
    annotations = []
    for number, (_, people) in enumerate(images, 1):
        for person, track in people:
            box = [10 * person, 5, 20, 40]
            annotations.append(
                dict(id=len(annotations) + 1, image_id=number, category_id=1, bbox=box,
                     person_id=person, track_id=track)
            )  # fmt: skip
    entries = [dict(id=n, file_name=f'{n}.jpg', cam_id=cam) for n, (cam, _) in enumerate(images, 1)]
    content = dict(images=entries, annotations=annotations)
    (tmp_path / 'annotations.json').write_text(json.dumps(content))
    tasks = [
        dict(query_id=i, image_id=image, bbox=[10 * person, 5, 20, 40], person_id=person,
             gallery=gallery)
        for i, (image, person, gallery) in enumerate(queries)
    ]  # fmt: skip
    (tmp_path / 'protocol.json').write_text(json.dumps(dict(queries=tasks, exclude=exclude)))
    scenes = read_coco(tmp_path / 'annotations.json')
    return coco_protocol(tmp_path / 'protocol.json', scenes)


# Person 0 walks through camera 0 as track 4, comes back as track 6, and is track 4 of
# camera 1, which is another track.
SCENES = [(0, [(0, 4)]), (0, [(0, 4), (1, 5)]), (0, [(0, 6)]), (1, [(0, 4)]), (1, [(1, 5)])]


@pytest.mark.parametrize('gallery', ['all', [2, 3, 4, 5]])
@pytest.mark.parametrize(
    ('exclude', 'searched', 'matches'),
    [
        ([], [2, 3, 4, 5], [2, 3, 4]),
        (['same_track'], [3, 4, 5], [3, 4]),
        (['same_camera'], [4, 5], [4]),
        (['same_camera', 'same_track'], [4, 5], [4]),
    ],
)
def test_exclusions(tmp_path, gallery, exclude, searched, matches):
    task = write_task(tmp_path, SCENES, [(1, 0, gallery)], exclude)
    assert [task.images[i] for i in task.gallery(0)] == [f'{n}.jpg' for n in searched]
    assert [task.images[i] for i in task.truth(0)[0]] == [f'{n}.jpg' for n in matches]


@pytest.mark.parametrize(
    ('scenes', 'queries', 'exclude', 'words'),
    [
        (SCENES, [(1, 0, 'all')], ['same_day'], 'field exclude: expected a list of some of'),
        (SCENES[:3], [(1, 0, 'all')], ['same_camera'], r'queries\[0\]: no gallery image shows'),
        (SCENES[:2], [(1, 0, 'all')], ['same_track'], r'queries\[0\]: no gallery image shows'),
        (
            [(0, [(0, -1)]), (0, [(0, 3)])],
            [(1, 0, 'all')],
            ['same_track'],
            r'queries\[0\]: .* person_id 0 has no track_id in image 1\.jpg',
        ),
        ([(-1, [(0, 1)]), (1, [(0, 2)])], [(1, 0, 'all')], ['same_camera'], 'field exclude'),
        (SCENES, [(1, 0, [1, 2])], [], r"queries\[0\]: the gallery has the query's own image 1"),
        (SCENES, [(1, 0, [2, 9])], [], r'queries\[0\]: image_id 9 is not in the annotation file'),
    ],
)
def test_mistakes_name_file_and_query(tmp_path, scenes, queries, exclude, words):
    with pytest.raises(DataError, match=rf'protocol\.json.*{words}'):
        write_task(tmp_path, scenes, queries, exclude)


def test_a_person_twice_in_an_image_counts_once(tmp_path):
    scenes = [(0, [(0, 1)]), (1, [(0, 2), (0, 3)])]
    task = write_task(tmp_path, scenes, [(1, 0, 'all')], [])
    assert task.truth_counts().tolist() == [1]


def test_fake_coco_still_reads(tmp_path):
    root = make_fake_coco(tmp_path, images=False)
    task = coco_protocol(root / 'protocol.json', read_coco(root / 'annotations.json'))
    assert len(task) == 4
