"""The inferencer takes what MMDetection's DetInferencer takes."""

from __future__ import annotations

import inspect
import json

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer

from mmclsa.errors import ConfigError, UserError
from mmclsa.inference import PersonSearchInferencer, model_names, open_gallery
from mmclsa.inference.model_names import find_config
from tests.fakes.footage import write, write_video
from tests.helpers import REPO
from tests.test_inference.test_inferencer import picture


@pytest.fixture(scope='module')
def inferencer(checkpoints):
    return PersonSearchInferencer(
        checkpoints['scene'], checkpoints['scene_weights'], 'cpu', det_thresh=0.25
    )


class TestCall:
    def test_every_argument_of_a_detector_is_known(self, inferencer):
        """Those for language models and panoptic maps have no meaning here."""
        theirs = inspect.signature(DetInferencer.__call__).parameters
        others = {'self', 'kwargs', 'texts', 'stuff_texts', 'custom_entities', 'tokens_positive'}
        own = set(inspect.signature(PersonSearchInferencer.__call__).parameters)
        own |= PersonSearchInferencer.visualize_kwargs | PersonSearchInferencer.postprocess_kwargs
        assert set(theirs) - others <= own

    def test_out_dir(self, inferencer, tmp_path):
        """Pictures of one name in two folders, an array and a video keep apart."""
        first = write(tmp_path / 'x' / 'street.jpg', picture(0))
        second = write(tmp_path / 'y' / 'street.png', picture(1))
        video = write_video(tmp_path / 'v.avi', 6)
        inputs = [first, str(second), picture(2), video]
        result = inferencer(inputs, every=5, batch_size=2, out_dir=tmp_path / 'out')
        names = ['street', 'street_1', '00000000', 'v_000000', 'v_000005']
        written = {path.name for path in (tmp_path / 'out' / 'preds').iterdir()}
        assert written == {f'{name}.json' for name in names}
        suffixes = ['.jpg', '.png', '.jpg', '.jpg', '.jpg']
        drawn = {path.name for path in (tmp_path / 'out' / 'vis').iterdir()}
        assert drawn == {name + suffix for name, suffix in zip(names, suffixes)}
        for name, prediction in zip(names, result['predictions']):
            assert json.loads((tmp_path / 'out/preds' / f'{name}.json').read_text()) == prediction
        assert (cv2.imread(str(tmp_path / 'out/vis/street_1.png')) != picture(1)).any()
        assert not result['visualization']
        inferencer([first, picture(3)], out_dir=tmp_path / 'out')
        assert len(list((tmp_path / 'out' / 'preds').iterdir())) == len(names) + 1

    @pytest.mark.parametrize(
        ('options', 'folders'),
        [
            (dict(no_save_vis=True), {'preds'}),
            (dict(no_save_pred=True), {'vis'}),
            (dict(no_save_pred=True, no_save_vis=True), set()),
            (dict(return_datasamples=True), {'preds', 'vis'}),
        ],
    )
    def test_what_is_written(self, inferencer, tmp_path, options, folders):
        inferencer(picture(), out_dir=tmp_path, **options)
        assert {path.name for path in tmp_path.iterdir()} == folders

    def test_drawing_leaves_out_the_uncertain(self, inferencer):
        scores = inferencer(picture())['predictions'][0]['scores']

        def draw(**options):
            result = inferencer(picture(), return_vis=True, **options)
            assert result['predictions'][0]['scores'] == scores  # it is about drawing alone
            return result['visualization'][0]

        plain = picture()[..., ::-1]
        assert np.array_equal(draw(draw_pred=False), plain)
        assert np.array_equal(draw(pred_score_thr=1.0), plain)
        some = draw(pred_score_thr=scores[0])
        assert (some != plain).any()
        assert (draw() != some).any()
        assert np.array_equal(draw(), draw(pred_score_thr=0.0))

    def test_a_result_is_printed_as_a_table(self, inferencer, tmp_path, capsys):
        path = write(tmp_path / 'a.png', picture())
        found = inferencer(path, print_result=True)['predictions'][0]
        shown = capsys.readouterr().out
        count = len(found['scores'])
        assert shown.startswith(f'{path}: {count} people\n')
        assert len(shown.splitlines()) == count + 5
        box = ' '.join(f'{value:.0f}' for value in found['bboxes'][0])
        assert f'| {found["scores"][0]:.3f} | {box}' in shown
        assert all(len(line) < 80 for line in shown.splitlines()[1:])  # no embeddings
        inferencer.det_thresh, before = 1.0, inferencer.det_thresh
        try:
            inferencer(path, print_result=True)
        finally:
            inferencer.det_thresh = before
        assert capsys.readouterr().out == f'{path}: no people\n'

    def test_datasamples_have_labels_as_the_dicts(self, inferencer):
        (sample,) = inferencer(picture(), return_datasamples=True)['predictions']
        (said,) = inferencer(picture())['predictions']
        assert sample.pred_instances.labels.tolist() == said['labels']

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            (dict(pred_score_thr=30), r'pred_score_thr must lie in 0\.\.1, but is 30'),
            (dict(batch_size=0), 'batch_size must be at least 1'),
            (dict(return_datasamples=4), 'the second argument is not batch_size'),
            (dict(out_dir='a', img_out_dir='b'), 'either out_dir or img_out_dir'),
        ],
    )
    def test_arguments_that_cannot_be_meant(self, inferencer, options, words):
        with pytest.raises(ConfigError, match=words):
            inferencer(picture(), **options)

    def test_folder_that_cannot_be_written_to(self, inferencer, tmp_path):
        (tmp_path / 'a').touch()
        with pytest.raises(UserError, match='cannot write'):
            inferencer(picture(), out_dir=tmp_path / 'a')


