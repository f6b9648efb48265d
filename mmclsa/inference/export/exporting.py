"""Writing a trained searcher as ONNX graphs, and proving that they do the same."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from mmdet.models import YOLOX
from mmengine.model import ImgDataPreprocessor
from torch import Tensor, nn

from mmclsa.engine.inference_pipeline import inference_pipeline
from mmclsa.errors import ConfigError, UserError
from mmclsa.inference.export.foreign import write_foreign_graph
from mmclsa.inference.export.graphs import (
    BackboneGraph,
    CropGraph,
    CutGraph,
    RoIGraph,
    RoIHeadGraph,
    YOLOXGraph,
)
from mmclsa.inference.export.open_sizes import check_picture_sizes
from mmclsa.inference.onnx.letterbox import Letterbox
from mmclsa.inference.onnx.searcher import OnnxSearcher
from mmclsa.inference.onnx.sidecar import SIDECAR, Detection, Graph, Sidecar, file_digest
from mmclsa.models import CropReID, OnnxReID, PersonSearcher, RoIReID, SceneReID
from mmclsa.models.reid import CropBranch
from mmclsa.utils.io import atomic_write, check_writable
from mmclsa.utils.optional import import_optional
from mmclsa.version import __version__

if TYPE_CHECKING:
    from mmclsa.inference import PersonSearchInferencer

__all__ = ['OPSET', 'TOLERANCE', 'export_searcher', 'letterbox_of']

OPSET = 18
#: Largest difference of an embedding's value between PyTorch and ONNX Runtime.
TOLERANCE = 1e-4
_NO_GEOMETRY = ('LoadSceneImage', 'KeepOriginalImage', 'PackPersonSearchInputs')


def export_searcher(inferencer: PersonSearchInferencer, out: str | Path) -> Sidecar:
    """Export a searcher, run it in ONNX Runtime, and compare.

    Args:
        inferencer: The searcher, on the CPU.
        out: Folder for the graphs and their sidecar; what was exported there
            before is replaced.

    Returns:
        What the sidecar says; ``about['embedding_error']`` is the largest
        difference of an embedding's value between PyTorch and ONNX Runtime.

    Raises:
        ConfigError: If a part of the config cannot be exported.
        UserError: If the folder cannot be written to, an embedding differs by
            more than :data:`TOLERANCE`, or onnx is not installed.
    """
    _check_packages()
    model = inferencer.model
    letterbox = letterbox_of(inference_pipeline(inferencer.cfg), model.data_preprocessor)
    folder = check_writable(out)
    # Written last: a folder without a sidecar is no exported model.
    (folder / SIDECAR).unlink(missing_ok=True)
    graphs = {}
    for role, module in _modules_of(model).items():
        graphs[role] = _export(module, role, *_example(role, model), folder)
    fingerprint = inferencer.fingerprint
    if isinstance(model.reid, OnnxReID):
        path = folder / 'reid.onnx'
        write_foreign_graph(model.reid, path, fingerprint.dims)
        graphs['reid'] = Graph(path.name, file_digest(path))
    sidecar = Sidecar(
        model={
            'config': fingerprint.config,
            'weights': fingerprint.weights,
            'dims': fingerprint.dims,
        },
        reid='crops' if isinstance(model.reid, CropBranch) else 'scenes',
        letterbox=letterbox,
        det_thresh=inferencer.det_thresh,
        graphs=graphs,
        detection=_detection_of(model) if 'detector' in graphs else None,
        max_crops=_max_crops(model.reid),
        about=_about(model),
    )
    return _check(sidecar, inferencer, folder)


def letterbox_of(
    steps: Sequence[Mapping[str, Any]], preprocessor: ImgDataPreprocessor
) -> Letterbox:
    """Say in numbers what a pipeline and a data preprocessor do to a picture's size.

    Args:
        steps: Configs of a test pipeline's transforms.
        preprocessor: A ``DetDataPreprocessor``.

    Returns:
        The same as a letterbox.

    Raises:
        ConfigError: If a transform is none of ``Resize`` and ``Pad``, or has
            an option that a letterbox lacks.

    Example:
        >>> from mmdet.models import DetDataPreprocessor
        >>> steps = [dict(type='mmdet.Resize', scale=(416, 416), keep_ratio=True)]
        >>> letterbox_of(steps, DetDataPreprocessor(pad_size_divisor=32)).divisor
        32
    """
    options: dict[str, Any] = {}
    for step in steps:
        given = {key: value for key, value in step.items() if key != 'type'}
        name = str(step['type']).rpartition('.')[2]
        if name == 'Resize' and 'scale' not in options:
            options['scale'] = tuple(given.pop('scale', ()))
            options['keep_ratio'] = given.pop('keep_ratio', False)
        elif name == 'Pad' and 'scale' in options and given.get('size'):
            options['pad_size'] = tuple(given.pop('size'))
            options['pad_value'] = _three(given.pop('pad_val', 0))
        elif name in _NO_GEOMETRY:
            if name == 'LoadSceneImage':
                options['float32'] = bool(given.get('to_float32'))
            given = {}
        if given or name not in (*_NO_GEOMETRY, 'Resize', 'Pad'):
            raise ConfigError(
                'the test pipeline can be exported with one Resize(scale, keep_ratio) and then '
                f'one Pad(size, pad_val), but it has {name} with {", ".join(given) or "no options"}'
            )
    if len(options.get('scale', ())) != 2:
        raise ConfigError('the test pipeline must have a Resize with a scale of two numbers')
    return Letterbox(
        **options, divisor=preprocessor.pad_size_divisor, fill=_raw_padding(preprocessor)
    )


def _three(value: Any) -> tuple[float, ...]:
    """Give a padding value for each channel."""
    value = value.get('img', 0) if isinstance(value, Mapping) else value
    values = tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)
    return values if len(values) == 3 else values[:1] * 3


def _raw_padding(preprocessor: ImgDataPreprocessor) -> tuple[float, ...]:
    """Undo the normalisation of the value that the preprocessor pads with; BGR."""
    value = torch.full((3,), float(preprocessor.pad_value))
    if preprocessor._enable_normalize:
        value = value * preprocessor.std.flatten() + preprocessor.mean.flatten()
    return tuple((value.flip(0) if preprocessor._channel_conversion else value).tolist())


def _check_packages() -> None:
    for name in ('onnx', 'onnxruntime'):
        import_optional(name, 'deploy')


def _modules_of(model: PersonSearcher) -> dict[str, nn.Module]:
    """Choose the graphs of a searcher, by role."""
    modules: dict[str, nn.Module] = {}
    if type(model.detector) is YOLOX:
        modules['detector'] = YOLOXGraph(model)
    elif model.reid.needs_backbone:
        check_picture_sizes(model.detector.backbone)
        modules['backbone'] = BackboneGraph(model)
    if isinstance(model.reid, CropReID):
        modules.update(cut=CutGraph(model.reid.crop_size), reid=CropGraph(model.reid))
    elif isinstance(model.reid, SceneReID):
        modules['reid'] = RoIGraph(model.reid)
    elif isinstance(model.reid, OnnxReID):  # its own graph is no module
        modules['cut'] = CutGraph(model.reid.settled_size())
    elif isinstance(model.reid, RoIReID):
        modules['reid'] = RoIHeadGraph(model.reid)
    else:
        raise ConfigError(
            'a re-ID branch must be CropReID, SceneReID, RoIReID or OnnxReID to be exported, not '
            f'{type(model.reid).__name__}'
        )
    return modules


def _max_crops(reid: nn.Module) -> int:
    if isinstance(reid, OnnxReID) and reid.network.open().batch is not None:
        return 1  # others are not exported
    return getattr(reid, 'max_crops', 128)


def _detection_of(model: PersonSearcher) -> Detection:
    cfg = model.detector.bbox_head.test_cfg
    if cfg.nms.get('type', 'nms') != 'nms':
        raise ConfigError(f'test_cfg.nms must be of type nms to be exported, not {cfg.nms.type}')
    return Detection(cfg.nms.iou_threshold)


def _example(role: str, model: PersonSearcher) -> tuple[dict[str, Tensor], list[str]]:
    """Make named inputs of a graph, in order, and name its outputs."""
    rois = torch.tensor([[0.0, 4.0, 4.0, 40.0, 60.0], [1.0, 0.0, 0.0, 9.0, 9.0]])
    if role == 'cut':
        picture = torch.zeros(64, 80, 3, dtype=torch.uint8)
        return {'picture': picture, 'boxes': rois[:, 1:]}, ['crops']
    if role == 'reid' and isinstance(model.reid, CropReID):
        return {'crops': torch.zeros(2, 3, *model.reid.crop_size)}, ['embeddings']
    pictures = torch.zeros(2, 3, 128, 192)
    with torch.no_grad():
        stages = BackboneGraph(model)(pictures)
    named = {f'stage_{number}': stage for number, stage in enumerate(stages)}
    if role == 'reid':
        return {**named, 'rois': rois}, ['embeddings']
    return {'pictures': pictures}, [*(['boxes', 'scores'] if role == 'detector' else []), *named]


def _about(model: PersonSearcher) -> dict[str, Any]:
    """Say what a reader of the sidecar may want to know."""
    own = model.data_preprocessor
    about = {
        'mmclsa': __version__,
        'torch': str(torch.__version__),
        'opset': OPSET,
        'pictures': 'BGR in 0..255, float32; the graphs normalise',
    }
    if own._enable_normalize:
        about['detector_mean'] = own.mean.flatten().tolist()
        about['detector_std'] = own.std.flatten().tolist()
    if isinstance(model.reid, CropBranch):
        foreign = isinstance(model.reid, OnnxReID)
        size = model.reid.settled_size() if foreign else model.reid.crop_size
        about['crop_size'] = list(size)
        about['reid_mean'] = model.reid.mean.flatten().tolist()
        about['reid_std'] = model.reid.std.flatten().tolist()
    return about


#: Which sizes of a graph's inputs and outputs are left open.
_OPEN = {
    'picture': ('height', 'width'),
    'pictures': ('batch', None, 'height', 'width'),
    'boxes': ('batch', 'places'),
    'scores': ('batch', 'places'),
    'crops': ('people',),
    'rois': ('people',),
    'embeddings': ('people',),
}


def _open_sizes(name: str, role: str) -> dict[int, str]:
    if name.startswith('stage_'):
        return {0: 'batch', 2: f'height_{name[6:]}', 3: f'width_{name[6:]}'}
    names = ('people',) if role == 'cut' and name == 'boxes' else _OPEN[name]
    return {axis: size for axis, size in enumerate(names) if size}


def _export(
    module: nn.Module, role: str, inputs: Mapping[str, Tensor], outputs: Sequence[str], folder: Path
) -> Graph:
    """Trace a module into ``<role>.onnx``."""
    arguments: dict[str, Any] = {
        'input_names': list(inputs),
        'output_names': list(outputs),
        'dynamic_axes': {name: _open_sizes(name, role) for name in (*inputs, *outputs)},
        'opset_version': OPSET,
    }
    # The TorchScript exporter: it leaves sizes open that the newer one cannot in
    # reasonable time, and serves all versions of PyTorch that mmclsa does.
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        arguments['dynamo'] = False
    path = folder / f'{role}.onnx'
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with torch.no_grad():
            torch.onnx.export(module.eval(), tuple(inputs.values()), str(temporary), **arguments)
    return Graph(path.name, file_digest(path))


def _check(sidecar: Sidecar, inferencer: PersonSearchInferencer, folder: Path) -> Sidecar:
    """Compare both on random pictures, add how far they are apart, and write the sidecar."""
    sidecar.write(folder)
    try:
        error = _embedding_error(inferencer, OnnxSearcher(folder))
        if not error <= TOLERANCE:
            raise UserError(
                f'the exported model in {folder} gives embeddings that differ from those of '
                f'PyTorch by up to {error:.2g}, but at most {TOLERANCE:.0e} is right'
            )
    except BaseException:
        (folder / SIDECAR).unlink()
        raise
    checked = replace(sidecar, about={**sidecar.about, 'embedding_error': error})
    checked.write(folder)
    return checked


def _embedding_error(inferencer: PersonSearchInferencer, searcher: OnnxSearcher) -> float:
    random = np.random.default_rng(0)
    worst = 0.0
    for people, (height, width) in ((1, (200, 150)), (7, (240, 320))):
        coarse = random.integers(0, 256, (height // 20, width // 20, 3), np.uint8)
        picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        corners = random.uniform(0, 0.6, (people, 2))
        boxes = np.concatenate([corners, corners + random.uniform(0.1, 0.4, (people, 2))], axis=1)
        boxes = (boxes * [width, height, width, height]).astype(np.float32)
        expected = inferencer.embed_boxes(picture, boxes)
        worst = max(worst, float(np.abs(searcher.embed_boxes(picture, boxes) - expected).max()))
    return worst
