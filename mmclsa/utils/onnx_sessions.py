"""Opening a graph in ONNX Runtime, and telling one graph from another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.optional import import_optional

__all__ = ['file_digest', 'graph_digest', 'open_session']

_ERRORS_ALONE = 3  # of ONNX Runtime's levels of its log
# Names the file of a tensor that is kept beside the graph.
_EXTERNAL = b'location'


def open_session(
    path: str | Path,
    threads: int = 0,
    providers: Sequence[str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Any:
    """Load a graph into ONNX Runtime.

    Args:
        path: The graph.
        threads: Threads of an operator; 0 for one a core.
        providers: Execution providers, the preferred first; None for the CPU.
        settings: Entries of the session's configuration.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        ConfigError: If a provider is not there.
        DataError: If the file is no graph.
        UserError: If onnxruntime is not installed.
    """
    runtime = import_optional('onnxruntime', 'deploy')
    wanted = list(providers or ['CPUExecutionProvider'])
    known = runtime.get_available_providers()
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f'providers must be among {", ".join(known)}, but has {unknown[0]!r}')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ALONE
    for name, value in (settings or {}).items():
        options.add_session_config_entry(name, value)
    try:
        return runtime.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # its errors share no base class
        reason = ' '.join(str(error).split())
        raise DataError(f'ONNX Runtime cannot load the graph {path} ({reason})') from error


def file_digest(path: str | Path) -> str:
    """Digest a file.

    Returns:
        SHA-256, 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def graph_digest(path: str | Path) -> str:
    """Digest a graph and, where its weights lie in files beside it, these.

    Returns:
        SHA-256, 64 hexadecimal digits; that of the file alone if there are no
        others.

    Raises:
        UserError: If the graph may have weights beside it, and onnx, which
            tells where, is not installed.
    """
    own = file_digest(path)
    if _EXTERNAL not in Path(path).read_bytes():
        return own
    beside = sorted(set(_files_beside(path)))
    digests = [own, *(f'{name} {file_digest(Path(path).parent / name)}' for name in beside)]
    return hashlib.sha256('\n'.join(digests).encode()).hexdigest() if beside else own


def _files_beside(path: str | Path) -> Iterator[str]:
    onnx = import_optional('onnx', 'deploy')
    helper = import_optional('onnx.external_data_helper', 'deploy')
    for tensor in helper._get_all_tensors(onnx.load(str(path), load_external_data=False)):
        if helper.uses_external_data(tensor):
            yield helper.ExternalDataInfo(tensor).location
