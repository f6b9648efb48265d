"""Where a config says that weights are: in an index, beside the description of its model."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError

__all__ = ['bare_type', 'find_places', 'is_complete', 'machine_settings', 'restore_places']

# What says where a network of another's is and how it runs, not what it computes, by type.
_OF_THE_MACHINE: Mapping[str, tuple[str, ...]] = {
    'OnnxReID': ('file', 'threads', 'providers', 'max_crops'),
}
_PLACE = re.compile(r'model(\.\w+)*\.(init_cfg\.(checkpoint|prefix)|file)')
_ADDRESS = '://'


def bare_type(cfg: Mapping[str, Any]) -> str:
    """Give the name of a config's type without its scope.

    Example:
        >>> bare_type(dict(type='mmdet.YOLOX')), bare_type(dict(depth=3))
        ('YOLOX', '')
    """
    kind = cfg.get('type') or ''
    return (kind if isinstance(kind, str) else getattr(kind, '__name__', '')).rpartition('.')[2]


def machine_settings(cfg: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the settings of a part on which its embeddings do not depend.

    Example:
        >>> machine_settings(dict(type='OnnxReID'))[:2], machine_settings(dict(type='CropReID'))
        (('file', 'threads'), ())
    """
    return _OF_THE_MACHINE.get(bare_type(cfg), ())


def is_complete(model: Mapping[str, Any]) -> bool:
    """Tell whether files that a config names are all the weights of its searcher.

    Returns:
        Whether detector and re-ID branch are each pretrained as a whole, or
        from another's file, so that there is no checkpoint of ours.

    Example:
        >>> pretrained = dict(type='Pretrained', checkpoint='yolox.pth')
        >>> is_complete(dict(detector=dict(init_cfg=pretrained), reid=dict(type='OnnxReID')))
        True
    """
    detector, reid = model.get('detector') or {}, model.get('reid') or {}
    return _is_pretrained(detector) and (bool(machine_settings(reid)) or _is_pretrained(reid))


def _is_pretrained(part: Mapping[str, Any]) -> bool:
    given = part.get('init_cfg')
    return isinstance(given, Mapping) and bare_type(given) == 'Pretrained'


def find_places(model: Mapping[str, Any], initial: bool = True) -> dict[str, str]:
    """List the files that a model is of, beside its checkpoint.

    Args:
        model: Config of the model.
        initial: Those that it is initialised from, too: where there is no
            checkpoint.

    Returns:
        Dotted name of the setting to path, absolute where it is a file's.

    Example:
        >>> find_places(dict(reid=dict(type='OnnxReID', file='/nets/a.onnx')))
        {'model.reid.file': '/nets/a.onnx'}
    """
    found = dict(_places(model, 'model'))
    return {name: path for name, path in found.items() if initial or '.init_cfg.' not in name}


def _places(cfg: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(cfg, (list, tuple)):
        for number, item in enumerate(cfg):
            yield from _places(item, f'{name}.{number}')
    if not isinstance(cfg, Mapping):
        return
    if bare_type(cfg) == 'Pretrained' and name.endswith('.init_cfg') and cfg.get('checkpoint'):
        yield f'{name}.checkpoint', _absolute(str(cfg['checkpoint']))
        if cfg.get('prefix'):
            yield f'{name}.prefix', str(cfg['prefix'])
    if 'file' in machine_settings(cfg) and cfg.get('file'):
        yield f'{name}.file', _absolute(str(cfg['file']))
    for key, value in cfg.items():
        yield from _places(value, f'{name}.{key}')


def _absolute(path: str) -> str:
    return path if _ADDRESS in path else os.path.abspath(os.path.expanduser(path))


def restore_places(cfg: Any, places: Mapping[str, str], where: str) -> None:
    """Put the places that an index of any author notes back into the config of its model.

    Args:
        cfg: MMEngine's ``Config`` of the model's description, which is changed.
        places: What :func:`find_places` gave.
        where: The file that they are from, for messages.

    Raises:
        ConfigError: If a place is no setting for weights or no file on this
            machine, or the file is not there.
    """
    for name, path in places.items():
        if not _PLACE.fullmatch(name):
            raise ConfigError(f'{where} names a file for {name[:80]}, which is no place of weights')
        if not name.endswith('.prefix'):
            _check_file(path, name, where)
        options = {name: path}
        if '.init_cfg.' in name:
            options[f'{name.rpartition(".")[0]}.type'] = 'Pretrained'
        elif not _takes_file(cfg, name):
            raise ConfigError(f'{where} names a file for {name[:80]}, which takes none')
        try:
            cfg.merge_from_dict(options)
        except (AttributeError, KeyError, TypeError) as error:
            raise ConfigError(
                f'{where} names a file for {name[:80]}, which is not there'
            ) from error


def _check_file(path: str, name: str, where: str) -> None:
    if _ADDRESS in path:
        raise ConfigError(f'{where} names {path} for {name}, no file: give the config')
    if not Path(path).is_file():
        raise ConfigError(
            f'{path}, which {where} names for {name}, is no longer there: give the config that '
            'the index was built with (--config), with the place where the file is now'
        )


def _takes_file(cfg: Any, name: str) -> bool:
    part = cfg
    for key in name.split('.')[:-1]:
        part = part.get(key) if isinstance(part, Mapping) or part is cfg else None
    return isinstance(part, Mapping) and 'file' in machine_settings(part)
