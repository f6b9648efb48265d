"""An index of whatever a gallery is."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Union

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import Embedder, build_gallery, plan_units
from mmclsa.gallery.manifest import MANIFEST
from mmclsa.utils.errors import describe_left_out

__all__ = ['GalleryInput', 'check_gallery', 'open_gallery']

GalleryInput = Union[GalleryIndex, str, Path, Sequence[Union[str, Path]]]


def check_gallery(gallery: GalleryInput | None) -> None:
    """Refuse a gallery that is none; an index with nobody in it is one.

    Args:
        gallery: What :func:`open_gallery` is given.

    Raises:
        ConfigError: If it is None, an empty text or list, or has anything but
            paths in it.

    Example:
        >>> check_gallery([])
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: gallery must be an index or its folder, or pictures, ...
    """
    if isinstance(gallery, (GalleryIndex, Path)):
        return
    must = 'gallery must be an index or its folder, or pictures, folders, videos and lists'
    if gallery is None or (isinstance(gallery, Collection) and not len(gallery)):
        raise ConfigError(f'{must}, but none is given')
    named = isinstance(gallery, (str, bytes))
    parts = gallery if isinstance(gallery, Collection) and not named else [gallery]
    for part in parts:
        if not isinstance(part, (str, Path)):
            raise ConfigError(f'{must}, as paths, but there is a {type(part).__name__}')


@contextmanager
def open_gallery(
    gallery: GalleryInput, embedder: Embedder, batch_size: int = 8
) -> Iterator[GalleryIndex]:
    """Give an index of whatever a gallery is.

    Args:
        gallery: An index or its folder, or pictures, folders, videos and
            lists, of which an index is built that lasts as long as the block.
        embedder: The model.
        batch_size: Pictures that go through the network at once.

    Yields:
        The index.

    Raises:
        ConfigError: If there is no gallery, or the index is of another model.
        UserError: If a source does not exist.
        DataError: If none of the files can be used.

    Warns:
        UserWarning: If a file of the gallery cannot be used; names the first.
    """
    check_gallery(gallery)
    if isinstance(gallery, (str, Path)):
        gallery = os.path.expanduser(gallery) if not os.path.lexists(gallery) else gallery
    if isinstance(gallery, GalleryIndex):
        gallery.check_model(embedder.fingerprint)
        yield gallery
    elif isinstance(gallery, (str, Path)) and (Path(gallery) / MANIFEST).is_file():
        with GalleryIndex.open(gallery, embedder.fingerprint) as index:
            yield index
    else:
        sources = [gallery] if isinstance(gallery, (str, Path)) else list(gallery)
        plan = plan_units(sources)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            index = GalleryIndex.create(folder / 'index', embedder.fingerprint)
            stack.enter_context(index)
            report = build_gallery(index, embedder, plan, batch_size=batch_size)
            if report.skipped:
                sentence = describe_left_out(report.skipped, 'searched')
                if report.nothing_read:
                    raise DataError(sentence)
                warnings.warn(sentence, stacklevel=4)
            yield index
