"""The memory across processes: two gloo ranks against one process."""

import socket

import pytest
import torch
import torch.multiprocessing as mp

from mmclsa.models.memory import IdentityMemory, gather_rows


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def make_batches(rank):
    generator = torch.Generator().manual_seed(rank)
    # Different sizes on the ranks, one of them empty, one without anybody labelled.
    sizes = ((3, 5), (0, 2), (4, 0), (6, 6))
    for step, size in enumerate(sizes):
        embeddings = torch.randn(size[rank], 4, generator=generator)
        ids = torch.randint(-1, 3, (size[rank],), generator=generator)
        yield embeddings, torch.full_like(ids, -1) if step == 3 else ids


def work(rank, port, folder):
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    memory = IdentityMemory(3, 4, 4)
    for embeddings, ids in make_batches(rank):
        memory.update(embeddings, ids)
    torch.save(memory.state_dict(), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.timeout(120)
def test_ranks_hold_the_memory_of_one_process(tmp_path):
    mp.spawn(work, (free_port(), str(tmp_path)), nprocs=2)
    alone = IdentityMemory(3, 4, 4)
    for (a, ia), (b, ib) in zip(make_batches(0), make_batches(1)):
        alone.update(torch.cat([a, b]), torch.cat([ia, ib]))
    for rank in range(2):
        state = torch.load(tmp_path / f'{rank}.pth')
        for name, value in alone.state_dict().items():
            assert torch.equal(state[name], value), (rank, name)


def test_gather_in_one_process_is_the_identity():
    rows = torch.rand(3, 2)
    assert gather_rows(rows) is rows
