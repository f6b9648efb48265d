"""The memory of identities against a loop."""

import pytest
import torch
import torch.nn.functional as F

from mmclsa.models.classifiers import OIMLoss
from mmclsa.models.memory import IdentityMemory


class LoopMemory:
    """Online instance matching, one person after the other."""

    def __init__(self, num_identities, queue_size, dims, momentum):
        self.table = torch.zeros(num_identities, dims)
        self.queue = torch.zeros(queue_size, dims)
        self.pointer, self.momentum = 0, momentum

    def update(self, embeddings, ids):
        for x, y in zip(F.normalize(embeddings), ids.tolist()):
            if y >= 0:
                row = self.momentum * self.table[y] + (1 - self.momentum) * x
                self.table[y] = row / row.norm()
            elif len(self.queue):
                self.queue[self.pointer] = x
                self.pointer = (self.pointer + 1) % len(self.queue)


@pytest.mark.parametrize('queue_size', [0, 1, 5, 8])
@pytest.mark.parametrize('momentum', [0.0, 0.5, 0.9])
def test_memory_equals_the_loop(queue_size, momentum):
    torch.manual_seed(0)
    memory = IdentityMemory(4, queue_size, 6, momentum)
    loop = LoopMemory(4, queue_size, 6, momentum)
    for size in (9, 0, 1, 30, 4):
        embeddings, ids = torch.randn(size, 6), torch.randint(-1, 4, (size,))
        memory.update(embeddings, ids)
        loop.update(embeddings, ids)
        torch.testing.assert_close(memory.table, loop.table)
        torch.testing.assert_close(memory.queue, loop.queue)
        assert memory.queue_pointer == loop.pointer


def test_memory_resumes_exactly_and_stays_float32():
    torch.manual_seed(0)
    first, second = IdentityMemory(3, 4, 5), IdentityMemory(3, 4, 5)
    batches = [(torch.randn(6, 5), torch.randint(-1, 3, (6,))) for _ in range(4)]
    for embeddings, ids in batches[:2]:
        first.update(embeddings.bfloat16(), ids)
    second.load_state_dict(first.state_dict())
    for memory in (first, second):
        for embeddings, ids in batches[2:]:
            memory.update(embeddings, ids)
        assert memory.table.dtype == memory.queue.dtype == torch.float32
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_what_is_not_finite_stays_out_of_the_memory(bad):
    torch.manual_seed(0)
    memory, without = IdentityMemory(3, 4, 5), IdentityMemory(3, 4, 5)
    for seen in (memory, without):
        seen.update(torch.ones(7, 5), torch.tensor([0, 1, 2, -1, -1, -1, -1]))
    embeddings, ids = torch.randn(5, 5), torch.tensor([0, 1, -1, 0, -1])
    spoilt = embeddings.clone()
    spoilt[0, 3] = spoilt[2, 0] = bad
    memory.update(spoilt, ids)
    without.update(embeddings[[1, 3, 4]], ids[[1, 3, 4]])
    assert torch.equal(memory.table, without.table)
    # The slot of the stranger who is left out keeps whom it had.
    assert torch.equal(memory.queue[0], F.normalize(torch.ones(1, 5))[0])
    assert torch.equal(memory.queue[1], F.normalize(embeddings[4:])[0])


def test_memory_of_a_float64_model():
    loss = OIMLoss(5, 3, queue_size=2).double()
    embeddings = torch.randn(4, 5, dtype=torch.float64)
    loss.update(embeddings, torch.tensor([0, 1, -1, 2]))
    assert loss.memory.table.dtype == torch.float64
    torch.testing.assert_close(loss.memory.queue[0], F.normalize(embeddings)[2], rtol=0, atol=1e-15)


def test_memory_refuses_a_wrong_momentum():
    with pytest.raises(ValueError, match=r'momentum must lie in \[0, 1\], but got 1.5'):
        IdentityMemory(1, 1, 1, momentum=1.5)
