"""P x K batches: composition, determinism, ranks, epochs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from mmengine.registry import DATA_SAMPLERS, DefaultScope
from torch.utils.data import DataLoader

from mmclsa.datasets.samplers import IdentityBalancedSampler
from mmclsa.errors import ConfigError


class People:
    """Person k has k + 1 pictures; then unlabelled and ignored ones."""

    def __init__(self, count=6):
        self.ids = [person for person in range(count) for _ in range(person + 1)]
        self.items = [self.item(person) for person in self.ids]
        self.items += [self.item(-1), self.item(2, ignore=1)]

    @staticmethod
    def item(person, ignore=0):
        return dict(instances=[dict(person_id=person, ignore_flag=ignore)])

    def __len__(self):
        return len(self.items)

    def get_data_info(self, index):
        return self.items[index]

    def __getitem__(self, index):
        return self.ids[index]


def batches(sampler, people, size):
    ids = [people[i] for i in sampler]
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def set_rank(monkeypatch, rank, world):
    path = 'mmclsa.datasets.samplers.identity_balanced.get_dist_info'
    monkeypatch.setattr(path, lambda: (rank, world))


def test_every_batch_has_p_people_k_times():
    people = People()
    sampler = IdentityBalancedSampler(people, 3, 4, seed=0, num_batches=50)
    drawn = batches(sampler, people, 12)
    assert len(drawn) == 50
    for batch in drawn:
        assert sorted(Counter(batch).values()) == [4, 4, 4]
        assert [batch[i : i + 4] for i in (0, 4, 8)] == [[p] * 4 for p in batch[::4]]
    # Everybody equally often, though one has six times the pictures of another.
    often = Counter(p for batch in drawn for p in batch[::4])
    assert set(often.values()) == {25}


def test_pictures_of_a_person_repeat_only_when_all_were_seen():
    people = People()
    sampler = IdentityBalancedSampler(people, 6, 2, seed=3, num_batches=3)
    drawn = np.array(list(sampler))
    for person in (3, 5):
        own = [i for i in drawn.tolist() if people.ids[i] == person]
        assert len(own) == 6
        count = person + 1
        assert len(set(own[: count - count % 2])) == count - count % 2
    lonely = [i for i in drawn.tolist() if people.ids[i] == 0]
    assert lonely == [0] * 6


def test_unlabelled_and_ignored_are_never_drawn():
    people = People()
    drawn = set(IdentityBalancedSampler(people, 6, 4, seed=0, num_batches=100))
    assert drawn == set(range(len(people.ids)))


def test_order_depends_on_seed_and_epoch_alone():
    people = People()

    def order(seed, epoch):
        sampler = IdentityBalancedSampler(people, 2, 2, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 4) == order(1, 4)
    assert order(1, 4) != order(1, 5)
    assert order(1, 4) != order(2, 4)
    sampler = IdentityBalancedSampler(people, 2, 2, seed=1)
    list(sampler)
    sampler.set_epoch(4)
    assert list(sampler) == order(1, 4), 'what was drawn before does not matter'


@pytest.mark.parametrize('world', [2, 3])
def test_ranks_share_the_batches_of_one_process(monkeypatch, world):
    people = People()
    shares = []
    for rank in range(world):
        set_rank(monkeypatch, rank, world)
        sampler = IdentityBalancedSampler(people, 2, 2, seed=0, num_batches=4)
        shares.append(batches(sampler, list(range(len(people.ids))), 4))
        assert len(sampler) == 16
    set_rank(monkeypatch, 0, 1)
    alone = IdentityBalancedSampler(people, 2, 2, seed=0, num_batches=4 * world)
    whole = batches(alone, list(range(len(people.ids))), 4)
    assert [shares[i % world][i // world] for i in range(4 * world)] == whole


class Cameras(People):
    """Ten people: 0-5 before camera 0, 6-8 before camera 1, 9 before camera 2."""

    def __init__(self):
        super().__init__(count=10)
        homes = [0] * 6 + [1] * 3 + [2]
        for item in self.items[: len(self.ids)]:
            item['cam_id'] = homes[item['instances'][0]['person_id']]


def test_batches_of_one_camera():
    people = Cameras()
    sampler = IdentityBalancedSampler(people, 4, 2, seed=0, num_batches=400, same_camera=True)
    groups = [set(batch) for batch in batches(sampler, people, 8)]
    assert all(len(group) == 4 for group in groups)
    kinds = Counter()
    for group in groups:
        first = group & {0, 1, 2, 3, 4, 5}
        # Camera 0 fills a batch; of 1 and 2 all come, and somebody else beside them.
        if len(first) == 4:
            kinds[0] += 1
        elif {6, 7, 8} <= group:
            kinds[1] += 1
        else:
            assert 9 in group
            kinds[2] += 1
    assert abs(kinds[0] / 400 - 0.6) < 0.1
    assert abs(kinds[1] / 400 - 0.3) < 0.1


def test_length_is_what_comes(monkeypatch):
    people = People()
    for world, expected in ((1, 6), (2, 3), (4, 2)):
        set_rank(monkeypatch, 0, world)
        sampler = IdentityBalancedSampler(people, 2, 2, seed=0)
        assert len(list(sampler)) == len(sampler) == 4 * expected


def test_works_in_a_data_loader_built_by_mmengine():
    people = People()
    with DefaultScope.overwrite_default_scope('mmclsa'):
        sampler = DATA_SAMPLERS.build(
            dict(type='IdentityBalancedSampler', num_persons=3, num_instances=2),
            default_args=dict(dataset=people, seed=5),
        )
    assert isinstance(sampler, IdentityBalancedSampler)
    assert sampler.seed == 5
    loader = DataLoader(people, batch_size=6, sampler=sampler)
    for batch in loader:
        assert sorted(Counter(batch.tolist()).values()) == [2, 2, 2]


@pytest.mark.parametrize(('persons', 'instances'), [(7, 2), (0, 2), (2, 0)])
def test_impossible_batches_are_refused(persons, instances):
    with pytest.raises(ConfigError, match='the data set has 6 people'):
        IdentityBalancedSampler(People(), persons, instances, seed=0)
