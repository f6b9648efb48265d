"""The part of a config that embeds pictures, as data that may come from anyone.

An index (``build.json``) and a checkpoint (``meta``) carry it, so that a model
can be built again without its config file. A config file is a program; this is
not: registered classes by their names, numbers, and short words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mmengine.config import Config

from mmclsa.engine.inference_pipeline import configured_flags, inference_pipeline
from mmclsa.errors import ConfigError
from mmclsa.utils.plain_config import from_json, parse_config_text, to_json
from mmclsa.utils.trust import HOW_TO_TRUST, checkpoints_are_trusted
from mmclsa.utils.weight_places import machine_settings

__all__ = [
    'META_FIELD',
    'config_of_checkpoint',
    'config_of_description',
    'config_of_text',
    'describe_model',
]

META_FIELD = 'mmclsa_model'
_SCOPES = ('mmclsa', 'mmdet', 'mmengine')
_FIELDS = ('model', 'pipeline', 'det_thresh')
# What is no class of a registry but a name in mmcv.ops, by the end of its
# field. MMCV evaluates the name of a suppression as an expression.
_OPERATIONS = {
    'nms': ('nms', 'soft_nms', 'nms_match', 'nms_rotated', 'nms_quadri'),
    'roi_layer': (
        'RoIAlign',
        'RoIPool',
        'SimpleRoIAlign',
        'DeformRoIPoolPack',
        'ModulatedDeformRoIPoolPack',
    ),
}
# Where weights come from; those that belong to the description are loaded over them.
_PLACES_OF_WEIGHTS = ('init_cfg', 'pretrained')
# Looked up among the outputs of a graph, whose names are anything.
_OUTPUT = 'model.reid.output'
# No path, no address, no expression that could be evaluated.
_WORD = re.compile(r'[\w .+-]*')
_FILE = re.compile(r'.*\.(py|json|ya?ml|pth?|pkl|pickle|npy|npz|bin|onnx|txt)', re.IGNORECASE)


def describe_model(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the model and test pipeline of a config as data.

    Args:
        cfg: A config with ``model`` and ``test_dataloader``.

    Returns:
        ``model``, ``pipeline`` and ``det_thresh`` in what JSON can say.
        Places of weights are left out.

    Raises:
        ConfigError: If the config has no model or test pipeline, or one that
            cannot be said as data.

    Example:
        >>> loader = dict(dataset=dict(pipeline=[dict(type='LoadSceneImage')]))
        >>> said = describe_model(dict(model=dict(type='A'), test_dataloader=loader))
        >>> said['model'], said['det_thresh']
        ({'type': 'A'}, 0.5)
    """
    if 'model' not in cfg:
        raise ConfigError('the config has no field "model"')
    return {
        'model': to_json(_without_weights(cfg['model']), 'model'),
        'pipeline': to_json(inference_pipeline(cfg), 'pipeline'),
        'det_thresh': configured_flags(cfg).det_thresh,
    }


def config_of_description(description: object, where: str) -> Config:
    """Make a config from the output of :func:`describe_model`, from any author.

    Args:
        description: Parsed JSON, anything.
        where: The file that it is from, for messages.

    Returns:
        A config with ``model``, ``test_dataloader`` and ``test_evaluator``.

    Raises:
        ConfigError: If it is no description, or names a class that no registry
            of mmclsa, MMDetection and MMEngine has, a file or an address.
    """
    fields = description if isinstance(description, dict) else {}
    model, pipeline, det_thresh = (from_json(fields.get(name)) for name in _FIELDS)
    if not (
        set(fields) == set(_FIELDS)
        and isinstance(model, dict)
        and isinstance(pipeline, list)
        and isinstance(det_thresh, (int, float))
    ):
        raise ConfigError(
            f'{where} does not describe a model: it must have a dict "model", a list "pipeline" '
            'and a number "det_thresh", and nothing else'
        )
    _check(model, 'model', ('MODELS', 'TASK_UTILS'), where)
    _check(pipeline, 'pipeline', ('TRANSFORMS',), where)
    return Config(
        dict(
            model=model,
            test_dataloader=dict(dataset=dict(pipeline=pipeline)),
            test_evaluator=dict(det_thresh=det_thresh),
        )
    )


