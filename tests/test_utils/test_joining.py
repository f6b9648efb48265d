"""One checkpoint from that of a detector and that of a re-ID network."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import init_default_scope

from mmclsa.compat import load_torch_file
from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS
from mmclsa.utils.joining import join_checkpoints
from tests.test_models.builders import build_searcher, crop_reid_cfg, faster_rcnn


@pytest.fixture(scope='module')
def searcher():
    return build_searcher('faster_rcnn', reid='crop', freeze_detector=True)


def part(searcher, name, prefix=''):
    return {f'{prefix}{key}': v for key, v in getattr(searcher, name).state_dict().items()}


def save(path, state, field='state_dict', **more):
    torch.save({field: state, **more} if field else state, path)
    return path


FORMS = {
    'each alone': ('', ''),
    'as PersonSearcher has them': ('detector.', 'reid.'),
    'detector by MMDetection': ('', 'reid.'),
    'wrapped by DDP': ('module.detector.', 'module.reid.'),
}


@pytest.mark.parametrize(('detector', 'reid'), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize('field', ['state_dict', 'model', ''])
def test_the_parts_are_found_whatever_they_are_called(searcher, tmp_path, detector, reid, field):
    files = [
        save(tmp_path / 'detector.pth', part(searcher, 'detector', detector), field),
        save(tmp_path / 'reid.pth', part(searcher, 'reid', reid), field),
    ]
    state = join_checkpoints(*files)['state_dict']
    expected = searcher.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(value, state[name]) for name, value in expected.items())


def test_the_other_part_of_each_file_is_left_out(searcher, tmp_path):
    """As a searcher that was trained behind another detector has it."""
    whole = {name: torch.full_like(v, 3) for name, v in searcher.state_dict().items()}
    one = save(tmp_path / 'a.pth', {**whole, **part(searcher, 'detector', 'detector.')})
    two = save(tmp_path / 'b.pth', {**whole, **part(searcher, 'reid', 'reid.')})
    state = join_checkpoints(one, two)['state_dict']
    assert all(torch.equal(value, state[name]) for name, value in searcher.state_dict().items())


def test_optimizers_logs_and_averages_stay_behind(searcher, tmp_path):
    """And the meta data says what people the re-ID network learnt."""
    more = dict(optimizer={'state': {}}, message_hub={}, param_schedulers=[])
    detector = save(
        tmp_path / 'd.pth',
        part(searcher, 'detector'),
        meta=dict(epoch=20, dataset_meta=dict(classes=('a', 'b'))),
        **more,
    )
    averages = {f'module.{name}': torch.zeros(1) for name in part(searcher, 'reid', 'reid.')}
    reid = save(
        tmp_path / 'r.pth',
        part(searcher, 'reid', 'reid.'),
        meta=dict(epoch=60, cfg='x = 1', dataset_meta=dict(classes=('person',), num_identities=6)),
        ema_state_dict={**averages, 'steps': torch.tensor(3)},
        **more,
    )
    joined = join_checkpoints(detector, reid)
    assert joined.keys() == {'meta', 'state_dict'}
    assert joined['meta'] == dict(
        joined=dict(detector='d.pth', reid='r.pth'),
        dataset_meta=dict(classes=('person',), num_identities=6),
    )
    searcher.load_state_dict(joined['state_dict'], strict=True)


def test_a_view_does_not_drag_its_storage_along(searcher, tmp_path):
    big = torch.zeros(1_000_000)
    state = {**part(searcher, 'detector'), 'backbone.view': big[:1]}
    detector = save(tmp_path / 'd.pth', state)
    joined = join_checkpoints(detector, save(tmp_path / 'r.pth', part(searcher, 'reid')))
    assert joined['state_dict']['detector.backbone.view'].untyped_storage().nbytes() < 100


class TestFaults:
    def faulty(self, searcher, tmp_path, detector=None, reid=None):
        files = {
            'd.pth': part(searcher, 'detector') if detector is None else detector,
            'r.pth': part(searcher, 'reid') if reid is None else reid,
        }
        with pytest.raises(ConfigError) as error:
            join_checkpoints(*(save(tmp_path / name, state) for name, state in files.items()))
        return str(error.value)

    @pytest.mark.parametrize('prefix', ['', 'reid.'])
    def test_the_wrong_order(self, searcher, tmp_path, prefix):
        told = self.faulty(searcher, tmp_path, part(searcher, 'reid', prefix))
        assert 'd.pth has a re-ID network and no detector: the detector comes first' in told

    @pytest.mark.parametrize('prefix', ['', 'detector.'])
    def test_two_detectors(self, searcher, tmp_path, prefix):
        told = self.faulty(searcher, tmp_path, None, part(searcher, 'detector', prefix))
        assert 'r.pth has no re-ID network' in told
        assert told.endswith('the detector comes first, the re-ID network second')

    def test_a_branch_that_shares_the_backbone(self, tmp_path):
        scene = build_searcher('faster_rcnn')
        told = self.faulty(scene, tmp_path, scene.state_dict(), scene.state_dict())
        assert 'r.pth has no backbone of its own (SceneReID' in told

    def test_a_backbone_alone(self, searcher, tmp_path):
        backbone = {k: v for k, v in part(searcher, 'detector').items() if k.startswith('backbone')}
        told = self.faulty(searcher, tmp_path, backbone)
        assert 'd.pth is no detector of MMDetection: a backbone and a head are expected' in told

    def test_what_is_not_finite(self, searcher, tmp_path):
        state = part(searcher, 'reid')
        name = next(name for name, value in state.items() if value.is_floating_point())
        told = self.faulty(searcher, tmp_path, None, {**state, name: state[name] * float('nan')})
        assert f'{name} in {tmp_path}/r.pth is not finite' in told


@pytest.fixture
def config(tmp_path):
    """The searcher of the other tests, as a config file."""
    init_default_scope('mmclsa')
    model = dict(
        type='PersonSearcher',
        detector=faster_rcnn()[0].to_dict(),
        reid=crop_reid_cfg(),
        freeze_detector=True,
    )
    path = tmp_path / 'config.py'
    path.write_text(f"default_scope = 'mmclsa'\nmodel = {model!r}\n")
    return path


class TestTool:
    TOOL = 'tools/model_converters/join.py'

    def test_with_its_config(self, searcher, tmp_path, config, run_tool_here):
        detector = save(tmp_path / 'd.pth', part(searcher, 'detector'))
        reid = save(tmp_path / 'r.pth', part(searcher, 'reid', 'reid.'))
        out = tmp_path / 'new' / 'joined.pth'
        said = run_tool_here(self.TOOL, detector, reid, '--out', out, '--config', config)
        joined = load_torch_file(out)
        assert "type='PersonSearcher'" in joined['meta']['cfg']
        MODELS.build(
            dict(
                type='PersonSearcher',
                detector=faster_rcnn()[0],
                reid=crop_reid_cfg(),
            )
        ).load_state_dict(joined['state_dict'])
        counts = [len(part(searcher, name)) for name in ('detector', 'reid')]
        assert f'{counts[0]} tensors of the detector' in said
        assert f'{counts[1]} of the re-ID network' in said

    def test_a_detector_of_another_config(self, searcher, tmp_path, config, run_tool_to_its_error):
        state = part(searcher, 'detector')
        name = next(iter(state))
        detector = save(tmp_path / 'd.pth', {k: v for k, v in state.items() if k != name})
        reid = save(tmp_path / 'r.pth', part(searcher, 'reid'))
        out = tmp_path / 'joined.pth'
        said = run_tool_to_its_error(self.TOOL, detector, reid, '--out', out, '--config', config)
        assert f'such as detector.{name}' in said
        assert not out.exists()

    def test_the_wrong_order(self, searcher, tmp_path, run_tool_to_its_error):
        detector = save(tmp_path / 'd.pth', part(searcher, 'detector'))
        reid = save(tmp_path / 'r.pth', part(searcher, 'reid'))
        said = run_tool_to_its_error(self.TOOL, reid, detector, '--out', tmp_path / 'joined.pth')
        assert 'the detector comes first' in said
        assert not (tmp_path / 'joined.pth').exists()

    def test_options_of_no_config(self, tmp_path, run_tool_to_its_error):
        said = run_tool_to_its_error(
            self.TOOL, 'd.pth', 'r.pth', '--out', tmp_path / 'j.pth', '--cfg-options', 'a=1'
        )
        assert '--config, which is not given' in said
