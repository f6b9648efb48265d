"""COCO files as CVAT, Roboflow, Label Studio and people write them: every kind is read right."""

from __future__ import annotations

import json
import uuid

import numpy as np
import pytest

from mmclsa.datasets.coco_person_search import CocoPersonSearchDataset
from mmclsa.datasets.readers.coco import read_coco, read_coco_alone, read_coco_file
from mmclsa.datasets.readers.coco_ids import number_all, read_identity
from mmclsa.datasets.readers.coco_protocol import coco_protocol
from mmclsa.errors import DataError

PERSON = [dict(id=1, name='person')]


def content(ids=(0, 1, 2), count=4, key='person_id', inside=None, **options):
    """Pictures of 320 x 240 with the same three people."""
    images = [dict(id=i, file_name=f'{i}.jpg', width=320, height=240) for i in range(1, count + 1)]
    boxes = []
    for image in images:
        for place, person in enumerate(ids):
            box = dict(id=len(boxes), image_id=image['id'], category_id=1, iscrowd=0)
            box['bbox'] = [20 + 90 * place, 60, 40, 90]
            if inside:
                box[inside] = {key: person, 'occluded': False}
            elif key:
                box[key] = person
            boxes.append(box)
    return dict(images=images, annotations=boxes, categories=list(PERSON), **options)


def write(path, data, name='annotations.json'):
    (path / name).write_text(json.dumps(data))
    return path / name


def boxes_of(data):
    return sum(len(scene.boxes) for scene in data.scenes)


class TestCategories:
    @pytest.mark.parametrize(
        'name', ['person', 'Person', ' PEDESTRIAN', 'people', 'Human', 'woman', 'persons']
    )
    def test_people_are_called_so(self, tmp_path, name):
        data = content()
        data['categories'] = [dict(id=0, name='_background_'), dict(id=1, name=name)]
        data['annotations'].append(dict(id=99, image_id=1, category_id=0, bbox=[1, 1, 9, 9]))
        read = read_coco_file(write(tmp_path, data))
        assert boxes_of(read) == 12
        assert read.left_out == {'boxes of category _background_': 1}

    def test_others_are_left_out_counted_and_told(self, tmp_path):
        data = content()
        data['categories'] = [*PERSON, dict(id=3, name='car'), dict(id=4, name='dog')]
        for image, category in [(1, 3), (2, 3), (2, 4), (3, 7)]:
            car = dict(id=90, image_id=image, category_id=category, bbox=[5, 5, 200, 40])
            data['annotations'].append(car)
        with pytest.warns(
            UserWarning, match='left out: 2 boxes of category car, 1 boxes of c.*dog'
        ):
            read = read_coco_alone(write(tmp_path, data))
        assert boxes_of(read) == 12
        assert read.left_out['boxes of category 7, which "categories" lacks'] == 1

    @pytest.mark.parametrize('wanted', ['player', ['player'], 5, ['5'], ['player', 'keeper']])
    def test_an_option_names_them(self, tmp_path, wanted):
        data = content()
        data['categories'] = [dict(id='5', name='player'), dict(id=6, name='keeper'), *PERSON]
        for box in data['annotations'][:5]:
            box['category_id'] = 5.0
        read = read_coco_file(write(tmp_path, data), person_categories=wanted)
        assert boxes_of(read) == 5
        with pytest.raises(DataError, match="no category 'spectator' of person_categories, but pl"):
            read_coco_file(tmp_path / 'annotations.json', person_categories=['spectator'])

    def test_a_file_without_people_is_refused_with_its_categories(self, tmp_path):
        data = content()
        data['categories'] = [dict(id=1, name='car'), dict(id=2, name='personal computer')]
        with pytest.raises(DataError, match='no category of people, but car, personal computer'):
            read_coco(write(tmp_path, data))

    def test_a_file_that_lists_none_has_people_alone(self, tmp_path):
        data = content()
        del data['categories']
        assert boxes_of(read_coco_file(write(tmp_path, data))) == 12
        data['annotations'][0]['category_id'] = 2
        with pytest.raises(DataError, match='lists no categories, but its boxes are of 1, 2'):
            read_coco(write(tmp_path, data))
        assert boxes_of(read_coco_file(tmp_path / 'annotations.json', person_categories=1)) == 11

    def test_a_name_in_place_of_the_number(self, tmp_path):
        data = content()
        data['categories'].append(dict(id=2, name='car'))
        for number, box in enumerate(data['annotations']):
            box['category_id'] = 'person' if number else 'car'
        read = read_coco_file(write(tmp_path, data))
        assert boxes_of(read) == 11
        assert read.left_out == {'boxes of category car': 1}

    @pytest.mark.parametrize('broken', [{'a': 1}, [3], [dict(id=1)], [dict(name='person')]])
    def test_broken_categories(self, tmp_path, broken):
        with pytest.raises(DataError, match=r'annotations\.json.*categories'):
            read_coco(write(tmp_path, dict(content(), categories=broken)))


