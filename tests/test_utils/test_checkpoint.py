from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import get_torch_safe_globals

from mmclsa.errors import ConfigError
from mmclsa.utils.checkpoint import latest_checkpoint, read_checkpoint


def test_reads_more_than_tensors(tmp_path):
    """MMEngine keeps NumPy values of the log in its checkpoints."""
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': {'w': torch.ones(1)}, 'log': np.float64(1.5)}, path)
    assert read_checkpoint(path)['log'] == 1.5


def test_reads_a_log_within_mmengines_list_of_names(tmp_path):
    """MMEngine allows the true classes, under the names that our stand-ins have."""
    mmengines = get_torch_safe_globals()
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': {}, 'log': HistoryBuffer([1.0, 2.0], [1, 1])}, path)
    with torch.serialization.safe_globals(mmengines):
        before = set(torch.serialization.get_safe_globals())
        for _ in range(5):
            assert read_checkpoint(path)['log'].data[0].tolist() == [1.0, 2.0]
        assert set(torch.serialization.get_safe_globals()) == before


def truncated(path):
    torch.save({'state_dict': {'w': torch.ones(1000)}}, path)
    path.write_bytes(path.read_bytes()[:1500])


FAULTS = {
    'absent': (lambda path: None, 'does not exist'),
    'folder': (lambda path: path.mkdir(), 'does not exist'),
    'text': (lambda path: path.write_text('hello'), 'not a checkpoint'),
    'empty': (lambda path: path.write_bytes(b''), 'not a checkpoint'),
    'truncated': (truncated, 'not a checkpoint'),
    'tensor': (lambda path: torch.save(torch.ones(1), path), 'no field "state_dict"'),
    'weights': (lambda path: torch.save({'w': torch.ones(1)}, path), 'no field "state_dict"'),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_names_a_wrong_file(tmp_path, fault):
    path = tmp_path / 'a.pth'
    make, words = FAULTS[fault]
    make(path)
    with pytest.raises(ConfigError, match=words) as error:
        read_checkpoint(path)
    assert str(path) in str(error.value)


def test_latest_survives_a_move_of_the_folder(tmp_path):
    (tmp_path / 'epoch_2.pth').write_bytes(b'')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/work/epoch_2.pth')
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')


@pytest.mark.parametrize('content', [None, '', 'epoch_9.pth'])
def test_nothing_to_resume(tmp_path, content):
    if content is not None:
        (tmp_path / 'last_checkpoint').write_text(content)
    with pytest.raises(ConfigError):
        latest_checkpoint(tmp_path)