def config_of_text(text: str, where: str) -> Config:
    """Make a config of the text that mmclsa and MMEngine kept before there were descriptions.

    Args:
        text: Python, as ``Config.pretty_text`` gives it.
        where: The file that it is from, for messages.

    Returns:
        As :func:`config_of_description`; where checkpoints are trusted, the
        config that running the text gives.

    Raises:
        ConfigError: If the text is more than data, or says what a description
            may not say.
    """
    if checkpoints_are_trusted():
        return Config.fromstring(text, '.py')
    try:
        fields = parse_config_text(text, where)
    except ConfigError as error:
        raise ConfigError(f'{error}: give the config file, or, {HOW_TO_TRUST}') from error
    try:
        description = describe_model(Config(fields))
    except (ConfigError, AttributeError, IndexError, KeyError, TypeError) as error:
        raise ConfigError(
            f'the config in {where} says as data of no model that pictures go through ({error}): '
            f'give the config file, or, {HOW_TO_TRUST}'
        ) from error
    return config_of_description(description, where)


def config_of_checkpoint(checkpoint: Mapping[str, Any], where: str) -> Config | None:
    """Make a config from the model description in a checkpoint.

    Args:
        checkpoint: With ``meta``.
        where: Its file, for messages.

    Returns:
        As :func:`config_of_text`; None if the checkpoint says nothing.

    Raises:
        ConfigError: As :func:`config_of_text`.
    """
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    said, text = meta.get(META_FIELD), meta.get('cfg')
    if isinstance(said, str) and not checkpoints_are_trusted():
        try:
            description = json.loads(said)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f'{META_FIELD} in {where} is no JSON ({error})') from error
        return config_of_description(description, where)
    return config_of_text(text, where) if isinstance(text, str) and text else None


def _without_weights(value: Any) -> Any:
    if isinstance(value, Mapping):
        left_out = (*_PLACES_OF_WEIGHTS, *machine_settings(value))
        return {k: _without_weights(v) for k, v in value.items() if k not in left_out}
    if isinstance(value, (list, tuple)):
        return type(value)(_without_weights(item) for item in value)
    return value


def _check(value: Any, name: str, registries: tuple[str, ...], where: str) -> None:
    """Refuse whatever could do more than build layers and transforms."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in (*_PLACES_OF_WEIGHTS, *machine_settings(value)) or (
                key == '_scope_' and item not in _SCOPES
            ):
                raise ConfigError(f'{name}.{key} in {where} is not allowed to be there')
            if key == 'type':
                _check_type(item, name, registries, where)
            else:
                _check(item, f'{name}.{key}', registries, where)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            _check(item, f'{name}[{number}]', registries, where)
    elif (
        name != _OUTPUT
        and isinstance(value, str)
        and (not _WORD.fullmatch(value) or _FILE.fullmatch(value))
    ):
        raise ConfigError(
            f'{name} in {where} is {value[:80]!r}, but a description that comes with weights or an '
            'index may name no file, no address and no expression: give the config file'
        )


def _check_type(kind: Any, name: str, registries: tuple[str, ...], where: str) -> None:
    scope, _, bare = kind.rpartition('.') if isinstance(kind, str) else ('', '', '')
    if any(name.endswith(end) and kind in names for end, names in _OPERATIONS.items()):
        return
    # Not by Registry.get, which imports whatever a dotted name says.
    for known in _SCOPES:
        if scope not in ('', known):
            continue
        module = import_module(f'{known}.registry')
        for registry in (getattr(module, r) for r in registries if hasattr(module, r)):
            registry.import_from_location()
            if bare in registry.module_dict:
                return
    raise ConfigError(
        f'{name}.type in {where} is {kind!r}, which is no registered class of mmclsa, MMDetection '
        'or MMEngine: give the config file, which imports it'
    )
