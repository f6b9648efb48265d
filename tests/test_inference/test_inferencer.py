"""The inferencer: what it takes, what it gives, and that both agree about pixels."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmclsa.engine.inference_pipeline import inference_pipeline
from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.inference import PersonSearchInferencer
from mmclsa.inference.digests import config_digest
from tests.fakes.footage import scene, write, write_video

BOX = [[10.0, 12.0, 40.0, 60.0]]


def picture(seed: int = 0, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


class TestPredictions:
    def test_file_and_array_agree(self, inferencer, tmp_path):
        path = write(tmp_path / 'ein Bild ü.png', picture())
        from_file, from_array = inferencer([path, picture()])['predictions']
        assert from_file['source'] == str(path)
        assert from_array['source'] == ''
        assert from_file['time'] is None
        for key in ('bboxes', 'scores', 'embeddings'):
            assert np.allclose(from_file[key], from_array[key], atol=1e-4)
        assert len(from_file['scores']) > 0
        assert np.allclose(np.linalg.norm(from_file['embeddings'], axis=1), 1, atol=1e-5)
        json.dumps(from_file)

    def test_batches_agree_with_single_pictures(self, inferencer):
        pictures = [picture(seed) for seed in range(5)]
        single = inferencer(pictures)['predictions']
        batched = inferencer(pictures, batch_size=3)['predictions']
        for one, many in zip(single, batched):
            # In any order: of two equal scores rounding decides which is first.
            boxes = (np.array(found['bboxes']) for found in (one, many))
            apart = np.abs(next(boxes)[:, None] - next(boxes)[None]).max(axis=2)
            same = apart.argmin(axis=1)
            assert sorted(same) == list(range(len(many['bboxes'])))
            assert apart.min(axis=1).max() < 0.01
            others = np.array(many['embeddings'])[same]
            assert np.allclose(one['embeddings'], others, atol=1e-4)

    def test_grey_and_transparent_arrays(self, inferencer):
        grey = picture()[..., 0]
        alpha = np.dstack([grey] * 3 + [np.full_like(grey, 7)])
        results = inferencer([grey, alpha], return_embeddings=False)['predictions']
        assert results[0] == results[1]
        assert 'embeddings' not in results[0]

    def test_video_by_its_frames(self, inferencer, tmp_path):
        video = write_video(tmp_path / 'v.avi', 12, fps=10)
        found = inferencer(str(video), every=5, batch_size=2)['predictions']
        assert [(p['frame'], p['time']) for p in found] == [(0, 0.0), (5, 0.5), (10, 1.0)]

    def test_threshold(self, inferencer):
        scores = inferencer(picture())['predictions'][0]['scores']
        inferencer.det_thresh = sorted(scores)[len(scores) // 2]
        kept = inferencer(picture())['predictions'][0]['scores']
        assert kept == [score for score in scores if score >= inferencer.det_thresh]

    def test_drawings(self, inferencer, tmp_path):
        path = write(tmp_path / 'a.png', picture())
        result = inferencer(path, return_vis=True, img_out_dir=tmp_path / 'out')
        assert result['visualization'][0].shape == (96, 128, 3)
        drawn = cv2.imread(str(tmp_path / 'out' / 'a_000000.png'))
        assert drawn.shape == (96, 128, 3)
        assert (drawn != picture()).any()

    def test_datasamples(self, inferencer):
        (sample,) = inferencer(picture(), return_datasamples=True)['predictions']
        assert len(sample.pred_instances.embeddings) == len(sample.pred_instances)

    def test_unknown_option(self, inferencer):
        with pytest.raises(ValueError, match='unknown argument'):
            inferencer(picture(), speed=3)


class TestBoxes:
    @pytest.mark.parametrize('orientation', range(1, 9))
    def test_rotated_picture_and_its_box_agree(self, crop_inferencer, tmp_path, orientation):
        """A person is described alike, however the phone was held."""
        stored = picture()
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / 'a.png'
        Image.fromarray(stored[..., ::-1]).save(path, exif=exif)
        upright = cv2.imread(str(path), cv2.IMREAD_COLOR)
        assert (upright.shape != stored.shape) == (orientation >= 5)
        expected = crop_inferencer.embed_boxes(upright, BOX)
        assert np.allclose(crop_inferencer.embed_boxes(path, BOX), expected, atol=1e-5)
        found = crop_inferencer([path, upright])['predictions']
        assert np.allclose(found[0]['bboxes'], found[1]['bboxes'], atol=1e-3)

    def test_detections_are_described_as_boxes(self, inferencer):
        found = inferencer(picture())['predictions'][0]
        boxes = np.array(found['bboxes'])
        # A detection may reach out of the picture, where a given box is clipped.
        inside = ((boxes >= 0) & (boxes <= [128, 96, 128, 96])).all(axis=1)
        assert inside.any()
        again = inferencer.embed_boxes(picture(), boxes[inside])
        assert np.allclose(again, np.array(found['embeddings'])[inside], atol=1e-4)

    @pytest.mark.parametrize(
        ('box', 'words'),
        [
            ([200, 10, 250, 50], 'a pixel or more within its picture, 128 x 96'),
            ([-50, 10, 0.2, 50], 'a pixel or more'),
            ([40, 10, 20, 50], 'x1 < x2'),
            ([0, 0, float('nan'), 5], 'x1 < x2'),
            ([1, 2, 3], 'four numbers'),
            ('abcd', 'four numbers'),
        ],
    )
    def test_wrong_box(self, inferencer, box, words):
        with pytest.raises(UserError, match=words):
            inferencer.embed_boxes(picture(), [box])

    def test_box_is_clipped(self, inferencer):
        clipped = inferencer.embed_boxes(picture(), [[-30, -30, 60, 400]])
        assert np.allclose(clipped, inferencer.embed_boxes(picture(), [[0, 0, 60, 96]]), atol=1e-5)


class TestThreads:
    def test_preparing_in_threads_changes_nothing(self, inferencer):
        pictures = [picture(seed, (90 + seed, 128)) for seed in range(12)]
        with ThreadPoolExecutor(4) as pool:
            prepared = list(pool.map(inferencer.prepare, pictures))
        for data, one in zip(prepared, pictures):
            assert torch.equal(data['inputs'], inferencer.prepare(one)['inputs'])


class TestModel:
    def test_identity_is_of_weights_and_config(self, checkpoints, tmp_path):
        config, weights = checkpoints['scene'], checkpoints['scene_weights']
        fingerprint = PersonSearchInferencer(config, weights, 'cpu').fingerprint
        assert fingerprint.dims == 192
        content = torch.load(weights, weights_only=False)
        torch.save(dict(content, optimizer={}), tmp_path / 'same.pth')
        # The threshold is the user's, not the model's; the file's place does not matter either.
        same = PersonSearchInferencer(config, tmp_path / 'same.pth', 'cpu', det_thresh=0.9)
        assert same.fingerprint == fingerprint
        name = next(iter(content['state_dict']))
        content['state_dict'][name].view(-1)[0] += 1e-3
        torch.save(content, tmp_path / 'other.pth')
        other = PersonSearchInferencer(config, tmp_path / 'other.pth', 'cpu').fingerprint
        assert other.config == fingerprint.config
        assert other.weights != fingerprint.weights

    def test_weights_as_others_save_them(self, checkpoints, tmp_path):
        config, weights = checkpoints['scene'], checkpoints['scene_weights']
        state = torch.load(weights, weights_only=False)['state_dict']
        expected = PersonSearchInferencer(config, weights, 'cpu').fingerprint
        wrapped = {f'module.{name}': tensor for name, tensor in state.items()}
        for content in (state, {'model': wrapped, 'epoch': 3}):
            torch.save(content, tmp_path / 'a.pth')
            assert PersonSearchInferencer(config, tmp_path / 'a.pth', 'cpu').fingerprint == expected

    def test_pipeline_is_part_of_the_config(self):
        model = dict(type='A', train_cfg=dict(x=1))
        one = config_digest(model, [dict(type='Resize', scale=(416, 416))])
        assert one == config_digest(dict(type='A'), [dict(type='Resize', scale=[416, 416])])
        assert one != config_digest(dict(type='A'), [dict(type='Resize', scale=(640, 640))])

    def test_random_steps_of_a_test_are_left_out(self):
        """They need people who are annotated, and a picture has one description."""
        kinds = ('LoadSceneImage', 'LoadPersonAnnotations', 'RandomDownscale', 'mmdet.Resize')
        steps = [dict(type=kind) for kind in kinds]
        cfg = dict(test_dataloader=dict(dataset=dict(pipeline=steps)))
        kept = [step['type'] for step in inference_pipeline(cfg)]
        assert kept == ['LoadSceneImage', 'mmdet.Resize']

    def test_a_model_of_no_weights_is_the_same_each_time(self, checkpoints):
        """*seen*: an index of it could be neither searched nor built on."""
        before = torch.get_rng_state()
        with pytest.warns(UserWarning, match='No checkpoint'):
            one, two = (
                PersonSearchInferencer(checkpoints['crop'], device='cpu').fingerprint
                for _ in range(2)
            )
        assert one == two
        assert torch.equal(torch.get_rng_state(), before)

    def test_weights_that_the_config_names_and_that_are_not_there(self, checkpoints):
        """*seen*: a traceback of MMEngine."""
        cfg = Config.fromfile(checkpoints['crop'])
        cfg.model.reid.backbone.init_cfg = dict(type='Pretrained', checkpoint='nowhere.pth')
        words = r'nowhere\.pth that model\.reid\.backbone\.init_cfg names do not exist'
        with pytest.raises(ConfigError, match=words):
            PersonSearchInferencer(cfg, device='cpu')

    def test_config_from_the_weights(self, checkpoints):
        found = PersonSearchInferencer(weights=checkpoints['crop_weights'], device='cpu')
        named = PersonSearchInferencer(checkpoints['crop'], checkpoints['crop_weights'], 'cpu')
        assert found.fingerprint == named.fingerprint

    def test_threshold_limits_what_is_embedded(self, checkpoints):
        config, weights = checkpoints['scene'], checkpoints['scene_weights']
        inferencer = PersonSearchInferencer(config, weights, 'cpu', det_thresh=0.7)
        assert inferencer.model.detector.bbox_head.test_cfg.score_thr == 0.7
        assert PersonSearchInferencer(config, weights, 'cpu').det_thresh == 0.5

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            (dict(model='none.py'), 'none.py does not exist'),
            (dict(weights='none.pth'), 'none.pth does not exist'),
            ({}, 'must be a config'),
            (dict(model={'a': 1}), 'no field "model"'),
            (dict(model={'model': {}, 'test_dataloader': {}}), 'must begin with LoadSceneImage'),
        ],
    )
    def test_errors(self, options, words):
        with pytest.raises(ConfigError, match=words):
            PersonSearchInferencer(**options)

    def test_weights_of_another_model(self, checkpoints, tmp_path):
        torch.save({'state_dict': {'fc.weight': torch.ones(1)}}, tmp_path / 'a.pth')
        with pytest.raises(ConfigError, match='of another model'):
            PersonSearchInferencer(checkpoints['scene'], tmp_path / 'a.pth', 'cpu')

    def test_broken_picture_names_itself(self, inferencer, tmp_path):
        """One that is named is an error, also among others; predictions are those of the inputs."""
        bad, good = tmp_path / 'a.png', write(tmp_path / 'b.png', scene(0))
        bad.write_bytes(b'')
        for inputs in (bad, str(bad), [good, bad]):
            with pytest.raises(DataError, match=r'a\.png \(0 bytes\) is empty or broken'):
                inferencer(inputs)

    def test_not_an_input(self, inferencer):
        with pytest.raises(UserError, match='path or an array, not int'):
            inferencer([3])


class TestBrokenAmongOthers:
    """*Seen*: the first broken file of a folder ended all."""

    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / 'f [1]'
        for number in (1, 3):
            write(folder / f'{number}.png', scene(number))
        (folder / '0.png').write_bytes(b'')
        (folder / '2.jpg').write_bytes(b'no picture')
        (folder / 'v.avi').write_bytes(b'no video')
        write(folder / '4.png', np.zeros((2, 3000, 3), np.uint8))  # nothing is left once resized
        return folder

    @pytest.mark.parametrize('batch_size', [1, 2, 5])
    def test_the_others_are_looked_at(self, crop_inferencer, folder, tmp_path, batch_size):
        with pytest.warns(
            UserWarning, match=r'^4 files were not looked at, or not.*0\.png'
        ) as told:
            found = crop_inferencer(folder, batch_size=batch_size, out_dir=tmp_path / 'out')
        assert [p['source'][-5:] for p in found['predictions']] == ['1.png', '3.png']
        assert sorted(p.name for p in (tmp_path / 'out' / 'vis').iterdir()) == ['1.png', '3.png']
        (warning,) = [one for one in told if 'looked at' in str(one.message)]
        assert all(name in str(warning.message) for name in ('2.jpg', 'v.avi', '4.png'))
        assert warning.filename == __file__

    def test_lists_and_patterns_too(self, crop_inferencer, folder, tmp_path):
        (folder.parent / 'some.txt').write_text('f [1]/0.png\nf [1]/3.png\nnone.png\n')
        for inputs, count in ((folder.parent / 'some.txt', 2), (f'{tmp_path}/f*/[0-3].png', 1)):
            with pytest.warns(UserWarning, match=rf'^{count} files? w'):
                found = crop_inferencer(inputs)
            assert found['predictions'][-1]['source'] == str(folder / '3.png')

    def test_a_folder_of_nothing_else_is_an_error(self, crop_inferencer, folder):
        for name in ('1.png', '3.png'):
            (folder / name).unlink()
        with pytest.raises(DataError, match=r'^4 files were not looked at.*0\.png'):
            crop_inferencer(folder)

    def test_a_pipeline_that_fails_always_is_not_the_pictures_fault(
        self, crop_inferencer, folder, monkeypatch
    ):
        monkeypatch.setattr(crop_inferencer, 'prepare', lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            crop_inferencer(folder)


@pytest.mark.parametrize('device', ['cuda:97', 'gpu'])
def test_a_device_that_is_not_here(device):
    with pytest.raises(ConfigError, match=f"device must be one .* but is '{device}'"):
        PersonSearchInferencer('clsa_tiny_synthetic', device=device)
