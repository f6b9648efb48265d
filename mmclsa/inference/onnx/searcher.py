"""Finding and describing people with exported graphs: NumPy, OpenCV and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.inference.boxes import check_boxes
from mmclsa.inference.onnx.detections import at_least_a_pixel, select_people
from mmclsa.inference.onnx.sidecar import Sidecar
from mmclsa.media import InputsType, InputType, as_inputs, load_picture
from mmclsa.structures import FoundPeople
from mmclsa.utils.onnx_sessions import open_session

if TYPE_CHECKING:
    from mmclsa.gallery import ModelFingerprint

__all__ = ['OnnxSearcher']


class OnnxSearcher:
    """Find and describe people with what ``tools/deployment/export_onnx.py`` wrote.

    Does what a :class:`~mmclsa.inference.PersonSearchInferencer` does for a
    gallery, without PyTorch, MMEngine, MMCV and MMDetection, and takes
    pictures as it does: a path, an array (H, W, 3), uint8, BGR, a grey or
    BGRA one, or a picture of Pillow. Calls are safe in several threads.

    Args:
        folder: Folder of the graphs.
        det_thresh: Least score of a person, 0..1; None for the exported one.
        threads: Threads of an operator; 0 for one a core.
        providers: Execution providers of ONNX Runtime, the preferred first;
            None for the CPU.

    Raises:
        DataError: If the folder holds no exported model, or a broken one.
        ConfigError: If an argument is out of range.
        UserError: If onnxruntime is not installed.

    Example:
        >>> searcher = OnnxSearcher('work_dirs/onnx')  # doctest: +SKIP
        >>> (people,) = searcher('street.jpg')  # doctest: +SKIP
        >>> people.boxes, people.scores, people.embeddings  # doctest: +SKIP
    """

    def __init__(
        self,
        folder: str | Path,
        det_thresh: float | None = None,
        threads: int = 0,
        providers: Sequence[str] | None = None,
    ) -> None:
        self._sidecar = Sidecar.read(folder)
        self.det_thresh = self._sidecar.det_thresh if det_thresh is None else det_thresh
        if not 0 <= self.det_thresh <= 1:
            raise ConfigError(f'det_thresh must lie in 0..1, but is {self.det_thresh}')
        self._sessions = {
            role: open_session(self._sidecar.graph(folder, role), threads, providers)
            for role in self._sidecar.graphs
        }

    @property
    def detects(self) -> bool:
        """Whether people can be found; else boxes must be given."""
        return self._sidecar.detection is not None

    @property
    def fingerprint(self) -> ModelFingerprint:
        """The digests of config and weights, and the length of an embedding."""
        # Here, because the gallery imports more than finding people needs.
        from mmclsa.gallery import ModelFingerprint

        return ModelFingerprint(**self._sidecar.model)

    def __call__(self, pictures: InputsType) -> list[FoundPeople]:
        """Find and describe the people of pictures.

        Args:
            pictures: A picture or several, of any sizes.

        Returns:
            Their people, the most certain first; an entry a picture.

        Raises:
            ConfigError: If the detector was not exported.
            DataError: If a file is missing, broken or too large.
            UserError: If something is no picture.
        """
        return self.find_people([self.prepare(picture) for picture in as_inputs(pictures)])

    def prepare(self, picture: InputType) -> dict[str, Any]:
        """Make a picture ready for the network.

        Args:
            picture: A file or an array.

        Returns:
            ``inputs``, shape (3, h, w), float32, and what else
            :meth:`find_people` needs.

        Raises:
            DataError: If the file is missing, broken or too large.
            UserError: If it is no picture.
        """
        array = load_picture(picture).array
        inputs, factors = self._sidecar.letterbox.apply(array)
        return dict(inputs=inputs, picture=array, factors=factors)

    def find_people(self, batch: Sequence[dict[str, Any]]) -> list[FoundPeople]:
        """Detect and describe the people of prepared pictures.

        Args:
            batch: What :meth:`prepare` gave; those of one shape go through
                the network together.

        Returns:
            Their people, the most certain first.

        Raises:
            ConfigError: If the detector was not exported.
        """
        detection = self._sidecar.detection
        if detection is None:
            raise ConfigError(
                'the exported model cannot find people, as its detector was not exported: use '
                'embed_boxes, or export a model with YOLOX'
            )
        results: dict[int, FoundPeople] = {}
        for numbers in _of_one_shape(batch):
            items = [batch[number] for number in numbers]
            boxes, scores, *stages = self._run('detector', _stack(items))
            kept = [
                select_people(b, s, self.det_thresh, detection.iou_thr, detection.max_people)
                for b, s in zip(boxes, scores)
            ]
            found = [b[k] / item['factors'] for b, k, item in zip(boxes, kept, items)]
            described = self._describe(items, found, stages)
            for number, b, s, k, e in zip(numbers, found, scores, kept, described):
                results[number] = FoundPeople(b, s[k], e)
        return [results[number] for number in range(len(batch))]

    def embed_boxes(
        self, picture: InputType, boxes: Sequence[Sequence[float]] | np.ndarray
    ) -> np.ndarray:
        """Describe people whose boxes are known.

        Args:
            picture: A file or an array.
            boxes: Shape (n, 4), x1 y1 x2 y2 in pixels of the upright picture.

        Returns:
            Shape (n, D), float32, unit vectors.

        Raises:
            UserError: If a box has no pixel in common with the picture.
        """
        item = self.prepare(picture)
        inside = check_boxes(boxes, item['picture'].shape)
        stages: list[np.ndarray] = []
        if self._sidecar.reid == 'scenes':
            role = 'detector' if self.detects else 'backbone'
            stages = self._run(role, _stack([item]))[2 if self.detects else 0 :]
        return self._describe([item], [inside], stages)[0]

    def embed_crops(self, crops: np.ndarray) -> np.ndarray:
        """Describe people that were cut out already.

        Args:
            crops: Shape (n, 3, height, width) of the exported crop size,
                float32, BGR in 0..255.

        Returns:
            Shape (n, D), float32, unit vectors.

        Raises:
            ConfigError: If the model describes boxes of scenes, not crops.
        """
        if self._sidecar.reid != 'crops':
            raise ConfigError('the exported model describes boxes of scenes: use embed_boxes')
        step = self._sidecar.max_crops
        parts = [
            self._run('reid', crops[start : start + step])[0]
            for start in range(0, len(crops), step)
        ]
        return np.concatenate([np.zeros((0, self._sidecar.model['dims']), np.float32), *parts])

    def _describe(
        self,
        items: Sequence[dict[str, Any]],
        boxes: Sequence[np.ndarray],
        stages: Sequence[np.ndarray],
    ) -> list[np.ndarray]:
        """Describe boxes in original pixels, one array a picture."""
        counts = [len(b) for b in boxes]
        if not sum(counts):
            return [np.zeros((0, self._sidecar.model['dims']), np.float32) for _ in boxes]
        if self._sidecar.reid == 'crops':
            crops = [self._cut(item['picture'], b) for item, b in zip(items, boxes) if len(b)]
            embeddings = self.embed_crops(np.concatenate(crops))
        else:
            scaled = [at_least_a_pixel(b * item['factors']) for item, b in zip(items, boxes)]
            owner = np.repeat(np.arange(len(boxes), dtype=np.float32), counts)[:, None]
            rois = np.concatenate([owner, np.concatenate(scaled)], axis=1).astype(np.float32)
            (embeddings,) = self._run('reid', *stages, rois)
        return np.split(embeddings, np.cumsum(counts)[:-1])

    def _cut(self, picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        inside = at_least_a_pixel(boxes, (picture.shape[0], picture.shape[1]))
        return self._run('cut', picture, inside)[0]

    def _run(self, role: str, *arrays: np.ndarray) -> list[np.ndarray]:
        session = self._sessions[role]
        names = [node.name for node in session.get_inputs()]
        return session.run(None, dict(zip(names, arrays)))


def _of_one_shape(batch: Sequence[dict[str, Any]]) -> list[list[int]]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, item in enumerate(batch):
        groups.setdefault(item['inputs'].shape, []).append(number)
    return list(groups.values())


def _stack(items: Sequence[dict[str, Any]]) -> np.ndarray:
    return np.stack([item['inputs'] for item in items])
