"""Queries, ranking and results, with indexes of a few vectors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmclsa.errors import ConfigError, UserError
from mmclsa.evaluation.functional import k_reciprocal_distances
from mmclsa.gallery import GalleryIndex, GalleryRecord, Hit, ModelFingerprint, SearchFilter
from mmclsa.gallery.building import BuildCommand, BuildFile, open_for_build
from mmclsa.inference import (
    GalleryHits,
    PersonSearchInferencer,
    QueryPerson,
    choose_queries,
    describe_queries,
    embedder_of_index,
    fuse_embeddings,
    load_record_pictures,
    rank_people,
)
from mmclsa.inference.searching import check_gallery
from tests.fakes.footage import scene, write, write_video
from tests.test_gallery.fakes import DIMS, FakeEmbedder

IDENTITY = ModelFingerprint('a' * 64, 'b' * 64, DIMS)


def make_index(path: Path, vectors: np.ndarray, **columns: list) -> GalleryIndex:
    """An index with a record a vector; ``frame`` tells the row."""
    index = GalleryIndex.create(path, IDENTITY)
    records = [
        GalleryRecord(
            source=columns.get('source', ['a.avi'] * len(vectors))[row],
            frame=row,
            time=float(row),
            box=(0.0, 0.0, 10.0, 20.0),
            score=0.9,
            camera=columns.get('camera', [''] * len(vectors))[row],
            track_id=columns.get('track_id', [-1] * len(vectors))[row],
        )
        for row in range(len(vectors))
    ]
    index.add(vectors, records)
    return index


def units(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def vectors() -> np.ndarray:
    return units(np.random.default_rng(0).normal(size=(60, DIMS)))


class TestRanking:
    def test_equals_sorting_all_similarities(self, tmp_path, vectors):
        feature = units(np.arange(1, DIMS + 1.0))
        with make_index(tmp_path / 'i', vectors) as index:
            hits = rank_people(index, feature, 7)
        order = np.argsort(-vectors @ feature)[:7]
        assert [hit.record.frame for hit in hits] == order.tolist()
        assert np.allclose([hit.similarity for hit in hits], (vectors @ feature)[order], atol=1e-6)

    def test_one_hit_of_each_track(self, tmp_path, vectors):
        tracks = [row // 20 if row < 50 else -1 for row in range(60)]
        with make_index(tmp_path / 'i', vectors, track_id=tracks) as index:
            hits = rank_people(index, vectors[3], 8, group_by_track=True)
            every = rank_people(index, vectors[3], 60)
        seen, expected = set(), []
        for hit in every:
            key = hit.record.track_id if hit.record.track_id >= 0 else ('row', hit.row)
            if key not in seen:
                expected.append(hit.row)
            seen.add(key)
        assert [hit.row for hit in hits] == expected[:8]

    def test_a_track_is_of_its_source(self, tmp_path, vectors):
        columns = dict(source=['a.avi', 'b.avi'] * 30, track_id=[0] * 60)
        with make_index(tmp_path / 'i', vectors, **columns) as index:
            hits = rank_people(index, vectors[3], 10, group_by_track=True)
        assert sorted(hit.record.source for hit in hits) == ['a.avi', 'b.avi']

    def test_filter_and_groups_still_find_as_many(self, tmp_path, vectors):
        columns = dict(camera=['n', 's'] * 30, track_id=[row // 4 for row in range(60)])
        with make_index(tmp_path / 'i', vectors, **columns) as index:
            where = SearchFilter(['s'], time_from=20.0)
            hits = rank_people(index, vectors[3], 8, where, group_by_track=True)
        assert len(hits) == 8
        assert all(hit.record.camera == 's' and hit.record.time >= 20 for hit in hits)

    def test_reranking_orders_the_first_anew(self, tmp_path, vectors, monkeypatch):
        monkeypatch.setattr('mmclsa.inference.searching.RERANK_DEPTH', 40)
        feature = units(np.arange(1, DIMS + 1.0))
        with make_index(tmp_path / 'i', vectors) as index:
            hits = rank_people(index, feature, 50, rerank=True)
            best = rank_people(index, feature, 5, rerank=True)
        order = np.argsort(-vectors @ feature)
        distances = k_reciprocal_distances(feature, vectors[order[:40]])
        expected = order[:40][np.argsort(distances, kind='stable')].tolist()
        assert expected != order[:40].tolist()
        assert [hit.row for hit in hits] == expected + order[40:50].tolist()
        assert [hit.row for hit in best] == expected[:5]

    def test_topk_is_checked(self, tmp_path, vectors):
        with make_index(tmp_path / 'i', vectors) as index, pytest.raises(ConfigError, match='topk'):
            rank_people(index, vectors[0], 0)


def test_fused_embedding_is_a_unit_vector_between():
    fused = fuse_embeddings(np.eye(3, dtype=np.float32))
    assert np.allclose(fused, 1 / np.sqrt(3))
    assert np.allclose(fuse_embeddings(np.array([[1.0, 0], [-1.0, 0]])), [1, 0])


class FakeInferencer(FakeEmbedder):
    det_thresh = 0.5


class TestQueries:
    def test_box_for_each_picture(self, tmp_path):
        path = write(tmp_path / 'a.png', scene(1))
        (one,) = choose_queries(FakeInferencer(), path, [1, 2, 30, 40])
        assert one.box.tolist() == [1, 2, 30, 40]
        two = choose_queries(FakeInferencer(), [path, scene(2)], [[1, 2, 30, 40], [5, 5, 999, 50]])
        assert two[1].box.tolist() == [5, 5, 96, 50]
        with pytest.raises(UserError, match='as many boxes as query pictures, 2, not 1'):
            choose_queries(FakeInferencer(), [path, path], [[1, 2, 3, 4]])

    def test_single_person_needs_no_choice(self):
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[:32, 48:] = 255
        (query,) = choose_queries(FakeInferencer(), picture)
        assert query.box.tolist() == [48, 0, 96, 32]

    def test_which_of_several(self, tmp_path):
        picture = np.full((64, 96, 3), 255, np.uint8)
        with pytest.raises(UserError, match=r'has 4 people.* 1 at 0 0 48 32 \(0.90\), 2 at 48 0'):
            choose_queries(FakeInferencer(), picture)
        (query,) = choose_queries(FakeInferencer(), picture, people=3)
        assert query.box.tolist() == [0, 32, 48, 64]
        (query,) = choose_queries(FakeInferencer(), picture, chooser=lambda *_: 2)
        assert query.box.tolist() == [48, 0, 96, 32]
        with pytest.raises(UserError, match='people 1 to 4, but person 5'):
            choose_queries(FakeInferencer(), picture, people=5)
        for number in (np.int64(3), torch.tensor(3), [np.int32(3)], (3,), np.array([3])):
            (query,) = choose_queries(FakeInferencer(), picture, people=number)
            assert query.box.tolist() == [0, 32, 48, 64]
        (query,) = choose_queries(FakeInferencer(), picture, [[1, 2, 30, 40]], people=[])
        assert query.box.tolist() == [1, 2, 30, 40]
        for number in (1.0, '1', [None, 1.0]):
            with pytest.raises(UserError, match='number of a person must be an integer, not'):
                choose_queries(FakeInferencer(), picture, people=number)

    def test_what_cannot_be_meant(self):
        """*Seen*: of a box and a person the latter was passed over in silence."""
        with pytest.raises(UserError, match=r'either a box or the number of a person .*, not both'):
            choose_queries(FakeInferencer(), scene(1), [1, 2, 30, 40], people=1)
        with pytest.raises(UserError, match='there must be a query picture'):
            choose_queries(FakeInferencer(), [], people=None)

    @pytest.mark.parametrize(
        ('gallery', 'kind'),
        [
            ([scene(1)], 'ndarray'),
            (scene(1), 'ndarray'),
            (iter(['a.jpg']), r'\w+'),
            (['a.jpg', None], 'NoneType'),
            (b'a.jpg', 'bytes'),
        ],
    )
    def test_a_gallery_of_no_paths(self, gallery, kind):
        with pytest.raises(ConfigError, match=f'gallery must be .*, but there is a {kind}$'):
            check_gallery(gallery)

    def test_the_embedding_that_finding_gave_is_not_computed_again(self, monkeypatch):
        embedder = FakeInferencer()
        picture = np.full((64, 96, 3), 255, np.uint8)
        (query,) = choose_queries(embedder, picture, people=3)
        (people,) = embedder.find_people([embedder.prepare(picture)])
        monkeypatch.setattr(FakeInferencer, 'embed_boxes', None, raising=False)
        fused = fuse_embeddings(people.embeddings[2:3])
        assert np.array_equal(describe_queries(embedder, [query]), fused)

    def test_nobody(self):
        with pytest.raises(UserError, match='nobody is found'):
            choose_queries(FakeInferencer(), np.zeros((8, 8, 3), np.uint8))


class TestResults:
    @pytest.fixture
    def result(self, tmp_path) -> GalleryHits:
        picture = write(tmp_path / 'Straße 人.png', scene(1))
        video = write_video(tmp_path / 'v.avi', 20)
        nan = float('nan')
        records = [
            GalleryRecord(str(video), 17, 1.7, (0, 0, 48, 32), 0.9, 'door', 3),
            GalleryRecord(str(picture), 0, nan, (48, 0, 96, 32), 0.8),
            GalleryRecord(str(video), 2, 1244721600.2, (0, 0, 48, 32), 0.7),
            GalleryRecord('gone.png', 0, nan, (0, 0, 48, 32), 0.7),
        ]
        hits = [Hit(n, 0.9 - n / 10, record) for n, record in enumerate(records)]
        return GalleryHits([QueryPerson(scene(1), np.array([0, 0, 48, 32]), 'q.png')], hits)

    def test_file(self, result, tmp_path):
        result.save(tmp_path / 'out ü')
        content = json.loads((tmp_path / 'out ü' / 'results.json').read_text(encoding='utf-8'))
        assert content['query'] == [{'image': 'q.png', 'box': [0, 0, 48, 32]}]
        assert content['hits'][0] == {
            'rank': 1,
            'row': 0,
            'similarity': 0.9,
            'source': str(tmp_path / 'v.avi'),
            'frame': 17,
            'time': 1.7,
            'camera': 'door',
            'box': [0, 0, 48, 32],
            'score': 0.9,
        }
        assert content['hits'][1]['time'] is None
        assert [hit['rank'] for hit in content['hits']] == [1, 2, 3, 4]

    def test_pictures(self, result, tmp_path):
        (tmp_path / 'out').mkdir()
        (tmp_path / 'out' / 'hit_004.jpg').write_bytes(b'own')
        names = [path.name for path in result.save(tmp_path / 'out')]
        hits = ['hit_001.jpg', 'hit_002.jpg', 'hit_003.jpg']  # the fourth picture is gone
        assert (tmp_path / 'out' / 'hit_004.jpg').read_bytes() == b'own'
        assert names == ['results.json', 'rank_list.png', *hits]
        drawn = cv2.imread(str(tmp_path / 'out' / 'hit_001.jpg')).astype(int)
        expected = scene(17 // 5)
        assert np.abs(drawn[40:, 60:] - expected[40:, 60:]).mean() < 12

    def test_pictures_of_an_earlier_search_go(self, result, tmp_path):
        """*Seen*: beside two hits lay pictures of ten, of whom eight were of another query."""
        out = tmp_path / 'out'
        replace(result, hits=[*result.hits[:3]] * 4).save(out)
        own = {'hit_013.jpg', 'hit_0012.jpg', 'hit_12.jpg', 'my hit_004.jpg'}
        (out / 'hit_011.jpg').unlink()
        (out / 'hit_011.jpg').mkdir()  # of whoever wants it there
        for name in own:
            (out / name).write_bytes(b'own')
        results = json.loads((out / 'results.json').read_text())
        del results['hits'][2:]  # as prune_gallery.py --person asks for
        results['scenes'] += ['../q.jpg', '/q.jpg', '']
        (out / 'results.json').write_text(json.dumps(results))
        (tmp_path / 'q.jpg').write_bytes(b'own')
        result.save(out)
        assert json.loads((out / 'results.json').read_text())['scenes'] == [
            *('hit_001.jpg', 'hit_002.jpg', 'hit_003.jpg')
        ]
        assert (tmp_path / 'q.jpg').exists()
        names = {path.name for path in out.iterdir()}
        assert names == own | {
            *('results.json', 'rank_list.png', 'hit_001.jpg', 'hit_002.jpg', 'hit_003.jpg'),
            'hit_011.jpg',
        }

    def test_interrupted_pictures_go_with_the_next(self, result, tmp_path, monkeypatch):
        many = replace(result, hits=[*result.hits[:3]] * 2)
        many.save(tmp_path)

        def stop(*_):
            raise KeyboardInterrupt

        two = replace(result, hits=result.hits[:2])
        with monkeypatch.context() as patched:
            patched.setattr(GalleryHits, '_scenes', stop)
            with pytest.raises(KeyboardInterrupt):
                two.save(tmp_path)
        two.save(tmp_path)
        assert {path.name for path in tmp_path.glob('hit_*')} == {'hit_001.jpg', 'hit_002.jpg'}

    def test_results_overwrite_nothing_that_is_searched(self, result, tmp_path):
        """*Seen*: ``--query found/hit_001.jpg --out-dir found`` drew over the query."""
        result.save(tmp_path / 'out')
        first = tmp_path / 'out' / 'hit_001.jpg'
        before = first.read_bytes()
        again = replace(result, query=[replace(result.query[0], source=str(first))])
        with pytest.raises(UserError, match=r'hit_001.jpg is a picture of this search'):
            again.save(tmp_path / 'out')
        assert first.read_bytes() == before
        again.save(tmp_path / 'out', scenes=False)

    @pytest.mark.parametrize('former', [None, '', '{"scenes": 3}', '{"scenes": ["hit_005.jpg"]}'])
    def test_footage_is_no_picture_of_an_earlier_search(self, result, tmp_path, former):
        out = tmp_path / 'out'
        out.mkdir()
        footage = out / 'hit_005.jpg'
        footage.write_bytes(b'footage')
        if former is not None:
            (out / 'results.json').write_text(former)
        hits = [
            replace(hit, record=replace(hit.record, source=str(footage))) for hit in result.hits
        ]
        replace(result, hits=hits).save(out, scenes=False)
        assert footage.read_bytes() == b'footage'

    def test_scenes_are_those_of_the_records(self, result):
        scenes = load_record_pictures([hit.record for hit in result.hits])
        assert scenes[3] is None
        for picture, seed in zip(scenes, (3, 1, 0)):
            assert np.abs(picture[..., ::-1].astype(int) - scene(seed)).mean() < 8

    def test_table(self, result):
        lines = result.table().splitlines()
        assert 'similarity' in lines[1]
        assert '0:00:01.7' in lines[3]
        assert 'door' in lines[3]
        assert '2009-06-11T12:00:00Z' in lines[5]

    def test_nothing_found(self, tmp_path):
        empty = GalleryHits([QueryPerson(scene(1), np.array([0, 0, 48, 32]))], [])
        assert len(empty.save(tmp_path)) == 2
        assert empty.to_dict()['hits'] == []


class TestSearch:
    """The whole way, by a model that was never trained: a picture finds itself."""

    @pytest.fixture
    def pictures(self, tmp_path) -> list[Path]:
        rng = np.random.default_rng(3)
        noise = [cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 3)]
        noise += [np.roll(noise[0], 31, axis=1), 255 - noise[0]]
        return [write(tmp_path / 'p' / f'{n}.png', one) for n, one in enumerate(noise)]

    @pytest.mark.parametrize('kind', ['folder', 'list', 'index', 'path'])
    def test_every_kind_of_gallery(self, crop_inferencer, pictures, tmp_path, kind):
        gallery = {'folder': pictures[0].parent, 'list': pictures}.get(kind)
        if gallery is None:
            build = BuildFile('', '', commands=(BuildCommand(()),))
            with open_for_build(tmp_path / 'i', crop_inferencer.fingerprint, build) as index:
                for path in pictures:
                    found = crop_inferencer(path)['predictions'][0]
                    index.add(
                        np.array(found['embeddings'], np.float32),
                        [
                            GalleryRecord(str(path), 0, 0.0, tuple(box), score)
                            for box, score in zip(found['bboxes'], found['scores'])
                        ],
                    )
                index.commit()
            gallery = tmp_path / 'i' if kind == 'path' else GalleryIndex.open(tmp_path / 'i')
        result = crop_inferencer.search(
            pictures[2], gallery=gallery, topk=3, person=1, out_dir=tmp_path / 'out'
        )
        assert len(result.hits) == 3
        best = result.hits[0]
        assert best.record.source == str(pictures[2])
        assert best.similarity == pytest.approx(1, abs=1e-3)
        assert (tmp_path / 'out' / 'rank_list.png').is_file()

    def test_the_found_embedding_is_that_of_the_box(self, crop_inferencer, pictures):
        (found,) = choose_queries(crop_inferencer, pictures[1], people=1)
        (given,) = choose_queries(crop_inferencer, pictures[1], found.box)
        assert found.embedding is not None
        assert given.embedding is None
        near = describe_queries(crop_inferencer, [given])
        assert np.abs(describe_queries(crop_inferencer, [found]) - near).max() < 1e-5

    def test_somebody_cut_off_by_the_border_finds_himself(self, inferencer, pictures):
        """What finding gave is what the gallery has, even where a box leaves the picture."""
        hits = inferencer.search(pictures[1], gallery=pictures, topk=1, person=1).hits
        assert hits[0].similarity == pytest.approx(1, abs=1e-5)

    def test_index_of_another_model(self, crop_inferencer, tmp_path, vectors, pictures):
        index = make_index(tmp_path / 'i', vectors)
        with index, pytest.raises(ConfigError, match='another model'):
            crop_inferencer.search(pictures[0], gallery=index, person=1)

    def test_model_of_an_index(self, checkpoints, tmp_path):
        names = checkpoints['scene'], checkpoints['scene_weights']
        inferencer = PersonSearchInferencer(*names, 'cpu')
        build = BuildFile(
            inferencer.cfg.pretty_text, names[1], commands=(BuildCommand((), det_thresh=0.3),)
        )
        open_for_build(tmp_path / 'i', inferencer.fingerprint, build).close()
        again = embedder_of_index(tmp_path / 'i', device='cpu')
        assert again.fingerprint == inferencer.fingerprint
        assert again.det_thresh == 0.3
        overridden = embedder_of_index(
            tmp_path / 'i', names[0], device='cpu', cfg_options={'model.reid.roi_size': (6, 3)}
        )
        assert overridden.cfg.model.reid.roi_size == (6, 3)
        with pytest.raises(ConfigError, match='--cfg-options: clown is neither'):
            embedder_of_index(tmp_path / 'i', names[0], cfg_options={'clown': 1})
        with pytest.raises(ConfigError, match='--config, which is not given'):
            embedder_of_index(tmp_path / 'i', cfg_options={'model.x': 1})

    def test_weights_that_moved(self, tmp_path):
        build = BuildFile('', str(tmp_path / 'gone.pth'), commands=(BuildCommand(()),))
        open_for_build(tmp_path / 'i', IDENTITY, build).close()
        with pytest.raises(ConfigError, match=r'gone\.pth .*no longer there'):
            embedder_of_index(tmp_path / 'i')

    def test_index_that_does_not_say(self, tmp_path, vectors):
        make_index(tmp_path / 'i', vectors).close()
        with pytest.raises(ConfigError, match='give the config and the checkpoint'):
            embedder_of_index(tmp_path / 'i')
