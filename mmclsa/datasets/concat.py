"""Several person-search data sets as one."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import ConcatDataset
from mmengine.dataset import ConcatDataset as PlainConcatDataset

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.offsets import Offsets
from mmclsa.errors import ConfigError
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene, SearchProtocol

__all__ = [
    'CheckedConcatDataset',
    'ConcatPersonSearchDataset',
    'person_search_parts',
    'refuse_plain_concat',
]

#: What may differ between the parts, beside what every data set of MMDetection has.
_OWN_KEYS = ['num_identities', 'protocols', 'scenes']


def person_search_parts(dataset: Any) -> list[BasePersonSearchDataset]:
    """List the person-search data sets within wrappers.

    Args:
        dataset: A data set, or wrappers (with ``dataset`` or ``datasets``)
            around some.

    Returns:
        The outermost data sets of ours, in order. One that is made of others,
        such as ``PersonCropDataset``, is one.
    """
    if isinstance(dataset, BasePersonSearchDataset):
        return [dataset]
    return [part for one in _inner(dataset) for part in person_search_parts(one)]


@DATASETS.register_module()
class ConcatPersonSearchDataset(ConcatDataset):
    """Train or test on several person-search data sets at once.

    Each keeps its own pipeline. Identities are numbered through: those of
    the first data set, then those of the second, and so on; so are cameras
    and queries. -1 stays -1. Images are called ``<name>/<image>`` and
    protocols ``<name>_<protocol>``, so a test gives the figures of all data
    sets side by side, in one pass.

    To show one data set more often, wrap it: ``dict(type='RepeatDataset',
    times=3, dataset=...)``.

    Args:
        datasets: Configs of data sets of this package, or of wrappers around
            one each.
        names: A short name for each; by default the name of its
            ``data_root``, or of its type where it has none.
        num_identities: The sum that the config was written for; another one
            is an error. None accepts any.
        ignore_keys: Keys of ``metainfo`` that may differ, as for
            ``mmdet.ConcatDataset``.

    Raises:
        ConfigError: If names are missing or doubled, a part is none of
            ours, parts share pictures, some are for training and some for
            testing, or the number of identities is not as expected.
    """

    TITLE = 'ConcatPersonSearchDataset'

    def __init__(
        self,
        datasets: Sequence[dict[str, Any] | BasePersonSearchDataset],
        names: Sequence[str] | None = None,
        num_identities: int | None = None,
        ignore_keys: str | Sequence[str] | None = None,
    ) -> None:
        ignored = [ignore_keys] if isinstance(ignore_keys, str) else list(ignore_keys or [])
        super().__init__(datasets, ignore_keys=[*ignored, *_OWN_KEYS])
        self.parts = [self._only_part(index) for index in range(len(self.datasets))]
        names = _default_names(self.parts) if names is None else list(names)
        self._check(names)
        self.offsets = _offsets(names, self.parts)
        for part, offsets in zip(self.parts, self.offsets):
            part.offsets = offsets
        self.test_mode: bool = self.parts[0].test_mode
        self.num_identities = sum(part.num_identities for part in self.parts)
        if num_identities is not None and not self.test_mode:
            self._check_identities(num_identities, names)

    def _only_part(self, index: int) -> BasePersonSearchDataset:
        found = person_search_parts(self.datasets[index])
        if len(found) != 1 or found[0].offsets is not None:
            raise ConfigError(
                f'ConcatPersonSearchDataset.datasets[{index}] must be one person-search data set, '
                f'perhaps in a wrapper, and in no other ConcatPersonSearchDataset, but '
                f'{type(self.datasets[index]).__name__} has {len(found)}'
            )
        return found[0]

    def _check(self, names: Sequence[str]) -> None:
        if len(names) != len(self.parts) or len(set(names)) < len(names):
            raise ConfigError(
                f'ConcatPersonSearchDataset.names must have {len(self.parts)} different names, '
                f'one a data set, but is {list(names)}'
            )
        modes = [part.test_mode for part in self.parts]
        if len(set(modes)) > 1:
            raise ConfigError(
                f'the data sets of ConcatPersonSearchDataset have test_mode {modes}, but must be '
                'all for training or all for testing'
            )
        owners: dict[tuple[Any, ...], str] = {}
        for name, part in zip(names, self.parts):
            for picture in _pictures(part):
                if owners.setdefault(picture, name) != name:
                    raise ConfigError(
                        f'{picture[0]} is in {owners[picture]} and in {name}, so its people would '
                        'have two identities each: to show a data set more often, put it into a '
                        'RepeatDataset'
                    )

    def _check_identities(self, expected: int, names: Sequence[str]) -> None:
        if expected != self.num_identities:
            found = ' + '.join(
                f'{part.num_identities} ({name})' for name, part in zip(names, self.parts)
            )
            raise ConfigError(
                f'num_identities is {expected} in the config, but the data sets of '
                f'ConcatPersonSearchDataset have {found} = {self.num_identities} identities'
            )

    @property
    def scenes(self) -> list[Scene]:
        """The scenes of all data sets, placed."""
        return [
            p.scene(scene) for p, part in zip(self.offsets, self.parts) for scene in part.scenes
        ]

    @property
    def protocols(self) -> list[SearchProtocol]:
        """The retrieval tasks of all data sets, placed; in test mode only."""
        return [p.protocol(t) for p, part in zip(self.offsets, self.parts) for t in part.protocols]

    @property
    def metainfo(self) -> dict[str, Any]:
        """As of one data set; in test mode also ``parts``: name to number of scenes, in order."""
        info = dict(copy.deepcopy(self.parts[0]._metainfo), num_identities=self.num_identities)
        if self.test_mode:
            parts = {p.name: len(part.scenes) for p, part in zip(self.offsets, self.parts)}
            info.update(protocols=self.protocols, scenes=self.scenes, parts=parts)
        return info

    def counts(self) -> dict[str, int]:
        """Add up what the data sets count."""
        total: dict[str, int] = {}
        for part in self.parts:
            for name, count in part.counts().items():
                total[name] = total.get(name, 0) + count
        return total

    def load_picture(
        self, info: dict[str, Any], backend_args: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Load or make an item's picture, as its data set does."""
        return self._part_of(info).load_picture(info, backend_args)

    def _part_of(self, info: Mapping[str, Any]) -> BasePersonSearchDataset:
        names = [place.name for place in self.offsets]
        return self.parts[names.index(info['data_set'])]


