"""Refusing, when a pipeline is built, what cannot work with person ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmclsa.errors import ConfigError

__all__ = ['check_pipeline', 'steps_of']

_LOADER = 'loads boxes without person ids: use LoadPersonAnnotations'
_PACKER = 'does not know person ids: use PackPersonSearchInputs'
#: Transforms of MMDetection and MMCV, by name. All others keep ids with their boxes.
REFUSED = {
    'LoadAnnotations': _LOADER,
    'LoadEmptyAnnotations': _LOADER,
    'LoadLineAnnotations': _LOADER,
    'LoadPanopticAnnotations': _LOADER,
    'LoadTrackAnnotations': _LOADER,
    'PackDetInputs': _PACKER,
    'PackReIDInputs': _PACKER,
    'PackTrackInputs': _PACKER,
    'InstaBoost': 'rewrites annotations and loses person ids: use mmdet.CopyPaste',
    'RandomSamplingNegPos': (
        'reads labels as class numbers and drops boxes by them, but person search has one class: '
        'leave it out'
    ),
}
#: MMCV's transforms that compute with arrays; MMDetection's of that name take its boxes.
ARRAYS_ONLY = {
    'CenterCrop': 'use mmdet.RandomCrop',
    'RandomFlip': 'use mmdet.RandomFlip',
    'Resize': 'use mmdet.Resize (resize_type of a wrapper around it)',
}
LIBRARIES = ('mmcv', 'mmdet')


def steps_of(pipeline: Any) -> Iterator[Any]:
    """List the transforms of a pipeline, also those within wrappers.

    Args:
        pipeline: A transform, or lists, dicts and wrappers such as
            ``Compose``, ``RandomOrder`` or ``MultiBranch`` around transforms.

    Yields:
        Every transform once, the outer one before the inner ones.
    """
    return _walk(pipeline, set())


def _walk(part: Any, seen: set[int]) -> Iterator[Any]:
    if isinstance(part, (Mapping, list, tuple)):
        inner = part.values() if isinstance(part, Mapping) else part
    elif callable(part) and not isinstance(part, type) and hasattr(part, '__dict__'):
        if id(part) in seen:
            return
        seen.add(id(part))
        yield part
        inner = list(vars(part).values())
    else:
        return
    for one in inner:
        yield from _walk(one, seen)


def check_pipeline(pipeline: Iterable[Any]) -> None:
    """Refuse transforms that lose person ids or need labels to be class numbers.

    Raises:
        ConfigError: If there is one, naming it and what to use instead.
    """
    boxes_loaded = False
    for step in steps_of(pipeline):
        library, name = type(step).__module__.partition('.')[0], type(step).__name__
        boxes_loaded |= bool(getattr(step, 'with_bbox', False) and getattr(step, 'box_type', None))
        reason = None
        if library in LIBRARIES:
            reason = REFUSED.get(name)
        if library == 'mmcv' and name in ARRAYS_ONLY and boxes_loaded:
            reason = f'cannot compute with MMDetection boxes: {ARRAYS_ONLY[name]}'
        if reason:
            raise ConfigError(
                f'the pipeline of a person-search data set has {library}.{name}, which {reason}'
            )