class TestIds:
    @pytest.mark.parametrize('inside', [None, 'attributes', 'extra', 'properties'])
    @pytest.mark.parametrize(
        'key',
        [
            'person_id',
            'personId',
            'Person ID',
            'person-id',
            'PersonID',
            'pid',
            'identity',
            'reid_id',
        ],
    )
    def test_every_spelling_in_every_place(self, tmp_path, inside, key):
        read = read_coco_file(write(tmp_path, content((4, 7, -1), key=key, inside=inside)))
        assert [scene.person_ids.tolist() for scene in read.scenes] == [[4, 7, -1]] * 4
        assert read.note is None
        assert read.ids_from == (f'{inside}.{key}' if inside else key)

    def test_lists_of_attributes(self, tmp_path):
        data = content(key=None)
        for number, box in enumerate(data['annotations']):
            box['tags'] = [dict(name='person_id', value=number % 3), dict(name='pose', value='x')]
        assert read_coco(write(tmp_path, data))[0].person_ids.tolist() == [0, 1, 2]

    @pytest.mark.parametrize('key', ['track_id', 'trackId', 'tracking_id', 'instance_id'])
    def test_tracks_serve_where_there_are_no_people(self, tmp_path, key):
        read = read_coco_file(write(tmp_path, content((3, 8, -1), key=key, inside='attributes')))
        assert read.scenes[0].person_ids.tolist() == [3, 8, -1]
        assert read.scenes[0].track_ids.tolist() == [3, 8, -1]
        assert read.note == f'no person_id is given, so that attributes.{key} says who people are'

    def test_people_go_before_tracks_also_where_nobody_has_one(self, tmp_path):
        data = content((5, -1, 6))
        for box in data['annotations']:
            box['attributes'] = dict(track_id=box['id'])
        read = read_coco_file(write(tmp_path, data))
        assert read.scenes[0].person_ids.tolist() == [5, -1, 6]
        assert read.scenes[1].track_ids.tolist() == [3, 4, 5]
        for box in data['annotations']:
            box['person_id'] = -1
        read = read_coco_file(write(tmp_path, data))
        assert not any((scene.person_ids >= 0).any() for scene in read.scenes)
        assert 'the ids in person_id are all empty or negative' in read.note

    def test_an_empty_attribute_is_none(self, tmp_path):
        data = content(('', None, 'none'), inside='attributes')
        for box in data['annotations']:
            box['track_id'] = box['id'] % 3
        assert read_coco(write(tmp_path, data))[0].person_ids.tolist() == [0, 1, 2]

    def test_a_track_of_another_video_is_somebody_else(self, tmp_path):
        data = content((0, 1, -1), key='track_id')
        for image in data['images']:
            image['video_id'] = image['id'] % 2
        ids = [scene.person_ids.tolist() for scene in read_coco(write(tmp_path, data))]
        assert ids == [[2, 3, -1], [0, 1, -1]] * 2

    def test_running_numbers_are_no_identities(self, tmp_path):
        data = content(key=None)
        for box in data['annotations']:
            box.update(instance_id=box['id'], attributes=dict(id=box['id'] + 50))
        read = read_coco_file(write(tmp_path, data))
        assert not any((scene.person_ids >= 0).any() for scene in read.scenes)
        assert 'nobody has an identity' in read.note
        for box in data['annotations']:
            box['attributes']['id'] = box['id'] % 3
        read = read_coco_file(write(tmp_path, data))
        assert read.scenes[0].person_ids.tolist() == [0, 1, 2]
        assert 'attributes.id says who people are' in read.note

    UUIDS = tuple(str(uuid.UUID(int=9 - n)) for n in range(3))

    @pytest.mark.parametrize(
        ('ids', 'expected'),
        [
            ((2**63 + 5, 2**64 - 1, 2**40), [1, 2, 0]),
            ((2**53 + 1, 2**53, 0), [2, 1, 0]),
            (UUIDS, [2, 1, 0]),
            (('Zoë', 'Ann', 'unknown'), [1, 0, -1]),
            ((3.0, 5.0, float('nan')), [3, 5, -1]),
            (('3', '0005', '-1'), [3, 5, -1]),
            (('17', 'x17', None), [0, 1, -1]),
        ],
        ids=['64-bit', 'beyond-float', 'uuid', 'names', 'floats', 'digits', 'mixed'],
    )
    def test_ids_of_every_kind(self, tmp_path, ids, expected):
        scenes = read_coco(write(tmp_path, content(ids)))
        assert [scene.person_ids.tolist() for scene in scenes] == [expected] * 4
        assert scenes[0].person_ids.dtype == np.int64

    @pytest.mark.parametrize('bad', [3.5, [1], {'a': 1}, True])
    def test_what_is_no_id_is_named(self, tmp_path, bad):
        data = content()
        data['annotations'][4]['person_id'] = bad
        with pytest.raises(DataError, match=r'annotations\[4\]: person_id must be an integer'):
            read_coco(write(tmp_path, data))

    def test_where_it_looked_is_told(self, tmp_path):
        data = content(inside='attributes', key='shirt')
        note = read_coco_file(write(tmp_path, data)).note
        for words in ('nobody has an identity', 'person_id', 'track_id', 'attributes.shirt'):
            assert words in note
        named = read_coco_file(tmp_path / 'annotations.json', person_id_field='attributes.shirt')
        assert named.scenes[0].person_ids.tolist() == [0, 1, 2]
        with pytest.raises(
            DataError, match=r'nobody|no person has the field number of person_id_f'
        ):
            read_coco_file(tmp_path / 'annotations.json', person_id_field='number')

    def test_images_and_cameras_too(self, tmp_path):
        data = content()
        for image in data['images']:
            image.update(id=f'frame-{image["id"]}', camera='ab'[image['id'] % 2])
        for box in data['annotations']:
            box['image_id'] = f'frame-{box["image_id"]}'
        scenes = read_coco(write(tmp_path, data))
        assert [scene.cam_id for scene in scenes] == [1, 0, 1, 0]
        assert scenes[0].image_id == 'frame-1'
        data = content()
        for box in data['annotations']:
            box['image_id'] = str(box['image_id'])
        assert boxes_of(read_coco_file(write(tmp_path, data))) == 12

    def test_queries_name_people_as_the_annotations_do(self, tmp_path):
        read = read_coco_file(write(tmp_path, content(self.UUIDS)))
        query = dict(query_id='q', image_id=1, bbox=[20, 60, 40, 90], person_id=self.UUIDS[0])
        path = write(tmp_path, dict(queries=[dict(query, gallery='all')]), 'p.json')
        task = coco_protocol(path, read.scenes, read.people)
        assert task.person_ids.tolist() == [2]
        assert task.truth_boxes.tolist() == [[20, 60, 60, 150]] * 3
        write(tmp_path, dict(queries=[dict(query, person_id='nobody', gallery='all')]), 'p.json')
        with pytest.raises(DataError, match='no gallery image shows person_id nobody'):
            coco_protocol(path, read.scenes, read.people)

    def test_numbers_are_kept_where_they_can_be(self):
        assert number_all([2**31 - 1, 0]) == {0: 0, 2**31 - 1: 2**31 - 1}
        assert number_all([2**31, 0]) == {0: 0, 2**31: 1}
        assert number_all([]) == {}
        assert read_identity(10**400, 'id', 'a') == 10**400


