"""The mistakes that a user of tools/train.py and tools/test.py can make."""

from __future__ import annotations

import shutil

import pytest
import torch

from tests.helpers import REPO, assert_user_error, run_python

CONFIG = 'configs/clsa/clsa_r50_cuhk.py'


@pytest.fixture
def tool(run_tool_to_its_error):
    """Give the short name that this file uses."""
    return run_tool_to_its_error


@pytest.mark.parametrize('script', ['tools/train.py', 'tools/test.py'])
class TestBoth:
    def test_config_absent(self, tool, script):
        assert 'configs/none.py does not exist' in tool(script, 'configs/none.py')

    def test_base_absent(self, tool, script, tmp_path):
        (tmp_path / 'a.py').write_text("_base_ = ['none.py']\n")
        assert 'none.py' in tool(script, tmp_path / 'a.py')

    def test_config_is_no_python(self, tool, script, tmp_path):
        (tmp_path / 'a.py').write_text('model = dict(\n')
        assert 'a.py cannot be read' in tool(script, tmp_path / 'a.py')

    def test_work_dir_unwritable(self, tool, script, tmp_path):
        (tmp_path / 'file').write_text('')
        message = tool(script, CONFIG, '--work-dir', tmp_path / 'file' / 'work')
        assert 'cannot write into the folder' in message
        assert 'file/work' in message

    def test_launcher_without_torchrun(self, tool, script, tmp_path):
        options = ['--cfg-options', 'model.detector.backbone.init_cfg=None']
        message = tool(script, CONFIG, '--work-dir', tmp_path, '--launcher', 'pytorch', *options)
        assert 'torchrun' in message

    def test_data_absent(self, tool, script, tmp_path, monkeypatch):
        monkeypatch.setenv('MMCLSA_DATA', str(tmp_path))
        options = ['--cfg-options', 'model.detector.backbone.init_cfg=None']
        message = tool(script, CONFIG, '--work-dir', tmp_path, *options)
        assert 'cuhk_sysu' in message
        assert 'docs/datasets.md' in message


class TestTrain:
    def test_nothing_to_resume(self, tool, tmp_path):
        message = tool('tools/train.py', CONFIG, '--work-dir', tmp_path, '--resume')
        assert f'nothing to resume in {tmp_path}' in message

    def test_auto_starts_anew_where_nothing_is(self, tool, tmp_path, monkeypatch):
        """It comes as far as the data set, which is not there."""
        monkeypatch.setenv('MMCLSA_DATA', str(tmp_path))
        options = ['--cfg-options', 'model.detector.backbone.init_cfg=None']
        work_dir = tmp_path / 'work'
        message = tool(
            'tools/train.py', CONFIG, '--work-dir', work_dir, '--resume', 'auto', *options
        )
        assert 'nothing to resume' not in message
        assert 'cuhk_sysu' in message

    def test_resume_from_an_absent_file(self, tool, tmp_path):
        message = tool('tools/train.py', CONFIG, '--work-dir', tmp_path, '--resume', 'none.pth')
        assert 'the checkpoint none.pth does not exist' in message

    def test_resume_from_weights_alone(self, tool, tmp_path):
        torch.save({'state_dict': {}}, tmp_path / 'a.pth')
        message = tool(
            'tools/train.py', CONFIG, '--work-dir', tmp_path, '--resume', tmp_path / 'a.pth'
        )
        assert 'no field "optimizer"' in message

    @pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
    def test_amp_without_gpu(self, tool, tmp_path):
        assert '--amp needs a GPU' in tool(
            'tools/train.py', CONFIG, '--work-dir', tmp_path, '--amp'
        )


class TestTest:
    @pytest.mark.parametrize(
        ('content', 'words'),
        [
            (None, 'does not exist'),
            ('text', 'not a checkpoint'),
            ({'state_dict': {'fc.weight': torch.ones(1)}}, 'of another model'),
        ],
    )
    def test_wrong_checkpoint(self, tool, tmp_path, content, words):
        path = tmp_path / 'a.pth'
        if isinstance(content, str):
            path.write_text(content)
        elif content:
            torch.save(content, path)
        message = tool('tools/test.py', CONFIG, path, '--work-dir', tmp_path)
        assert words in message
        assert str(path) in message

    def test_out_is_npz(self, tool, tmp_path):
        """As MMDetection asks for .pkl, and before anything is run."""
        message = tool('tools/test.py', CONFIG, '--work-dir', tmp_path, '--out', 'results.pkl')
        assert '--out must end in .npz, but is results.pkl' in message

    def test_out_without_search_metric(self, tool, tmp_path):
        shutil.copytree(REPO / 'configs', tmp_path / 'configs')
        leaf = tmp_path / 'configs' / 'clsa' / 'other.py'
        leaf.write_text(
            "_base_ = ['clsa_r50_cuhk.py']\n"
            "test_evaluator = dict(_delete_=True, type='mmdet.CocoMetric')\n"
        )
        message = tool('tools/test.py', leaf, '--work-dir', tmp_path, '--out', tmp_path / 'p.npz')
        assert 'PersonSearchMetric' in message


@pytest.mark.parametrize('script', ['tools/train.py', 'tools/test.py'])
def test_as_a_process(script, tmp_path):
    """Exit code and stderr as a shell sees them."""
    assert_user_error(run_python(script, 'configs/none.py', PYTHONPATH=str(REPO)), 'does not exist')
