"""Where similarities are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional.similarity import Product, ProductMaker, numpy_product

if TYPE_CHECKING:
    import torch

__all__ = ['TorchProduct', 'product_on']


class TorchProduct:
    """Matrix product with a gallery that stays on a device.

    The precision is that of the embeddings: float32 is never computed in
    TensorFloat-32.

    Args:
        gallery: Shape (N, D).
        device: PyTorch's name of the device.

    Example:
        >>> TorchProduct(np.eye(2), 'cpu')(np.array([[1.0, 2.0]])).tolist()
        [[1.0, 2.0]]
    """

    def __init__(self, gallery: np.ndarray, device: str) -> None:
        import torch

        self.gallery: torch.Tensor = torch.from_numpy(np.ascontiguousarray(gallery)).to(device)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Multiply features (R, D) with the gallery; shape (R, N)."""
        import torch

        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            moved = torch.from_numpy(np.ascontiguousarray(features)).to(self.gallery)
            return (moved @ self.gallery.T).cpu().numpy()
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before


def product_on(device: str) -> ProductMaker:
    """Choose where similarities are computed.

    Args:
        device: ``cpu`` for NumPy, or PyTorch's name of a device: ``cuda``,
            ``cuda:1``, ``mps``; ``torch`` for PyTorch on the CPU.

    Returns:
        What :func:`~mmclsa.evaluation.functional.evaluate_search` takes as
        ``make_product``. Results agree up to the last bits of a float.

    Raises:
        ConfigError: If PyTorch does not have the device.

    Example:
        >>> product_on('cpu') is numpy_product
        True
    """
    if device == 'cpu':
        return numpy_product
    name = 'cpu' if device == 'torch' else device
    try:
        import torch

        torch.zeros(1, device=name)
    # PyTorch raises RuntimeError, AssertionError or NotImplementedError by device.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f'device {device!r} cannot be used: {reason}') from None

    def make(gallery: np.ndarray) -> Product:
        return TorchProduct(gallery, name)

    return make