class TestBoxes:
    @pytest.mark.parametrize(
        ('bad', 'reason'),
        [
            (dict(bbox=[5, 5, 0, 0], iscrowd=1), 'ignored boxes that are none'),
            (dict(bbox=[], ignore=1), 'ignored boxes that are none'),
            (dict(iscrowd=1, segmentation=dict(counts='ab', size=[9, 9])), 'ignored boxes that a'),
            (dict(iscrowd='1', bbox=[float('nan')] * 4), 'ignored boxes that are none'),
            (dict(ignore=True, bbox='none'), 'ignored boxes that are none'),
            (dict(bbox=[30, 30, 0, 50]), 'boxes smaller than a pixel'),
            (dict(bbox=[30, 30, -5, 50]), 'boxes smaller than a pixel'),
            (dict(bbox=[0.2, 0.3, 0.1, 0.4]), 'boxes smaller than a pixel'),
            (dict(bbox=[]), 'boxes smaller than a pixel'),
            (dict(bbox=None), 'boxes smaller than a pixel'),
            (dict(bbox=[330, 30, 20, 50]), 'boxes beyond their picture'),
            (dict(bbox=[30, -90, 20, 50]), 'boxes beyond their picture'),
        ],
    )
    def test_what_is_none_is_left_out_and_counted(self, tmp_path, bad, reason):
        data = content()
        data['annotations'].append(dict(dict(id=99, image_id=1, category_id=1), **bad))
        with pytest.warns(UserWarning, match=f'left out: 1 {reason}'):
            read = read_coco_alone(write(tmp_path, data))
        assert boxes_of(read) == 12
        assert list(read.left_out.values()) == [1]

    def test_ids_stay_with_the_boxes_that_are_left(self, tmp_path):
        data = content((4, 7, 9), key='track_id')
        data['annotations'][1]['bbox'] = [5, 5, 0, 5]
        data['annotations'][3]['bbox'] = [320, 5, 50, 50]
        with pytest.warns(UserWarning, match='left out'):
            scenes = read_coco(write(tmp_path, data))
        assert [s.person_ids.tolist() for s in scenes[:3]] == [[4, 9], [7, 9], [4, 7, 9]]
        assert scenes[1].track_ids.tolist() == [7, 9]
        assert scenes[1].ignore.shape == (2,)

    def test_ignored_ones_that_are_boxes_stay(self, tmp_path):
        data = content()
        data['annotations'][0]['iscrowd'] = 'true'
        data['annotations'][1]['ignore'] = '0'
        scene = read_coco(write(tmp_path, data))[0]
        assert scene.ignore.tolist() == [True, False, False]
        assert scene.person_ids.tolist() == [-1, 1, 2]

    @pytest.mark.parametrize('box', [[320, 60, 40, 90], [20, 240, 9, 9], [-50, 60, 50, 90]])
    def test_a_query_beyond_its_picture_is_refused(self, tmp_path, box):
        scenes = read_coco(write(tmp_path, content()))
        query = dict(image_id=1, bbox=box, person_id=0, gallery='all')
        path = write(tmp_path, dict(queries=[query]), 'p.json')
        with pytest.raises(DataError, match=r'queries\[0\]: bbox .* lies outside of its image, 1'):
            coco_protocol(path, scenes)
        write(tmp_path, dict(queries=[dict(query, bbox=[319, 239, 40, 90])]), 'p.json')
        assert len(coco_protocol(path, scenes)) == 1


