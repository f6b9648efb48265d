"""Configs by their names, as the metafiles call them: ``clsa_r50_cuhk``."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from mmclsa.errors import ConfigError

__all__ = ['config_names', 'find_config']

_PACKAGE = Path(__file__).resolve().parents[1]
_SUFFIXES = ('.py', '.json', '.yml', '.yaml')


def config_names() -> dict[str, Path]:
    """List the configs that come with mmclsa.

    Returns:
        Name to file: of the checkout that the package is in, else those that
        were installed with it; none where it was copied without them.

    Example:
        >>> config_names()['clsa_r50_cuhk'].name
        'clsa_r50_cuhk.py'
    """
    for root in (_PACKAGE.parent, _PACKAGE / '.mim'):
        if (root / 'model-index.yml').is_file():
            files = sorted((root / 'configs').glob('[!_]*/*.py'))
            return {path.stem: path for path in files}
    return {}


def find_config(model: str | Path) -> str:
    """Find a config by its path or name.

    Args:
        model: Path of a file, or the name of a config, in any case.

    Returns:
        Path of the file; one that has the look of a path is not looked for.

    Raises:
        ConfigError: If there is neither; names the closest configs.

    Example:
        >>> find_config('here/a.py'), Path(find_config('CLSA_R50_CUHK')).name
        ('here/a.py', 'clsa_r50_cuhk.py')
        >>> find_config('clsa_r50_chuk')
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: model 'clsa_r50_chuk' is no file and no name of a config; the
        closest names are clsa_r50_cuhk, ...
    """
    text = str(model)
    if os.path.isfile(text) or os.path.basename(text) != text or text.endswith(_SUFFIXES):
        return text
    names = {name.lower(): path for name, path in config_names().items()}
    if text.lower() in names:
        return str(names[text.lower()])
    near = difflib.get_close_matches(text.lower(), names, n=3)
    hint = f'the closest names are {", ".join(near)}' if near else 'names are such as clsa_r50_cuhk'
    if not names:
        hint = 'this mmclsa was installed without its configs'
    raise ConfigError(f'model {text!r} is no file and no name of a config; {hint}')
