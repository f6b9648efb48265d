"""A re-ID network in an ONNX file: arrays of crops in, arrays of embeddings out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.utils.onnx_sessions import graph_digest, open_session

__all__ = ['OnnxNetwork', 'OpenGraph']

DEFAULT_SIZE = (256, 128)
_FLOATS = {'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(double)': np.float64}
# Threads that spin while they wait for work take the processor from PyTorch's.
_SETTINGS = {'session.intra_op.allow_spinning': '0', 'session.inter_op.allow_spinning': '0'}


@dataclass(frozen=True, eq=False)
class OpenGraph:
    """A graph that is loaded.

    Attributes:
        session: Of ONNX Runtime.
        source: Name of the input.
        target: Name of the output.
        dtype: What the input takes.
        batch: Crops that the graph takes at once; None for any number.
        height: Of a crop; None for any.
        width: Of a crop; None for any.
        pid: The process that has loaded it.
    """

    session: Any
    source: str
    target: str
    dtype: type
    batch: int | None
    height: int | None
    width: int | None
    pid: int


class OnnxNetwork:
    """Run a graph of anybody's on crops.

    It is loaded when it is first used, and by each process for itself: a
    session of ONNX Runtime survives neither pickling nor a fork.

    Args:
        file: The graph.
        output: Name or number of the output to take; None for the only one.
        threads: Threads of an operator; 0 for one a core.
        providers: Execution providers of ONNX Runtime; None for the CPU.
    """

    def __init__(
        self,
        file: str | Path,
        output: str | int | None = None,
        threads: int = 0,
        providers: Sequence[str] | None = None,
    ) -> None:
        self.file = str(file)
        self.output = output
        self.threads = threads
        self.providers = providers
        self._opened: OpenGraph | None = None
        self._digest = ''

    def __getstate__(self) -> dict[str, Any]:
        """Leave the session here."""
        return {**self.__dict__, '_opened': None}

    def open(self) -> OpenGraph:
        """Load the graph, unless this process has done so.

        Returns:
            What was loaded.

        Raises:
            ConfigError: If the file does not exist, or its graph does not take
                pictures.
            DataError: If it is no graph.
            UserError: If onnxruntime is not installed.
        """
        if self._opened is None or self._opened.pid != os.getpid():
            self._opened = self._load()
        return self._opened

    def digest(self) -> str:
        """Digest the file and what lies beside it: SHA-256, 64 hexadecimal digits."""
        if not self._digest:
            self.open()  # says what is wrong with it
            self._digest = graph_digest(self._path())
        return self._digest

    def crop_size(self, wanted: tuple[int, int] | None) -> tuple[int, int]:
        """Settle height and width of crops.

        Args:
            wanted: What the config says; None for what the graph says, or 256
                x 128 if it takes any.

        Returns:
            Height and width.

        Raises:
            ConfigError: If the graph takes another size.
        """
        graph = self.open()
        given = (graph.height, graph.width)
        usual = wanted or DEFAULT_SIZE
        size = (given[0] or usual[0], given[1] or usual[1])
        if wanted is not None and size != tuple(wanted):
            raise ConfigError(
                f'the ONNX file {self.file} takes crops of {size[0]} x {size[1]} (height x width), '
                f'but crop_size is {wanted[0]} x {wanted[1]}: set model.reid.crop_size='
                f'{size[0]},{size[1]}'
            )
        return size

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Embed crops.

        Args:
            crops: Shape (n, 3, height, width), n >= 1, float32, normalised.

        Returns:
            Shape (n, D), float32, of any length.

        Raises:
            ConfigError: If the graph does not run, or does not give one
                finite vector a crop.
        """
        graph = self.open()
        step = graph.batch or len(crops)
        parts = []
        for start in range(0, len(crops), step):
            part = crops[start : start + step]
            missing = np.repeat(part[-1:], step - len(part), axis=0)
            parts.append(self._run(graph, np.concatenate([part, missing]))[: len(part)])
        vectors = np.concatenate(parts)
        if not np.isfinite(vectors).all():
            count = int((~np.isfinite(vectors).all(axis=1)).sum())
            raise ConfigError(
                f'the ONNX file {self.file} gives embeddings with NaN or infinity for {count} of '
                f'{len(vectors)} crops: check mean, std and crop_size of the re-ID branch'
            )
        return vectors

    def _run(self, graph: OpenGraph, crops: np.ndarray) -> np.ndarray:
        try:
            (out,) = graph.session.run([graph.target], {graph.source: crops.astype(graph.dtype)})
        except Exception as error:  # its errors share no base class
            reason = ' '.join(str(error).split())
            raise ConfigError(
                f'ONNX Runtime cannot run {self.file} on crops of the shape {crops.shape} '
                f'({reason})'
            ) from error
        out = np.asarray(out)
        if out.ndim > 2 and out.shape[2:] == (1,) * (out.ndim - 2):
            out = out.reshape(out.shape[:2])
        if out.ndim != 2 or len(out) != len(crops) or not out.shape[1]:
            raise ConfigError(
                f'the output {graph.target} of {self.file} must have the shape (n, D) or '
                f'(n, D, 1, 1) with n = {len(crops)} crops, not {out.shape}: choose another by '
                f'output, of {_listed(graph.session.get_outputs())}'
            )
        return out.astype(np.float32)

    def _path(self) -> Path:
        return Path(self.file).expanduser()

    def _load(self) -> OpenGraph:
        if not self.file or not self._path().is_file():
            what = f'the ONNX file {self.file} of the re-ID network does not exist'
            what = what if self.file else 'the config names no ONNX file of a re-ID network'
            raise ConfigError(
                f'{what}: name yours by --cfg-options model.reid.file=FILE, or for the configs in '
                'configs/reid by the environment variable MMCLSA_REID_ONNX'
            )
        session = open_session(self._path(), self.threads, self.providers, _SETTINGS)
        source = self._source(session.get_inputs())
        batch, _, height, width = (_fixed(size) for size in source.shape)
        target = self._target([node.name for node in session.get_outputs()])
        dtype = _FLOATS[source.type]
        return OpenGraph(session, source.name, target, dtype, batch, height, width, os.getpid())

    def _source(self, nodes: Sequence[Any]) -> Any:
        """Find the input, which must take pictures."""
        if len(nodes) != 1:
            raise ConfigError(
                f'the ONNX file {self.file} must have one input, of crops, but has {_listed(nodes)}'
            )
        (node,) = nodes
        shape = node.shape or []
        if len(shape) != 4 or _fixed(shape[1]) not in (None, 3) or node.type not in _FLOATS:
            raise ConfigError(
                f'the ONNX file {self.file} must take crops of the shape (n, 3, height, width) in '
                f'floating point, but its input {_listed(nodes)}'
            )
        return node

    def _target(self, names: Sequence[str]) -> str:
        """Find the output."""
        chosen = self.output
        if isinstance(chosen, str) and chosen in names:
            return chosen
        if isinstance(chosen, int) and 0 <= chosen < len(names):
            return names[chosen]
        if chosen is None and len(names) == 1:
            return names[0]
        raise ConfigError(
            f'output of the re-ID branch must name one of the outputs of {self.file}, '
            f'{", ".join(names)}, or give its number from 0, but is {chosen!r}'
        )


def _fixed(size: Any) -> int | None:
    """Give a size that a graph fixes; the others have names."""
    return size if isinstance(size, int) and size > 0 else None


def _listed(nodes: Sequence[Any]) -> str:
    return ', '.join(f'{node.name} is {node.type} of the shape {node.shape}' for node in nodes)
