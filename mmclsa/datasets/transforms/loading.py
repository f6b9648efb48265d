"""Loading scene pictures and the people in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import LoadAnnotations

from mmclsa.datasets.storage import is_remote, open_path
from mmclsa.datasets.transforms.person_labels import label_people
from mmclsa.errors import ConfigError, DataError
from mmclsa.media import VideoReader, decode_picture
from mmclsa.registry import TRANSFORMS

__all__ = ['KeepOriginalImage', 'LoadPersonAnnotations', 'LoadSceneImage', 'read_image']


def read_image(path: str | Path, backend_args: dict[str, Any] | None = None) -> np.ndarray:
    """Read a picture as BGR.

    Args:
        path: The file; with a prefix such as ``s3://`` in that storage.
        backend_args: Of MMEngine's file backend; None for what the prefix says.

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        DataError: If there is no file, or it is no picture.
    """
    try:
        data = _read_bytes(str(path), backend_args)
    except OSError as error:
        raise DataError(
            f'image {path} cannot be read ({error.strerror}); docs/datasets.md lists the files '
            'that a data set needs'
        ) from error
    return decode_picture(data, path)


def _read_bytes(path: str, backend_args: dict[str, Any] | None) -> np.ndarray:
    if is_remote(path, backend_args):
        return np.frombuffer(open_path(path, backend_args).read_bytes(), dtype=np.uint8)
    return np.fromfile(path, dtype=np.uint8)


@TRANSFORMS.register_module()
class LoadSceneImage(BaseTransform):
    """Load a scene's picture, wherever it is.

    In this order: ``results['img']`` that the data set put there (see
    ``BasePersonSearchDataset.picture``) is taken as it is; with
    ``results['frame']`` a frame of the video ``img_path``; else the file
    ``img_path``. Videos are opened once in each worker process.

    Adds ``img`` (H, W, 3, uint8, BGR), ``img_shape`` and ``ori_shape``.

    Args:
        to_float32: Give float32 values (still 0..255).
        backend_args: Where pictures are read from, as in MMDetection's
            ``LoadImageFromFile``, e.g. ``dict(backend='petrel')``; None for
            what the path says: a prefix such as ``s3://``, else local files.
    """

    def __init__(
        self, to_float32: bool = False, backend_args: dict[str, Any] | None = None
    ) -> None:
        self.to_float32 = to_float32
        self.backend_args = backend_args
        self._videos: dict[str, VideoReader] = {}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the picture.

        Raises:
            DataError: If it is missing or broken.
        """
        picture = results.get('img')
        if picture is None:
            picture = self._load(results)
        results['img'] = picture.astype(np.float32) if self.to_float32 else picture
        results['img_shape'] = results['ori_shape'] = picture.shape[:2]
        return results

    def _load(self, results: dict[str, Any]) -> np.ndarray:
        path = str(results['img_path'])
        if 'frame' not in results:
            return read_image(path, self.backend_args)
        if is_remote(path, self.backend_args):
            raise ConfigError(
                f'video {path} lies in a storage, but videos are read from local files alone: copy '
                'it, or write its frames as pictures (tools/dataset_converters/mot_to_coco.py)'
            )
        if path not in self._videos:
            self._videos[path] = VideoReader(path)
        return self._videos[path][results['frame']]

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(to_float32={self.to_float32}, backend_args={self.backend_args})'
        )


@TRANSFORMS.register_module()
class LoadPersonAnnotations(LoadAnnotations):
    """Load boxes with person ids and, where the item lists them, queries.

    Beside what ``mmdet.LoadAnnotations`` adds:

    - ``gt_bboxes_labels``: int64 (n,), class and person id in one number
      (see :mod:`mmclsa.datasets.transforms.person_labels`), so that the ids
      go with their boxes through MMDetection's transforms.
      ``PackPersonSearchInputs`` takes them apart.
    - ``query_bboxes``: float32 (q, 4), original pixels, and ``query_ids``:
      int64 (q,).

    In a test pipeline place it after ``Resize``, as MMDetection does, so that
    ground truth stays in original pixels.

    Args:
        kwargs: Of ``mmdet.LoadAnnotations``.

    Raises:
        ConfigError: If boxes or labels are not to be loaded.
    """

    def __init__(self, **kwargs: Any) -> None:
        for name in ('with_bbox', 'with_label'):
            if not kwargs.get(name, True):
                raise ConfigError(f'LoadPersonAnnotations.{name} must be True, not False')
        super().__init__(**{'with_bbox': True, **kwargs})

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the annotations of an item."""
        results = super().transform(results)
        ids = [instance['person_id'] for instance in results.get('instances', [])]
        results['gt_bboxes_labels'] = label_people(
            results['gt_bboxes_labels'], np.array(ids, dtype=np.int64)
        )
        if 'queries' in results:
            queries = results['queries']
            boxes = np.array([q['bbox'] for q in queries], dtype=np.float32)
            results['query_bboxes'] = boxes.reshape(-1, 4)
            results['query_ids'] = np.array([q['query_id'] for q in queries], dtype=np.int64)
        return results


@TRANSFORMS.register_module()
class KeepOriginalImage(BaseTransform):
    """Keep the picture at its own resolution for ``CropReID``.

    Place it directly before ``Resize``: what follows may only scale and pad,
    since people are cut from the kept picture by dividing their boxes by
    ``scale_factor``. Adds ``original_img``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Copy the picture."""
        results['original_img'] = results['img'].copy()
        results['original_flip'] = results.get('flip', False)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
