import pytest
import torch

from mmclsa.models import gather
from mmclsa.models.gather import RowGatherer


def test_one_process_gives_back_what_it_got():
    rows = torch.rand(3, 2)
    assert RowGatherer()([rows])[0] is rows


class FakeRanks:
    """Stand-in of two ranks that hold the same number of columns."""

    def __init__(self, monkeypatch, other):
        self.other, self.calls = other, 0
        monkeypatch.setattr(gather, 'get_world_size', lambda: 2)
        monkeypatch.setattr(gather, 'get_rank', lambda: 0)
        monkeypatch.setattr(gather, 'all_gather', self)

    def __call__(self, rows):
        self.calls += 1
        return [rows, self._packed(len(rows) - 1, rows)]

    def _packed(self, capacity, like):
        buffer = like.new_zeros(capacity + 1, like.shape[1])
        buffer[0] = len(self.other)
        buffer[1 : 1 + len(self.other)] = self.other[:capacity]
        return buffer


@pytest.mark.parametrize('people', [0, 1, 3])
def test_columns_keep_type_order_and_shape(monkeypatch, people):
    FakeRanks(monkeypatch, torch.tensor([[16777215.0, 0.5, 0.25]]))
    ids, rows = RowGatherer()([torch.full((people,), -1), torch.rand(people, 2).bfloat16()])
    assert ids.tolist() == [-1] * people + [2**24 - 1]
    assert rows.dtype == torch.float32
    assert rows[-1].tolist() == [0.5, 0.25]


def test_a_batch_that_outgrows_the_buffer_enlarges_it_once(monkeypatch):
    ranks = FakeRanks(monkeypatch, torch.ones(1, 4))
    gatherer, rows = RowGatherer(capacity=2), torch.rand(5, 4)
    for calls in (2, 3):
        torch.testing.assert_close(gatherer([rows])[0], torch.cat([rows, torch.ones(1, 4)]))
        assert ranks.calls == calls
    assert gatherer.capacity == 256


def test_the_other_rank_outgrows_the_buffer(monkeypatch):
    FakeRanks(monkeypatch, torch.arange(12.0).reshape(6, 2))
    rows = RowGatherer(capacity=2)([torch.rand(1, 2)])[0]
    assert rows[1:].tolist() == torch.arange(12.0).reshape(6, 2).tolist()


def test_gradient_is_of_the_own_rows_times_the_number_of_ranks(monkeypatch):
    FakeRanks(monkeypatch, torch.ones(2, 3))
    rows = torch.rand(2, 3, requires_grad=True)
    (RowGatherer()([rows])[0] ** 2).sum().backward()
    torch.testing.assert_close(rows.grad, 2 * 2 * rows.detach())
