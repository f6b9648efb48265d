"""Re-ID networks in ONNX files, as others export them: narrow, with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ['make_network']

_STRIDE = 8


def make_network(
    path: str | Path,
    sizes: Sequence[Any] = ('n', 3, 'height', 'width'),
    dims: int = 6,
    seed: int = 0,
    flat: bool = True,
    faulty: str = '',
    outputs: int = 1,
    kind: int = TensorProto.FLOAT,
    external: str = '',
) -> Path:
    """Write a convolution whose maps are averaged.

    Args:
        path: File to write.
        sizes: Of the input; text leaves one open.
        dims: Length of an embedding.
        seed: Of the weights.
        flat: Give (n, D), not (n, D, 1, 1).
        faulty: ``nan`` or ``inf`` gives such values, ``maps`` leaves out the
            average, ``one`` gives one embedding for all crops.
        outputs: How many there are, alike, named ``out_0``, ...
        kind: Type of the input.
        external: Name of a file beside it that has the weights.

    Returns:
        ``path``.
    """
    shape = (dims, sizes[1] if isinstance(sizes[1], int) else 3, _STRIDE, _STRIDE)
    values = np.random.default_rng(seed).normal(size=shape) / _STRIDE
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    weights = [numpy_helper.from_array(values.astype(dtype), 'weights')]
    nodes = [helper.make_node('Conv', ['crops', 'weights'], ['maps'], strides=[_STRIDE] * 2)]
    last = 'maps'
    if faulty != 'maps':
        nodes.append(helper.make_node('GlobalAveragePool', ['maps'], ['means']))
        last = 'means'
    for step in {'nan': ('Abs', 'Neg', 'Log'), 'inf': ('Sub', 'Abs', 'Log')}.get(faulty, ()):
        inputs = [last, last] if step == 'Sub' else [last]
        nodes.append(helper.make_node(step, inputs, [f'{last}_{step}']))
        last = f'{last}_{step}'
    if faulty == 'one':
        nodes.append(helper.make_node('ReduceMean', [last], ['mean'], axes=[0], keepdims=1))
        last = 'mean'
    names = [f'out_{number}' for number in range(outputs)]
    for name in names:
        end = ('Flatten', dict(axis=1)) if flat and faulty != 'maps' else ('Identity', {})
        nodes.append(helper.make_node(end[0], [last], [name], **end[1]))
    graph = helper.make_graph(
        nodes,
        'network',
        [helper.make_tensor_value_info('crops', kind, list(sizes))],
        [helper.make_tensor_value_info(name, kind, None) for name in names],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    options = dict(location=external, size_threshold=0) if external else {}
    onnx.save(model, str(path), save_as_external_data=bool(external), **options)
    return Path(path)
