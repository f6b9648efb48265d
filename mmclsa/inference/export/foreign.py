"""The graph of a re-ID network of another's, with what happens before and behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.models import OnnxReID
from mmclsa.utils.io import atomic_write
from mmclsa.utils.optional import import_optional

__all__ = ['write_foreign_graph']

_PREFIX = 'network/'


def write_foreign_graph(reid: OnnxReID, path: str | Path, dims: int) -> None:
    """Write a graph that describes crops as :class:`OnnxReID` does.

    Args:
        reid: The branch.
        path: The file to write.
        dims: Length of an embedding.

    Raises:
        ConfigError: If its graph takes a fixed number of crops that is not one.
        UserError: If the file cannot be written, or onnx is not installed.
    """
    opened = reid.network.open()
    if opened.batch is not None and (opened.batch > 1 or reid.flip_test):
        raise ConfigError(
            f'{reid.network.file} takes {opened.batch} crops at once, but to be exported it must '
            'take any number, or one and flip_test=False: make the batch of its input dynamic'
        )
    onnx = import_optional('onnx', 'deploy')
    compose = import_optional('onnx.compose', 'deploy')
    model = compose.add_prefix(onnx.load(str(Path(reid.network.file).expanduser())), _PREFIX)
    graph, builder = model.graph, _Nodes(onnx)
    source, target = _PREFIX + opened.source, _PREFIX + opened.target
    before = _before(builder, reid, source, np.dtype(opened.dtype))
    behind = _behind(builder, reid.flip_test, target, dims)
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*before, *own, *behind])
    graph.initializer.extend(builder.constants)
    inputs = [node for node in graph.input if node.name != source]
    float32, people = onnx.TensorProto.FLOAT, opened.batch or 'people'
    shape = [people, 3, *reid.settled_size()]
    crops = onnx.helper.make_tensor_value_info('crops', float32, shape)
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.extend([crops, *inputs])
    graph.output.append(onnx.helper.make_tensor_value_info('embeddings', float32, [people, dims]))
    with atomic_write(Path(path)) as temporary:
        onnx.save(model, str(temporary))


class _Nodes:
    """Makes nodes in a chain, and the constants that they need."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.constants: list[Any] = []
        self.count = 0

    def constant(self, values: np.ndarray) -> str:
        """Add a constant, and give its name."""
        self.count += 1
        name = f'mmclsa/constant_{self.count}'
        self.constants.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str = '', **attributes: Any) -> Any:
        """Make a node; its output has a name of its own if none is given."""
        self.count += 1
        output = output or f'mmclsa/{kind}_{self.count}'
        return self.onnx.helper.make_node(kind, inputs, [output], **attributes)


def _before(nodes: _Nodes, reid: OnnxReID, source: str, dtype: np.dtype) -> list[Any]:
    """Normalise BGR crops in 0..255; with flip_test, the mirror images follow the crops."""
    chain = []
    name = 'crops'
    if reid.bgr_to_rgb:
        order = nodes.constant(np.array([2, 1, 0]))
        chain.append(nodes.node('Gather', [name, order], axis=1))
        name = chain[-1].output[0]
    for kind, values in (('Sub', reid.mean), ('Div', reid.std)):
        chain.append(nodes.node(kind, [name, nodes.constant(values.cpu().numpy())]))
        name = chain[-1].output[0]
    if reid.flip_test:
        columns = nodes.constant(np.arange(reid.settled_size()[1])[::-1].copy())
        mirrored = nodes.node('Gather', [name, columns], axis=3)
        chain += [mirrored, nodes.node('Concat', [name, mirrored.output[0]], axis=0)]
        name = chain[-1].output[0]
    kind = nodes.onnx.helper.np_dtype_to_tensor_dtype(dtype)
    return [*chain, nodes.node('Cast', [name], source, to=kind)]


def _behind(nodes: _Nodes, flip_test: bool, target: str, dims: int) -> list[Any]:
    """Make unit vectors of what the network gives."""
    cast = nodes.node('Cast', [target], to=nodes.onnx.TensorProto.FLOAT)
    flat = nodes.node('Flatten', [cast.output[0]], axis=1)
    chain = [cast, flat]
    name = flat.output[0]
    if flip_test:
        unit = nodes.node('LpNormalization', [name], axis=1, p=2)
        shape = nodes.constant(np.array([2, -1, dims]))
        pairs = nodes.node('Reshape', [unit.output[0], shape])
        halves = [
            nodes.node('Gather', [pairs.output[0], nodes.constant(np.array(half))], axis=0)
            for half in (0, 1)
        ]
        both = nodes.node('Add', [half.output[0] for half in halves])
        chain += [unit, pairs, *halves, both]
        name = both.output[0]
    return [*chain, nodes.node('LpNormalization', [name], 'embeddings', axis=1, p=2)]