class TestSearch:
    @pytest.mark.parametrize('gallery', [{}, *(dict(gallery=none) for none in (None, [], (), ''))])
    def test_a_gallery_must_be_given(self, inferencer, gallery):
        with pytest.raises(ConfigError, match='gallery must be an index or its folder'):
            inferencer.search(picture(), **gallery)

    def test_hits_are_printed_as_a_table(self, inferencer, tmp_path):
        path = write(tmp_path / 'g' / 'a.png', picture())
        result = inferencer.search(path, gallery=tmp_path / 'g', topk=2)
        for text in (repr(result), str(result)):
            assert text == result.table()
        assert 'array' not in repr(result.query[0]).replace('box=array', '')

    def test_boxes_of_a_prediction(self, inferencer, tmp_path):
        """As dicts, data samples and tensors, of one person and of a person a picture."""
        path = write(tmp_path / 'g' / 'a.png', picture())
        (found,) = inferencer(path)['predictions']
        box = found['bboxes'][0]
        tensor = torch.tensor(box, requires_grad=True)
        (sample,) = inferencer(path, return_datasamples=True)['predictions']
        forms = (tensor, [tensor], tensor[None], {'bboxes': [box]}, sample.pred_instances[:1])
        with open_gallery(tmp_path / 'g', inferencer) as index:
            expected = inferencer.search(path, box, index, topk=1).to_dict()
            for given in forms:
                assert inferencer.search(path, given, index, topk=1).to_dict() == expected
            two = inferencer.search([path, path], [{'bboxes': tensor[None]}, tensor], index)
            assert len(two.query) == 2
            with pytest.raises(UserError, match='as many boxes as query pictures, 1'):
                inferencer.search(path, found, index)
        every = inferencer.embed_boxes(picture(), found)
        assert every.shape == (len(found['bboxes']), inferencer.fingerprint.dims)
        assert np.array_equal(every, inferencer.embed_boxes(picture(), sample))


class TestNames:
    @pytest.mark.filterwarnings('ignore:No checkpoint is loaded')
    def test_a_model_by_its_name(self):
        named = PersonSearchInferencer('clsa_tiny_synthetic', device='cpu')
        path = REPO / 'configs' / 'clsa' / 'clsa_tiny_synthetic.py'
        assert named._config_digest == PersonSearchInferencer(path, device='cpu')._config_digest

    def test_every_config_has_its_name(self):
        names = PersonSearchInferencer.list_models()
        files = {path.stem: path for path in (REPO / 'configs').glob('*/*.py')}
        assert set(names) == {*files} - {'default_runtime'}
        for name in names:
            assert find_config(name.upper()) == str(files[name])

    def test_a_file_goes_before_a_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / 'clsa_r50_cuhk').touch()
        assert find_config('clsa_r50_cuhk') == 'clsa_r50_cuhk'

    @pytest.mark.parametrize(
        ('name', 'words'),
        [
            ('clsa_mbv2_mot2pet', 'the closest names are clsa_mbv2_mot2pets'),
            ('nothing', "model 'nothing' is no file and no name of a config; names are such as"),
        ],
    )
    def test_an_unknown_name(self, name, words):
        with pytest.raises(ConfigError, match=words):
            PersonSearchInferencer(name)

    def test_a_package_without_configs(self, tmp_path, monkeypatch):
        monkeypatch.setattr(model_names, '_PACKAGE', tmp_path / 'mmclsa')
        with pytest.raises(ConfigError, match='installed without its configs'):
            find_config('clsa_r50_cuhk')
