"""Is a data set on disk whole, and the published one? Counts, sizes, missing, broken pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.identities import images_with_doubles
from mmclsa.datasets.settling import REPORT
from mmclsa.datasets.storage import open_path
from mmclsa.datasets.transforms.loading import read_image
from mmclsa.errors import DataError
from mmclsa.media import VideoReader
from mmclsa.registry import DATASETS

__all__ = [
    'SplitReport',
    'check_picture',
    'decode_all',
    'find_datasets',
    'inspect_split',
    'pictures_of',
]


#: Name of a count.
DOUBLES = 'images with an identity twice'


@dataclass
class SplitReport:
    """What was found of one split.

    Attributes:
        title: Data set and split.
        counts: Figure by name, as found.
        expected: Figure by name, as published or as the config says; perhaps
            not all.
        missing: Pictures that are listed but absent.
        broken: A sentence for each picture that cannot be decoded.
        disagreements: A sentence for each place where annotations and
            pictures say different things.
        doubles: A sentence for each image that shows an identity twice, but
            not in the published data set, or the other way round.
        left_out: How many boxes are not used, by what they are.
        notes: What is to be known, but is not wrong.
        error: Why the annotations could not be read, or None.
        backend_args: Where the pictures are read from; None for local files.
    """

    title: str
    counts: Mapping[str, int] = field(default_factory=dict)
    expected: Mapping[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    backend_args: dict[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is wrong."""
        agrees = all(self.counts.get(name) == value for name, value in self.expected.items())
        wrong = self.missing or self.broken or self.disagreements or self.doubles or self.error
        return agrees and not wrong


def find_datasets(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """List the scene data sets of a config's data loaders.

    Wrappers (``PersonCropDataset``, ``RepeatDataset``, ``ConcatDataset``) are
    looked through; a data set that occurs twice is listed once. Of a pipeline
    only what says where pictures are read from (``backend_args``) is kept.

    Args:
        config: With ``train_dataloader``, ``val_dataloader``, ``test_dataloader``.

    Returns:
        Data set config by where it occurs first.
    """
    found: dict[str, dict[str, Any]] = {}
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = (config.get(loader) or {}).get('dataset')
        for index, leaf in enumerate(_leaves(dataset) if dataset else ()):
            bare = {k: v for k, v in leaf.items() if k not in ('pipeline', 'check_images')}
            loaders = [
                step
                for step in leaf.get('pipeline') or []
                if isinstance(step, Mapping) and step.get('backend_args')
            ]
            if loaders:
                bare['pipeline'] = loaders
            if bare not in found.values():
                found[loader.split('_')[0] + (f' {index + 1}' if index else '')] = bare
    return found


def _leaves(dataset: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    inner = dataset.get('datasets') or [dataset[key] for key in ('dataset',) if key in dataset]
    if not inner:
        yield dict(dataset)
    for part in inner:
        yield from _leaves(part)


def pictures_of(dataset: BasePersonSearchDataset) -> list[tuple[str, int | None]]:
    """List a data set's picture files, and videos with their last frame.

    Returns:
        Pairs of path and frame number; None for an image. Scenes without a
        file (made in memory) are left out.
    """
    last: dict[str, int | None] = {}
    for scene in dataset.scenes:
        place = dataset.locate(scene)
        if 'img_path' in place:
            frame = place.get('frame')
            before = last.get(place['img_path'])
            last[place['img_path']] = frame if before is None else max(before, frame or 0)
    return list(last.items())


def check_picture(
    path: str, frame: int | None, backend_args: dict[str, Any] | None = None
) -> str | None:
    """Decode a picture, or a video up to a frame.

    Returns:
        What is wrong with it, or None.
    """
    try:
        if frame is None:
            read_image(path, backend_args)
        else:
            _ = VideoReader(path)[frame]
    except DataError as error:
        return str(error)
    return None


def _makes_identities(kind: str | type) -> bool:
    made = DATASETS.get(kind) if isinstance(kind, str) else kind
    return bool(getattr(made, 'MAKES_IDENTITIES', False))


def inspect_split(where: str, config: dict[str, Any]) -> tuple[SplitReport, Sequence[Any]]:
    """Read a split's annotations and look for its pictures.

    Returns:
        The report, still without broken pictures, and the pictures that are
        there, for :func:`decode_all`.
    """
    config = {'pipeline': [], **config, 'check_images': REPORT}
    identities = config.get('num_identities')
    if not _makes_identities(config['type']):
        # Another number is reported beside the one that was found; it does not end the reading.
        config.pop('num_identities', None)
    try:
        dataset = DATASETS.build(config)
    except DataError as error:
        return SplitReport(f'{config["type"]} ({where})', error=str(error)), []
    expected = dict(dataset.PUBLISHED.get(dataset.split, {}))
    if identities is not None and not dataset.test_mode:
        expected['identities'] = identities
    title = f'{dataset.TITLE} ({where}), {dataset.data_root or "in memory"}'
    report = SplitReport(title[:1].upper() + title[1:], dict(dataset.counts()), expected)
    report.disagreements = list(dataset.disagreements)
    report.left_out = dataset.left_out
    report.notes = [dataset.identity_note] if dataset.identity_note else []
    _compare_doubles(dataset, report, expected)
    pictures = pictures_of(dataset)
    report.backend_args = dataset.picture_backend
    present = [p for p in pictures if open_path(p[0], report.backend_args).exists()]
    known = set(present)
    report.missing = [entry[0] for entry in pictures if entry not in known]
    return report, present


def _compare_doubles(
    dataset: BasePersonSearchDataset, report: SplitReport, expected: dict[str, int]
) -> None:
    """Compare the images that show an identity twice with the published ones."""
    published = dataset.SHOWN_TWICE.get(dataset.split)
    if published is None:
        return
    found = {str(PurePosixPath(name).stem) for name in images_with_doubles(dataset.scenes)}
    report.counts = {**report.counts, DOUBLES: len(found)}
    expected[DOUBLES] = len(published)
    report.doubles = [
        f'{name} shows an identity twice, but not in the published {dataset.TITLE}'
        for name in sorted(found - set(published))
    ] + [
        f'{name} shows an identity twice in the published {dataset.TITLE}, but not here'
        for name in published
        if name not in found
    ]


def decode_all(
    pictures: Sequence[tuple[str, int | None]],
    workers: int = 2,
    backend_args: dict[str, Any] | None = None,
) -> Iterator[str | None]:
    """Yield what is wrong with each picture, or None, in order.

    Args:
        pictures: As :func:`pictures_of` lists them.
        workers: Threads; OpenCV decodes without Python's lock.
        backend_args: Where they are read from; None for local files.
    """
    with ThreadPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(lambda p: check_picture(p[0], p[1], backend_args), pictures)
