"""MovieNet-PS and PoseTrack21 from fakes in their original layouts."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from mmengine.config import Config
from scipy.io import loadmat, savemat

from mmclsa.datasets import MovieNetPSDataset, PoseTrack21Dataset
from mmclsa.datasets.readers.movienet import movienet_protocols, read_movienet
from mmclsa.datasets.readers.posetrack21 import posetrack21_protocol, read_posetrack21
from mmclsa.errors import DataError
from tests.fakes import make_fake_movienet, make_fake_posetrack21
from tests.fakes.predictions import save_perfect_predictions
from tests.helpers import REPO

TESTS = 'annotation/test/train_test'


@pytest.fixture
def movienet(tmp_path):
    return make_fake_movienet(tmp_path, images=False)


@pytest.fixture
def posetrack(tmp_path):
    return make_fake_posetrack21(tmp_path, images=False)


def labelled(scenes):
    return sum(int((scene.person_ids >= 0).sum()) for scene in scenes)


class TestMovieNet:
    @pytest.mark.parametrize('folder', ['annotation', 'anno_mvn-cs'])
    @pytest.mark.parametrize('pictures', ['Image/SSM', 'Image'])
    def test_both_layouts(self, tmp_path, folder, pictures):
        root = make_fake_movienet(tmp_path, folder=folder)
        if pictures == 'Image':
            for path in (root / 'Image' / 'SSM').iterdir():
                shutil.move(path, root / 'Image' / path.name)
            (root / 'Image' / 'SSM').rmdir()
        train = MovieNetPSDataset(data_root=str(root), num_identities=4)
        assert {i['person_id'] for info in train for i in info['instances']} == {-1, 0, 1, 2, 3}
        assert f'/{pictures}/tt0' in train.get_data_info(0)['img_path']
        test = MovieNetPSDataset(data_root=str(root), test_mode=True)
        assert [p.name for p in test.protocols] == ['gallery_2000', 'gallery_4000']
        assert sorted(q['query_id'] for info in test for q in info['queries']) == [0, 1, 2]

    def test_subsets_have_more_appearances_of_the_same_people(self, movienet):
        few, more = (read_movienet(movienet, 'train', name) for name in ('app10', 'app30'))
        assert labelled(few) == 4 * 2
        assert labelled(more) > labelled(few)
        for scenes in (few, more):
            names = [scene.image for scene in scenes]
            assert names == sorted(set(names)), 'each image once, in a fixed order'
            assert all((scene.person_ids >= 0).any() for scene in scenes), 'listed images alone'
            assert set(np.concatenate([s.person_ids for s in scenes]).tolist()) <= {-1, 0, 1, 2, 3}

    def test_each_gallery_has_its_pool(self, movienet):
        small, large = movienet_protocols(movienet)
        assert len(small.gallery(0)) + 1 == len(large.gallery(0))
        assert small.images == large.images
        assert (small.query_ids == large.query_ids).all()
        (alone,) = movienet_protocols(movienet, ['gallery_2000'])
        assert len(alone.images) == 8
        assert len(read_movienet(movienet, 'test', names=['gallery_2000'])) == 8
        assert len(read_movienet(movienet, 'test')) == 9

    def test_truth_is_where_the_scenes_have_the_person(self, movienet):
        scenes = {scene.image: scene for scene in read_movienet(movienet, 'test')}
        (_, task) = movienet_protocols(movienet)
        for query in range(len(task)):
            images, boxes = task.truth(query)
            assert len(images) > 0
            for image, box in zip(images, boxes):
                scene = scenes[task.images[image]]
                mine = scene.boxes[scene.person_ids == task.person_ids[query]]
                assert mine.tolist() == [box.tolist()]

    def test_a_query_outside_of_the_pool_is_added(self, movienet):
        pool = loadmat(movienet / 'annotation' / 'pool_2000.mat')['pool']
        task, _ = movienet_protocols(movienet)
        own = task.images[task.query_images[0]]
        kept = [name for name in pool.ravel() if name.item() != own]
        listed = {task.images[i] for q in (1, 2) for i in task.gallery(q)}
        assert own in listed, 'a pool without it does not fit the other galleries, but a query may'
        cells = np.empty((len(kept), 1), object)
        cells[:, 0] = [name.item() for name in kept]
        savemat(movienet / 'annotation' / 'pool_2000.mat', {'pool': cells})
        (again,) = movienet_protocols(movienet, ['gallery_2000'])
        assert again.images[-1] == own

    @pytest.mark.parametrize(
        ('file', 'words'),
        [
            ('Images.mat', r'Images\.mat is missing'),
            ('pool_4000.mat', r'pool_4000\.mat is missing'),
            ('test/train_test/Train_app10.mat', r'Train_app10\.mat is missing'),
        ],
    )
    def test_missing_files(self, movienet, file, words):
        (movienet / 'annotation' / file).unlink()
        with pytest.raises(DataError, match=words):
            read_movienet(movienet, 'test' if 'pool' in file else 'train')

    def test_mistakes(self, movienet, tmp_path):
        with pytest.raises(DataError, match='neither annotation/ nor anno_mvn-cs/'):
            read_movienet(tmp_path / 'nowhere', 'train')
        with pytest.raises(DataError, match=r"subset must be one of app10, .*, but got 'app5'"):
            read_movienet(movienet, 'train', 'app5')
        with pytest.raises(DataError, match="split must be 'train' or 'test', but got 'val'"):
            read_movienet(movienet, 'val')
        with pytest.raises(DataError, match="unknown MovieNet-PS protocol 'gallery_50'"):
            movienet_protocols(movienet, ['gallery_50'])
        path = movienet / TESTS / 'TestG4000.mat'
        table = loadmat(path)['TestG4000']
        savemat(path, {'TestG4000': table[:, ::-1]})
        with pytest.raises(DataError, match=r'TestG4000\.mat has other queries than .*TestG2000'):
            movienet_protocols(movienet)
        path.unlink()
        (movienet / TESTS / 'TestG2000.mat').unlink()
        with pytest.raises(DataError, match=r'has no TestG\*\.mat'):
            movienet_protocols(movienet)


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


class TestPoseTrack21:
    @pytest.mark.parametrize('folder', ['', 'annotations'])
    def test_data_set(self, tmp_path, folder):
        root = make_fake_posetrack21(tmp_path)
        if folder:
            (root / folder).mkdir()
            shutil.move(root / 'posetrack_person_search', root / folder / 'posetrack_person_search')
        train = PoseTrack21Dataset(data_root=str(root), num_identities=4)
        ids = [i['person_id'] for info in train for i in info['instances']]
        assert set(ids) == {0, 1, 2, 3}, '7, 10, 13, 16 in order'
        test = PoseTrack21Dataset(data_root=str(root), test_mode=True)
        assert [info['cam_id'] for info in test] == [0, 1] * 4
        queries = [q for info in test for q in info['queries']]
        assert sorted(q['query_id'] for q in queries) == [0, 1, 2]
        (task,) = test.protocols
        assert task.person_ids.tolist() == [500, 502, 504], 'not 999, who is in no other image'
        assert all(len(task.gallery(q)) == len(test) - 1 for q in range(3))

    def test_polygons(self, posetrack):
        scenes = read_posetrack21(posetrack, 'test')
        one, two, none = (scene.ignore_regions for scene in scenes[:3])
        assert [p.tolist() for p in one] == [[[100, 5], [150, 5], [150, 60]]], 'a flat list'
        assert [len(p) for p in two] == [4, 3]
        assert none == ()

    @pytest.mark.parametrize(
        ('file', 'edit', 'words'),
        [
            ('train', lambda c: c.pop('images'), "the field 'images' is missing"),
            ('train', lambda c: c.update(images=[]), 'expected at least one image'),
            ('train', lambda c: c['images'][2].pop('file_name'), r"images\[2\]: the field 'file_"),
            ('train', lambda c: c['annotations'][1].update(image_id=5), r'image_id 5 is not among'),
            ('train', lambda c: c['annotations'][1].update(bbox=[1, 2, 0, 4]), 'positive size'),
            ('train', lambda c: c['annotations'][1].update(person_id='x'), 'must be an integer'),
            ('train', lambda c: c['images'][0].update(ignore_regions_x=[1]), 'equally long lists'),
            ('train', lambda c: c['images'][0].update(ignore_regions_x=[1, 2, 'a']), 'of numbers'),
            ('query', lambda c: c['images'][0].update(file_name='x.jpg'), 'x.jpg is no image of'),
            ('query', lambda c: c.update(annotations=[]), 'nobody is seen in another image'),
        ],
    )
    def test_mistakes(self, posetrack, file, edit, words):
        change(posetrack / 'posetrack_person_search' / f'{file}.json', edit)
        test = read_posetrack21(posetrack, 'test')
        readers = {
            'train': lambda: read_posetrack21(posetrack, 'train'),
            'query': lambda: posetrack21_protocol(posetrack, test),
        }
        with pytest.raises(DataError, match=rf'{file}\.json.*{words}'):
            readers[file]()

    def test_missing(self, tmp_path, posetrack):
        with pytest.raises(DataError, match=r'posetrack_person_search is missing; docs/datasets'):
            read_posetrack21(tmp_path / 'nowhere', 'train')
        with pytest.raises(DataError, match="split must be 'train' or 'test'"):
            read_posetrack21(posetrack, 'val')


@pytest.mark.parametrize(
    ('name', 'maker'), [('movienet_ps', make_fake_movienet), ('posetrack21', make_fake_posetrack21)]
)
def test_base_config_ends_in_data_samples(tmp_path, monkeypatch, name, maker):
    monkeypatch.setenv('MMCLSA_DATA', str(tmp_path))
    root = maker(tmp_path / name)
    config = Config.fromfile(REPO / 'configs' / '_base_' / 'datasets' / f'{name}.py')
    assert config.data_root == str(root)
    for loader, mode in (('train_dataloader', False), ('test_dataloader', True)):
        settings = dict(config[loader].dataset)
        kind = dict(MovieNetPSDataset=MovieNetPSDataset, PoseTrack21Dataset=PoseTrack21Dataset)[
            settings.pop('type')
        ]
        if not mode:
            settings['num_identities'] = 4
        packed = kind(**settings)[1]
        assert packed['inputs'].shape[0] == 3
        assert ('query_instances' in packed['data_samples']) == mode


@pytest.mark.parametrize(
    ('name', 'maker', 'read', 'tasks'),
    [
        ('movienet_ps', make_fake_movienet, read_movienet, movienet_protocols),
        (
            'posetrack21',
            make_fake_posetrack21,
            read_posetrack21,
            lambda root: [posetrack21_protocol(root, read_posetrack21(root, 'test'))],
        ),
    ],
)
def test_perfect_predictions_are_evaluated_as_such(
    tmp_path, run_tool_here, name, maker, read, tasks
):
    root = maker(tmp_path / 'data', images=False)
    scenes, protocols = read(root, 'test'), tasks(root)
    save_perfect_predictions(tmp_path / 'p.npz', scenes, protocols[0])
    out = tmp_path / 'out.json'
    run_tool_here(
        'tools/analysis_tools/eval_search.py', tmp_path / 'p.npz', '--dataset', name,
        '--data-root', root, '--out', out,
    )  # fmt: skip
    report = json.loads(out.read_text())
    for protocol in protocols:
        assert report[protocol.name]['mAP'] == report[protocol.name]['top1'] == 1.0
    assert report['detection']['recall'] == report['detection']['ap'] == 1.0
