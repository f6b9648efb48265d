"""labels_to_coco.py: what labelme and Label Studio write is read by CocoPersonSearchDataset."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmclsa.datasets import CocoPersonSearchDataset

TOOL = 'tools/dataset_converters/labels_to_coco.py'


def picture(path, size=(200, 100)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode('.jpg', np.zeros((size[1], size[0], 3), np.uint8))[1].tobytes())


def shape(label, points, group=None, kind='rectangle'):
    return dict(label=label, points=points, group_id=group, shape_type=kind, flags={})


def labelme(root, shapes, name='a/1.jpg', image_path='1.jpg'):
    picture(root / name)
    content = dict(version='5.4.1', flags={}, shapes=shapes, imagePath=image_path, imageData=None)
    content.update(imageHeight=100, imageWidth=200)
    (root / name).with_suffix('.json').write_text(json.dumps(content))


def read(root, annotations):
    return CocoPersonSearchDataset(
        data_root=str(root), ann_file=str(annotations), data_prefix=dict(img_path=''), pipeline=[]
    )


class TestLabelme:
    def test_round_trip(self, tmp_path, run_tool_here):
        root = tmp_path / 'drawn'
        labelme(
            root,
            [
                shape('person', [[50, 80], [20, 10]], 7),  # drawn from the lower right
                shape('Pedestrian', [[100, 10], [120, 10], [110, 60]], 3, 'polygon'),
                shape('person', [[1, 2], [11, 22]]),
                shape('car', [[0, 0], [9, 9]], 1),
                shape('person', [[5, 5], [9, 9]], 2, 'circle'),
                shape('person', [[5, 5], [5, 9]], 2),
            ],
        )
        labelme(root, [shape('person', [[60, 10], [90, 80]], 7)], 'b/2.jpg', '..\\b\\2.jpg')
        (root / 'notes.json').write_text('{"a": 1}')
        told = run_tool_here(TOOL, root, tmp_path / 'annotations.json')
        assert '2 images, 4 boxes, 2 people, 1 boxes of no size left out' in told
        assert '1 boxes of other labels left out, 1 shapes that are no boxes left out' in told
        dataset = read(root, tmp_path / 'annotations.json')
        one, two = dataset.scenes
        assert one.boxes.tolist() == [[20, 10, 50, 80], [100, 10, 120, 60], [1, 2, 11, 22]]
        assert one.person_ids.tolist() == [1, 0, -1]
        assert two.person_ids.tolist() == [1]
        assert dataset.num_identities == 2

    @pytest.mark.parametrize(
        ('shapes', 'options', 'words'),
        [
            ([shape('dog', [[0, 0], [9, 9]])], [], 'no label of people, but dog'),
            ([], [], 'no label of people, but no boxes'),
            ([shape('person', [[0, 'x'], [9, 9]])], [], 'points must be pairs of numbers'),
            ([dict(points=[])], [], "the field 'label' is missing"),
        ],
    )
    def test_a_sentence(self, tmp_path, shapes, options, words, run_tool_to_its_error):
        labelme(tmp_path / 'drawn', shapes)
        assert words in run_tool_to_its_error(TOOL, tmp_path / 'drawn', tmp_path / 'o.json')
        assert not (tmp_path / 'o.json').exists()

    def test_labels_of_ones_own(self, tmp_path, run_tool_here, run_tool_to_its_error):
        labelme(tmp_path / 'drawn', [shape('player', [[0, 0], [9, 9]], 4)])
        out = tmp_path / 'o.json'
        run_tool_here(TOOL, tmp_path / 'drawn', out, '--person-labels', 'Player')
        assert len(json.loads(out.read_text())['annotations']) == 1
        (tmp_path / 'empty').mkdir()
        assert 'no JSON file of labelme' in run_tool_to_its_error(TOOL, tmp_path / 'empty', out)
        assert 'does not exist' in run_tool_to_its_error(TOOL, tmp_path / 'none', out)


def region(number, label, box, **said):
    """Results of Label Studio: a rectangle, and what controls say of it."""
    x, y, w, h = box
    place = dict(x=x, y=y, width=w, height=h, rotation=0)
    common = dict(id=number, to_name='image', original_width=200, original_height=100)
    kind = dict(type='rectanglelabels', from_name='label')
    results = [{**common, **kind, 'value': {**place, 'rectanglelabels': [label]}}]
    results += [{**common, 'from_name': n, 'value': {**place, **v}} for n, v in said.items()]
    return results


def task(address, *regions, cancelled=False):
    results = [result for one in regions for result in one]
    annotation = dict(id=1, was_cancelled=cancelled, result=results)
    return dict(id=1, data=dict(image=address), annotations=[annotation])


class TestLabelStudio:
    @pytest.mark.parametrize(
        'said',
        [
            lambda n: dict(number=n),
            lambda n: dict(text=[f'p{n}']),
            lambda n: dict(choices=[f'p{n}']),
        ],
    )
    def test_round_trip(self, tmp_path, run_tool_here, said):
        root = tmp_path / 'img'
        tasks = [
            task(
                '/data/upload/3/0a1b2c3d-1.jpg',
                region('a', 'Person', (10, 20, 25, 50), who=said(9)),
                region('b', 'Person', (50, 20, 25, 50), who=said(4)),
                region('c', 'Person', (80, 20, 10, 10)),
                region('d', 'Car', (0, 0, 10, 10)),
            ),
            task(
                '/data/local-files/?d=some%2Ffolder%2F2.jpg',
                region('e', 'Person', (10, 20, 25, 50), who=said(9)),
            ),
            task('https://example.org/x/3.jpg?sig=1', cancelled=True),
        ]
        for name in ('1.jpg', '2.jpg', '3.jpg'):
            picture(root / name)
        (tmp_path / 'export.json').write_text(json.dumps(tasks))
        told = run_tool_here(TOOL, tmp_path / 'export.json', tmp_path / 'annotations.json')
        assert '3 images, 4 boxes, 2 people, 1 boxes of other labels left out' in told
        dataset = read(root, tmp_path / 'annotations.json')
        one, two, three = dataset.scenes
        assert [s.image for s in dataset.scenes] == ['1.jpg', '2.jpg', '3.jpg']
        np.testing.assert_allclose(one.boxes[0], [20, 20, 70, 70])
        assert one.person_ids.tolist() == [1, 0, -1]
        assert two.person_ids.tolist() == [1]
        assert len(three.boxes) == 0

    def test_which_control(self, tmp_path, run_tool_here, run_tool_to_its_error):
        said = dict(who=dict(text=['Ann']), pose=dict(choices=['sits']))
        tasks = [task('1.jpg', region('a', 'person', (1, 2, 30, 40), **said))]
        path, out = tmp_path / 'e.json', tmp_path / 'o.json'
        path.write_text(json.dumps(tasks))
        assert 'pose, who say something of boxes' in run_tool_to_its_error(TOOL, path, out)
        message = run_tool_to_its_error(TOOL, path, out, '--id-field', 'name')
        assert "no box has 'name', but pose, who" in message
        run_tool_here(TOOL, path, out, '--id-field', 'who')
        assert json.loads(out.read_text())['annotations'][0]['attributes'] == {'name': 'Ann'}

    @pytest.mark.parametrize(
        ('content', 'words'),
        [
            ('{"a": 1}', 'is no JSON export of Label Studio'),
            ('[3]', 'is no JSON export of Label Studio'),
            ('[{"data": {}}]', "the field 'annotations' is missing"),
            ('[{"data": {}, "annotations": []}]', 'no address of an image'),
        ],
    )
    def test_a_sentence(self, tmp_path, content, words, run_tool_to_its_error):
        (tmp_path / 'e.json').write_text(content)
        assert words in run_tool_to_its_error(TOOL, tmp_path / 'e.json', tmp_path / 'o.json')
