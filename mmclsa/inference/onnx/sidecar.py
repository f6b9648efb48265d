"""The JSON file beside exported graphs: what goes in, what comes out, whose they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmclsa.errors import DataError
from mmclsa.inference.onnx.letterbox import Letterbox
from mmclsa.utils.io import write_json
from mmclsa.utils.onnx_sessions import file_digest

__all__ = ['SIDECAR', 'VERSION', 'Detection', 'Graph', 'Sidecar', 'file_digest']

SIDECAR = 'searcher.json'
VERSION = 1
_FORMAT = 'mmclsa-onnx'


@dataclass(frozen=True)
class Graph:
    """An exported graph.

    Attributes:
        file: Its name, in the folder of the sidecar.
        sha256: Digest of the file.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Detection:
    """What turns the detector's raw boxes into people.

    Attributes:
        iou_thr: A box that overlaps a better one by more goes.
        max_people: How many are kept at most; None for all.
    """

    iou_thr: float
    max_people: int | None = None


@dataclass(frozen=True)
class Sidecar:
    """All that running exported graphs needs to know.

    Attributes:
        model: ``config`` and ``weights``, SHA-256 of what the embeddings
            depend on, and ``dims``, the length of an embedding; as in a
            gallery index.
        reid: 'crops' (the graph ``cut`` gives crops of the original picture,
            the graph ``reid`` describes them) or 'scenes' (the graph ``reid``
            takes the detector's features and boxes).
        letterbox: How a picture is made ready for the detector.
        det_thresh: Least score of a person, 0..1.
        graphs: By role: ``reid`` always; ``cut`` with crops; ``detector``
            where the detector could be exported, else ``backbone`` with
            scenes.
        detection: None where the detector could not be exported.
        max_crops: Crops that go through the network at once.
        about: For the reader: versions, normalisation, and how far PyTorch
            and ONNX Runtime were apart at the export.
    """

    model: Mapping[str, Any]
    reid: str
    letterbox: Letterbox
    det_thresh: float
    graphs: Mapping[str, Graph]
    detection: Detection | None = None
    max_crops: int = 128
    about: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: str | Path) -> Path:
        """Write the file, whole or not at all.

        Args:
            folder: Folder of the graphs.

        Returns:
            The file.

        Raises:
            UserError: If the folder cannot be written to.
        """
        path = Path(folder) / SIDECAR
        write_json(path, {'format': _FORMAT, 'version': VERSION, **asdict(self)}, indent=2)
        return path

    @classmethod
    def read(cls, folder: str | Path) -> Sidecar:
        """Read the file.

        Args:
            folder: Folder of the graphs.

        Returns:
            What it says.

        Raises:
            DataError: If it is missing, broken, or of a newer mmclsa.
        """
        path = Path(folder) / SIDECAR
        try:
            data = json.loads(path.read_text())
        except OSError as error:
            raise DataError(
                f'{folder} is no exported model, as {SIDECAR} cannot be read ({error.strerror}): '
                'give a folder that tools/deployment/export_onnx.py wrote'
            ) from error
        except ValueError as error:
            raise DataError(f'{path} is no JSON file ({error})') from error
        if not isinstance(data, dict) or data.pop('format', None) != _FORMAT:
            raise DataError(f'{path} has no field "format" with the value {_FORMAT!r}')
        version = data.pop('version', None)
        if version != VERSION:
            raise DataError(f'{path} has version {version!r}, but this mmclsa reads {VERSION}')
        try:
            return _parse(data)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f'{path} lacks a field or has a wrong one: {error}') from error

    def graph(self, folder: str | Path, role: str) -> Path:
        """Find a graph, and prove that it is the one that was exported.

        Args:
            folder: Folder of the graphs.
            role: Which one.

        Returns:
            The file.

        Raises:
            DataError: If it is missing or another one.
        """
        path = Path(folder) / Path(self.graphs[role].file).name
        try:
            digest = file_digest(path)
        except OSError as error:
            raise DataError(f'the graph {path} cannot be read ({error.strerror})') from error
        if digest != self.graphs[role].sha256:
            raise DataError(
                f'the graph {path} is not the one that {SIDECAR} describes: export the model again'
            )
        return path


def _parse(data: dict[str, Any]) -> Sidecar:
    box: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data['letterbox'].items()
    }
    graphs = {role: Graph(**entry) for role, entry in data['graphs'].items()}
    found = data['detection']
    if data['reid'] not in ('crops', 'scenes'):
        raise ValueError(f'reid must be "crops" or "scenes", not {data["reid"]!r}')
    needed = {'reid', 'cut'} if data['reid'] == 'crops' else {'reid'}
    if missing := needed - set(graphs):
        raise KeyError(f'graphs.{min(missing)}')
    return Sidecar(
        **{
            **data,
            'model': {name: data['model'][name] for name in ('config', 'weights', 'dims')},
            'letterbox': Letterbox(**box),
            'graphs': graphs,
            'detection': None if found is None else Detection(**found),
        }
    )
