"""One process or four: the same losses, gradients, memories and weights."""

import pytest
import torch

from tests.test_models.ranks import STEPS, train_branch, train_on_ranks

CLOSE = dict(rtol=0, atol=1e-9)


@pytest.fixture(scope='module')
def alone():
    """One process with all four pictures."""
    return train_branch(0, 1)


@pytest.fixture(scope='module', params=[2, 4])
def ranks(request, tmp_path_factory):
    """What the ranks of two or four processes found."""
    return train_on_ranks(request.param, tmp_path_factory.mktemp('ranks'))


@pytest.mark.timeout(300)
class TestRanks:
    def test_losses(self, alone, ranks):
        for step in range(len(STEPS)):
            for name, value in alone['losses'][step].items():
                mean = torch.stack([rank['losses'][step][name] for rank in ranks]).mean()
                torch.testing.assert_close(mean, value, msg=f'{step} {name}', **CLOSE)

    def test_gradients(self, alone, ranks):
        for name, value in alone['grads'].items():
            assert value.abs().max() > 1e-6, name
            for rank in ranks:
                torch.testing.assert_close(rank['grads'][name], value, **CLOSE)

    def test_weights_memory_and_queue_pointer(self, alone, ranks):
        memory = [name for name in alone['state'] if 'memory' in name]
        assert len(memory) == 9
        for name, value in alone['state'].items():
            for rank in ranks:
                torch.testing.assert_close(rank['state'][name], value, **CLOSE)
        assert alone['state']['reid.head.id_losses.0.memory.queue_pointer'] == 1 + 2 + 3 + 6 - 10
        assert alone['state']['reid.head.id_losses.0.memory.table'].abs().sum() > 0

    def test_one_collective_a_step_for_all_levels(self, ranks):
        for rank in ranks:
            assert rank['collectives'] == [1] * len(STEPS)


@pytest.mark.timeout(300)
def test_embedding_of_rois(tmp_path):
    """OIM, NAE and SeqNet: two processes have the losses, weights and memories of one."""
    alone = train_branch(0, 1, 'roi')
    ranks = train_on_ranks(2, tmp_path, 'roi')
    for step in range(len(STEPS)):
        for name, value in alone['losses'][step].items():
            mean = torch.stack([rank['losses'][step][name] for rank in ranks]).mean()
            torch.testing.assert_close(mean, value, msg=f'{step} {name}', **CLOSE)
    assert alone['state']['head.id_losses.0.memory.table'].abs().sum() > 0
    for name, value in alone['state'].items():
        for rank in ranks:
            torch.testing.assert_close(rank['state'][name], value, **CLOSE)
    assert all(rank['collectives'] == [1] * len(STEPS) for rank in ranks)
