"""Files of ``torch.save`` from any author: what may run code is refused in a sentence."""

from __future__ import annotations

import pickle
import re
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import IO, Any, Union

from mmclsa.compat import load_torch_file
from mmclsa.errors import ConfigError
from mmclsa.utils.optional import import_optional
from mmclsa.utils.trust import HOW_TO_TRUST, checkpoints_are_trusted

__all__ = ['read_torch_file']

_File = Union[str, Path, IO[bytes]]
# What unpicklers come upon in bytes that are no pickle.
_BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError),
    *(RuntimeError, TypeError, ValueError, pickle.UnpicklingError, struct.error),
)
_LOOKED_AT = 512  # bytes
_MOST_JSON = 100_000_000  # bytes of a header of safetensors, as its authors limit it
_PAGE = (
    'a web page: the download was refused or wants a login; open the address in a browser and '
    'save the file itself'
)
# By how they begin.
_OTHER_KINDS = {
    b'<!doctype': _PAGE,
    b'<html': _PAGE,
    b'<?xml': _PAGE,
    b'version https://git-lfs': 'a pointer of Git LFS to the file: run "git lfs pull" there',
    b'\x1f\x8b': 'packed by gzip: unpack it first',
    b'{': 'a JSON file',
}
_FOREIGN = re.compile(r'GLOBAL ([\w.]+)')


def read_torch_file(file: _File, map_location: Any = 'cpu') -> Any:
    """Load tensors, plain values and MMEngine's log, and nothing that runs code.

    Files of ``safetensors`` are read by that package, which runs no code. All
    checkpoints that mmclsa loads come through here, whether it loads them
    itself or MMEngine does. Where :mod:`mmclsa.utils.trust` says so, a file is
    loaded with all that is in it.

    Raises:
        ConfigError: If something else is in it, and it is not trusted; or if
            it is no such file.
    """
    beginning = _beginning(file)
    if _is_safetensors(beginning):
        return _read_safetensors(file, map_location)
    if kind := _other_kind(beginning):
        raise ConfigError(f'{_name(file)} is not a checkpoint, but {kind}')
    trusted = checkpoints_are_trusted()
    if not trusted and (archive := _foreign_archive(file)):
        raise ConfigError(
            f'{_name(file)} is {archive}, which may have code in it, and was not loaded: '
            f'{HOW_TO_TRUST}'
        )
    try:
        return load_torch_file(file, map_location, trusted)
    except _BROKEN as error:
        foreign = _FOREIGN.search(str(error))
        refused = isinstance(error, pickle.UnpicklingError) and not trusted
        if refused and (foreign or _begins_as_pickle(file)):
            what = foreign[1] if foreign else 'something else than tensors'
            raise ConfigError(
                f'{_name(file)} has {what} in it, code of its author that loading would run, and '
                f'was not loaded: {HOW_TO_TRUST}'
            ) from error
        reason = str(error).partition('\n')[0][:100]
        raise ConfigError(
            f'{_name(file)} is not a checkpoint, or is only a part of one ({reason})'
        ) from error


def _beginning(file: _File) -> bytes:
    if isinstance(file, (str, Path)):
        try:
            with open(file, 'rb') as stream:
                return stream.read(_LOOKED_AT)
        except OSError as error:
            raise ConfigError(f'{file} cannot be read ({error.strerror})') from error
    start = file.read(_LOOKED_AT)
    file.seek(0)
    return start


def _is_safetensors(beginning: bytes) -> bool:
    """Whether a length of eight bytes and the JSON of that length come first."""
    length = int.from_bytes(beginning[:8], 'little')
    return 2 <= length < _MOST_JSON and beginning[8:10] in (b'{"', b'{}', b'{ ')


def _read_safetensors(file: _File, map_location: Any) -> Any:
    load = import_optional('safetensors.torch', 'safetensors').load
    data = Path(file).read_bytes() if isinstance(file, (str, Path)) else file.read()
    try:
        tensors = load(data)
    # The package has an error of its own, and PyTorch others.
    except Exception as error:
        raise ConfigError(
            f'{_name(file)} is not a checkpoint, or is only a part of one ({error})'
        ) from error
    if map_location is None or callable(map_location):
        return tensors
    return {name: tensor.to(map_location) for name, tensor in tensors.items()}


def _other_kind(beginning: bytes) -> str:
    """Name what people save under the name of a checkpoint by mistake."""
    text = beginning.lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    return next((kind for start, kind in _OTHER_KINDS.items() if text.startswith(start)), '')


def _name(file: _File) -> str:
    return str(file) if isinstance(file, (str, Path)) else 'the checkpoint'


def _foreign_archive(file: _File) -> str:
    """Name an archive that PyTorch loads by other ways than its unpickler."""
    try:
        if tarfile.is_tarfile(file):
            return 'a tar archive'
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                if any(name.endswith('/constants.pkl') for name in archive.namelist()):
                    return 'a TorchScript archive'
    except (*_BROKEN, zipfile.BadZipFile):
        pass  # PyTorch says that it is broken
    if not isinstance(file, (str, Path)):
        file.seek(0)
    return ''


def _begins_as_pickle(file: _File) -> bool:
    if zipfile.is_zipfile(file):
        return True
    if isinstance(file, (str, Path)):
        with open(file, 'rb') as stream:
            return stream.read(1) == pickle.PROTO
    file.seek(0)
    return file.read(1) == pickle.PROTO
