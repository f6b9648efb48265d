"""The choices of other repositories, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional.flags import SearchFlags

__all__ = ['PRESETS', 'Preset', 'flags_for_thresholds', 'flags_of_metric', 'preset_flags']


@dataclass(frozen=True)
class Preset:
    """What a repository does differently from SeqNet.

    Attributes:
        flags: Flags of :class:`SearchFlags` for every data set.
        by_dataset: More of them for one data set each.
        cbgm: More of them where CBGM is on.
        cbgm_by_dataset: More of them for one data set, where CBGM is on.
        detection_thresh: Score from which detections take part in the
            detection figures.
    """

    flags: Mapping[str, Any] = field(default_factory=dict)
    by_dataset: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cbgm: Mapping[str, Any] = field(default_factory=dict)
    cbgm_by_dataset: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    detection_thresh: float = 0.01


_MATCHED = dict(query_feature='matched_det', similarity='cosine', duplicates='double')

PRESETS: Mapping[str, Preset] = {
    'seqnet': Preset(),
    'nae': Preset(flags=dict(duplicates='double')),
    'alignps': Preset(
        flags=_MATCHED,
        by_dataset=dict(cuhk_sysu=dict(det_thresh=0.2), prw=dict(det_thresh=0.15)),
    ),
    'pstr': Preset(
        flags=_MATCHED,
        by_dataset=dict(
            cuhk_sysu=dict(det_thresh=0.25, missing_query='skip'), prw=dict(det_thresh=0.3)
        ),
        cbgm=dict(duplicates='legacy', cbgm_value='mean', k1=30),
        cbgm_by_dataset=dict(cuhk_sysu=dict(k2=4), prw=dict(k2=3)),
    ),
    'gfn': Preset(flags=dict(similarity='cosine'), detection_thresh=0.5),
}


def preset_flags(name: str, dataset: str, **changes: Any) -> SearchFlags:
    """Set the flags as another repository does.

    Args:
        name: One of :data:`PRESETS`.
        dataset: ``cuhk_sysu``, ``prw`` or another; the thresholds of AlignPS
            and PSTR were chosen for each of the two.
        changes: Flags that are to differ from the preset.

    Returns:
        The flags.

    Raises:
        ConfigError: If there is no such preset or flag, or the preset has no
            detection threshold for the data set and ``changes`` gives none.

    Example:
        >>> preset_flags('alignps', 'prw').det_thresh
        0.15
    """
    if name not in PRESETS:
        raise ConfigError(f'preset must be one of {", ".join(PRESETS)}, but is {name!r}')
    preset = PRESETS[name]
    if preset.by_dataset and dataset not in preset.by_dataset and 'det_thresh' not in changes:
        raise ConfigError(
            f'preset {name} has a det_thresh for {", ".join(preset.by_dataset)} only: give one '
            f'for {dataset}'
        )
    chosen = {**preset.flags, **preset.by_dataset.get(dataset, {})}
    if changes.get('cbgm'):
        chosen.update({**preset.cbgm, **preset.cbgm_by_dataset.get(dataset, {})})
    try:
        return SearchFlags(**{**chosen, **changes})
    except TypeError as error:
        raise ConfigError(f'no such search flag: {error}') from None


def flags_for_thresholds(
    preset: str,
    dataset: str,
    det_thresh: float | Sequence[float] | None,
    changes: Mapping[str, Any],
) -> list[SearchFlags]:
    """Set the flags once for each detection threshold.

    Args:
        preset: As for :func:`preset_flags`.
        dataset: As for :func:`preset_flags`.
        det_thresh: One or several; None for the preset's.
        changes: Flags that are to differ from the preset.

    Returns:
        One for each threshold.

    Raises:
        ConfigError: As :func:`preset_flags`.

    Example:
        >>> [f.det_thresh for f in flags_for_thresholds('seqnet', 'prw', [0.5, 0.2], {})]
        [0.5, 0.2]
    """
    if det_thresh is None:
        return [preset_flags(preset, dataset, **changes)]
    values = list(det_thresh) if isinstance(det_thresh, Sequence) else [det_thresh]
    for value in values:
        if values.count(value) > 1:
            raise ConfigError(f'det_thresh lists {value:g} twice')
    return [preset_flags(preset, dataset, det_thresh=value, **changes) for value in values]


def flags_of_metric(metric: Mapping[str, Any]) -> list[SearchFlags]:
    """Say which flags a ``PersonSearchMetric`` of a config searches with.

    Args:
        metric: The metric's config.

    Returns:
        One for each of its detection thresholds.

    Raises:
        ConfigError: As :func:`preset_flags`.

    Example:
        >>> flags_of_metric(dict(type='PersonSearchMetric', preset='gfn'))[0].similarity
        'cosine'
    """
    known = {field.name for field in fields(SearchFlags)} - {'det_thresh'}
    return flags_for_thresholds(
        metric.get('preset', 'seqnet'),
        metric.get('dataset', 'coco'),
        metric.get('det_thresh'),
        {name: value for name, value in metric.items() if name in known},
    )