class TestNames:
    def test_one_picture_listed_twice_is_refused(self, tmp_path):
        data = content()
        data['images'][3]['file_name'] = '1.jpg'
        with pytest.raises(
            DataError, match=r"images\[3\]: file_name '1\.jpg' is that of images\[0"
        ):
            read_coco(write(tmp_path, data))

    @pytest.mark.parametrize('name', [None, '', 3])
    def test_a_name_that_is_none(self, tmp_path, name):
        data = content()
        data['images'][2]['file_name'] = name
        with pytest.raises(DataError, match=r'images\[2\]: file_name must be the name of a file'):
            read_coco(write(tmp_path, data))


class TestNobody:
    @pytest.mark.parametrize('why', ['none', 'ignored', 'without size', 'cars'])
    def test_a_training_set_of_nobody_is_refused_in_a_sentence(self, tmp_path, why):
        data = content()
        if why == 'none':
            data['annotations'] = []
        for box in data['annotations']:
            box.update(dict(ignored=dict(iscrowd=1), cars=dict(category_id=2)).get(why, {}))
            box['bbox'][2] *= why != 'without size'
        data['categories'] = [*PERSON, dict(id=2, name='car')]
        write(tmp_path, data)
        options = dict(ann_file='annotations.json', data_root=str(tmp_path), check_images=False)
        said = dict(none='$', ignored='only 12 ignored boxes', cars='only 12 boxes of category car')
        words = said.get(why, 'only 12 boxes smaller than a pixel')
        with pytest.raises(DataError, match=f'nobody to train on: none of its 4 images.*{words}'):
            CocoPersonSearchDataset(pipeline=[], **options)
        test = CocoPersonSearchDataset(pipeline=[], test_mode=True, **options)
        assert test.counts()['boxes'] == 0

    def test_a_filter_that_leaves_nobody_says_where_it_looked(self, tmp_path):
        write(tmp_path, content(key=None))
        options = dict(ann_file='annotations.json', data_root=str(tmp_path), check_images=False)
        with pytest.raises(
            DataError, match=r'filter_unlabelled.* leaves none of 4 images.*track_id'
        ):
            CocoPersonSearchDataset(pipeline=[], filter_cfg=dict(filter_unlabelled=True), **options)
        with pytest.raises(ValueError, match=r'num_identities is 3.*have 0 identities: nobody has'):
            CocoPersonSearchDataset(pipeline=[], num_identities=3, **options)