@DATASETS.register_module(name='ConcatDataset')
class CheckedConcatDataset(PlainConcatDataset):
    """MMEngine's wrapper, for all but several person-search data sets.

    Args:
        datasets: Configs of data sets, or data sets.
        args: Of ``mmengine.ConcatDataset``.
        kwargs: Of ``mmengine.ConcatDataset``.

    Raises:
        ConfigError: If more than one of them is a person-search data set.
    """

    def __init__(self, datasets: Sequence[Any], *args: Any, **kwargs: Any) -> None:
        built = [DATASETS.build(one) if isinstance(one, dict) else one for one in datasets]
        _check_joined('ConcatDataset', built)
        super().__init__(built, *args, **kwargs)


def refuse_plain_concat(dataset: Any) -> None:
    """Refuse wrappers that count the people of several data sets from 0 each.

    Raises:
        ConfigError: If a wrapper other than ``ConcatPersonSearchDataset``
            joins several data sets with identities.
    """
    if hasattr(dataset, 'num_identities'):
        return
    own = getattr(dataset, '__dict__', {})
    _check_joined(type(dataset).__name__, own.get('datasets') or [])
    for inner in _inner(dataset):
        refuse_plain_concat(inner)


def _check_joined(kind: str, datasets: Sequence[Any]) -> None:
    count = sum(_has_identities(one) for one in datasets)
    if count > 1:
        raise ConfigError(
            f'{kind} joins {count} person-search data sets, which all count their people from 0, '
            'so two people would have one identity: use ConcatPersonSearchDataset'
        )


def _has_identities(dataset: Any) -> bool:
    return hasattr(dataset, 'num_identities') or any(map(_has_identities, _inner(dataset)))


def _inner(dataset: Any) -> list[Any]:
    """List the data sets in a wrapper; of its own, for some pass on what the inner one has."""
    own = getattr(dataset, '__dict__', {})
    return [one for one in own.get('datasets') or [own.get('dataset')] if one is not None]


def _default_names(parts: Sequence[BasePersonSearchDataset]) -> list[str]:
    return [Path(part.data_root).name if part.data_root else type(part).__name__ for part in parts]


def _offsets(names: Sequence[str], parts: Sequence[BasePersonSearchDataset]) -> list[Offsets]:
    """Let each data set's numbers begin where those of the one before end."""
    offsets, people, cams, queries = [], 0, 0, 0
    for name, part in zip(names, parts):
        offsets.append(Offsets(name, people, cams, queries))
        people += _count_people(part)
        cams += max([scene.cam_id for scene in part.scenes], default=-1) + 1
        queries += max([int(q) for task in part.protocols for q in task.query_ids], default=-1) + 1
    return offsets


def _count_people(part: BasePersonSearchDataset) -> int:
    """Count the numbers that a data set uses for people: in testing they have gaps."""
    if not part.test_mode:
        return part.num_identities
    ids = [scene.person_ids for scene in part.scenes] + [t.person_ids for t in part.protocols]
    return max([int(numbers.max()) for numbers in ids if len(numbers)], default=-1) + 1


def _pictures(part: BasePersonSearchDataset) -> Iterator[tuple[Any, ...]]:
    """List a data set's picture files, with the frame's number where it is a video."""
    source = part if not hasattr(part, 'dataset') else part.dataset
    for scene in part.scenes:
        place = source.locate(scene)
        if 'img_path' in place:
            yield place['img_path'], place.get('frame')
