"""Finding people in pictures and videos from Python."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.infer import BaseInferencer
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from rich.progress import track
from torch import nn

from mmclsa.engine.inference_pipeline import configured_flags, inference_pipeline, limit_scores
from mmclsa.errors import ConfigError
from mmclsa.gallery import ModelFingerprint, SearchFilter
from mmclsa.inference.boxes import check_boxes
from mmclsa.inference.config_and_weights import as_config, check_describes, initialise, load_weights
from mmclsa.inference.digests import config_digest, weights_digest
from mmclsa.inference.queries import Boxes, choose_first, choose_queries
from mmclsa.inference.results import GalleryHits
from mmclsa.inference.searching import GalleryInput, search
from mmclsa.media import InputsType, InputType, Picture, Sampling, iterate_pictures
from mmclsa.media import load_picture as load_one
from mmclsa.registry import MODELS, TRANSFORMS
from mmclsa.structures import FoundPeople
from mmclsa.utils.checkpoint import check_fits
from mmclsa.utils.choices import given_checkpoint
from mmclsa.utils.trust import trusting_checkpoints
from mmclsa.visualization import PersonSearchVisualizer

__all__ = ['PersonSearchInferencer']

_PROBE = np.zeros((64, 64, 3), np.uint8)
_BUILDING = threading.Lock()


class PersonSearchInferencer(BaseInferencer):
    """Find, describe and search for people.

    In MMEngine's conventions: calling it gives ``predictions`` and
    ``visualization``. A picture is a path, or an array (H, W, 3), uint8, BGR;
    grey and BGRA arrays are taken too. Pictures in files are turned upright by
    EXIF, and boxes are in pixels of the upright picture.

    Args:
        model: Config, or its path; None to take it from the weights.
        weights: Checkpoint; None or ``none`` for the model as the config
            initialises it.
        device: Such as ``cpu`` or ``cuda:0``; None for a GPU where there is one.
        det_thresh: Least score of a person, 0..1; None for the one that the
            config's ``PersonSearchMetric`` has, else 0.5.
        show_progress: Show a progress bar.
        trust_checkpoint: Let the weights run code that their author put into
            them; only for authors you trust. By default such weights are
            refused.

    Raises:
        ConfigError: If config and weights do not exist or do not fit, or the
            weights have code in them.

    Example:
        >>> inferencer = PersonSearchInferencer('config.py', 'a.pth')  # doctest: +SKIP
        >>> found = inferencer('street.jpg')['predictions'][0]  # doctest: +SKIP
        >>> found['bboxes'], found['scores']  # doctest: +SKIP
    """

    preprocess_kwargs: ClassVar[set[str]] = {'every', 'fps'}
    forward_kwargs: ClassVar[set[str]] = set()
    visualize_kwargs: ClassVar[set[str]] = {'return_vis', 'show', 'wait_time', 'img_out_dir'}
    postprocess_kwargs: ClassVar[set[str]] = {'return_embeddings'}

    def __init__(
        self,
        model: str | Path | Config | dict[str, Any] | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        det_thresh: float | None = None,
        show_progress: bool = False,
        trust_checkpoint: bool = False,
    ) -> None:
        init_default_scope('mmclsa')
        with trusting_checkpoints(trust_checkpoint):
            self._load(model, weights, device, det_thresh, show_progress)

    def _load(
        self,
        model: str | Path | Config | dict[str, Any] | None,
        weights: str | Path | None,
        device: str | None,
        det_thresh: float | None,
        show_progress: bool,
    ) -> None:
        weights = given_checkpoint(weights)
        self._checkpoint = None if weights is None else load_weights(weights)
        cfg = as_config(model, self._checkpoint, str(weights))
        self.det_thresh = configured_flags(cfg).det_thresh if det_thresh is None else det_thresh
        if not 0 <= self.det_thresh <= 1:
            raise ConfigError(f'det_thresh must lie in 0..1, but is {self.det_thresh}')
        self._steps = inference_pipeline(cfg)
        self._config_digest = config_digest(cfg.model, self._steps)
        self._local = threading.local()
        super().__init__(cfg, weights, device, scope='mmclsa', show_progress=show_progress)
        self._checkpoint = None

    def __call__(
        self,
        inputs: InputsType,
        return_datasamples: bool = False,
        batch_size: int = 1,
        **kwargs: Any,
    ) -> dict[str, list[Any]]:
        """Find and describe the people of pictures.

        Args:
            inputs: An array, a picture, a folder, a video or a list file, or
                several of these.
            return_datasamples: Give MMDetection's data samples, not dicts.
            batch_size: Pictures that go through the network at once.
            kwargs: ``every`` and ``fps`` choose frames of videos;
                ``return_vis``, ``show``, ``wait_time`` and ``img_out_dir``
                draw; ``return_embeddings=False`` leaves embeddings out.

        Returns:
            ``predictions``, for each picture a dict of ``source``, ``frame``,
            ``time``, ``bboxes``, ``scores`` and ``embeddings`` in plain lists,
            and ``visualization``, pictures (H, W, 3), uint8, RGB.

        Raises:
            DataError: If a file is missing, broken or too large.
        """
        before, forward, drawing, after = self._dispatch_kwargs(**kwargs)
        results: dict[str, list[Any]] = {'predictions': [], 'visualization': []}
        batches = self.preprocess(inputs, batch_size, **before)
        for pictures, data in track(batches, 'Inference') if self.show_progress else batches:
            samples = self.forward(data, **forward)
            drawn = self.visualize(pictures, samples, **drawing)
            part = self.postprocess(samples, drawn, return_datasamples, pictures=pictures, **after)
            for name, values in part.items():
                results[name].extend(values)
        return results

    def preprocess(
        self,
        inputs: InputsType,
        batch_size: int = 1,
        every: int = 1,
        fps: float | None = None,
        **_: Any,
    ) -> Iterator[tuple[list[Picture], dict[str, Any]]]:
        """Load pictures and make them ready for the network.

        Args:
            inputs: See the call.
            batch_size: Pictures in a batch.
            every: Take every N-th frame of a video.
            fps: Or so many frames a second.

        Yields:
            Pictures and the collated batch.
        """
        pictures = iterate_pictures(inputs, Sampling(every, fps))
        for chunk in self._get_chunk_data(pictures, batch_size):
            yield chunk, self.collate_fn([self.prepare(picture.array) for picture in chunk])

    def forward(self, inputs: dict[str, Any], **kwargs: Any) -> list[DetDataSample]:
        """Feed a collated batch to the model; people below the threshold go.

        Args:
            inputs: What :meth:`preprocess` gave.
            kwargs: Of MMEngine's base class.

        Returns:
            Data samples with ``pred_instances``.
        """
        samples = super().forward(inputs, **kwargs)
        for sample in samples:
            people = sample.pred_instances
            sample.pred_instances = people[people.scores >= self.det_thresh]
        return samples

    def visualize(
        self,
        inputs: Sequence[Picture],
        preds: Sequence[DetDataSample],
        return_vis: bool = False,
        show: bool = False,
        wait_time: float = 0,
        img_out_dir: str | Path = '',
        **_: Any,
    ) -> list[np.ndarray]:
        """Draw the people found.

        Args:
            inputs: The pictures.
            preds: What was found in them.
            return_vis: Give the drawings back.
            show: Open a window.
            wait_time: Seconds to show each.
            img_out_dir: Write them there too.

        Returns:
            Drawings (H, W, 3), uint8, RGB; none if nothing asks for them.
        """
        drawn: list[np.ndarray] = []
        if not (return_vis or show or img_out_dir):
            return drawn
        for number, (picture, sample) in enumerate(zip(inputs, preds)):
            name = f'{Path(picture.source).stem or f"array_{number}"}_{picture.frame:06d}.png'
            self.visualizer.add_datasample(
                name,
                picture.array[..., ::-1],
                sample,
                draw_gt=False,
                show=show,
                wait_time=wait_time,
                out_file=str(Path(img_out_dir) / name) if img_out_dir else None,
                pred_score_thr=self.det_thresh,
            )
            if return_vis:
                drawn.append(self.visualizer.get_image())
        return drawn

    def postprocess(
        self,
        preds: Sequence[DetDataSample],
        visualization: list[np.ndarray],
        return_datasamples: bool = False,
        pictures: Sequence[Picture] = (),
        return_embeddings: bool = True,
        **_: Any,
    ) -> dict[str, list[Any]]:
        """Turn data samples into plain lists.

        Args:
            preds: What was found.
            visualization: The drawings.
            return_datasamples: Leave the samples as they are.
            pictures: Where they are from.
            return_embeddings: Give embeddings too.

        Returns:
            See the call.
        """
        predictions: list[Any] = list(preds)
        if not return_datasamples:
            predictions = [
                _as_dict(picture, _people(sample), return_embeddings)
                for picture, sample in zip(pictures, preds)
            ]
        return {'predictions': predictions, 'visualization': visualization}

    @cached_property
    def fingerprint(self) -> ModelFingerprint:
        """The digests of config and weights, and the length of an embedding."""
        dims = self.embed_boxes(_PROBE, [[0, 0, 32, 64]]).shape[1]
        return ModelFingerprint(self._config_digest, weights_digest(self.model), dims)

    identity = property(attrgetter('fingerprint'))  # its former name

    def prepare(self, picture: np.ndarray, boxes: np.ndarray | None = None) -> dict[str, Any]:
        """Make a picture ready for the network; safe in several threads at once.

        Args:
            picture: Shape (H, W, 3), uint8, BGR.
            boxes: People to be described, beside those to be detected, shape
                (n, 4), float32.

        Returns:
            ``inputs`` and ``data_samples`` of one picture.
        """
        if not hasattr(self._local, 'pipeline'):  # a transform may keep state
            self._local.pipeline = self._init_pipeline(self.cfg)
        data: dict[str, Any] = dict(img=picture, img_path='', img_id=0)
        if boxes is not None:
            data.update(query_bboxes=boxes, query_ids=np.arange(len(boxes)))
        return self._local.pipeline(data)

    def find_people(self, batch: Sequence[dict[str, Any]]) -> list[FoundPeople]:
        """Detect and describe the people of prepared pictures.

        Args:
            batch: What :meth:`prepare` gave, pictures of one size.

        Returns:
            Their people, the most certain first.
        """
        return [_people(sample) for sample in self.forward(self.collate_fn(list(batch)))]

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
            UserError: If a box lies outside of the picture.
        """
        array = load_one(picture).array
        data = self.prepare(array, check_boxes(boxes, array.shape))
        sample = self.forward(self.collate_fn([data]))[0]
        return sample.query_instances.embeddings.float().cpu().numpy()

    def search(
        self,
        query_image: InputsType,
        query_box: Boxes | None = None,
        gallery: GalleryInput = (),
        topk: int = 10,
        where: SearchFilter | None = None,
        rerank: bool = False,
        group_by_track: bool = False,
        person: Sequence[int] | int | None = None,
        out_dir: str | Path | None = None,
    ) -> GalleryHits:
        """Look for a person.

        Args:
            query_image: A picture of the person, or several, whose embeddings
                are averaged.
            query_box: Where the person is, x1 y1 x2 y2 in pixels of the
                upright picture; one for each picture. None: the most certain
                person found.
            gallery: An index or its folder, or pictures, folders, videos and
                lists, which are searched without being kept. To search them
                again, build an index.
            topk: How many hits.
            where: Which records may be found.
            rerank: Order the best hits anew by the neighbours they share.
            group_by_track: Take the best hit of each track of a video alone.
            person: In place of a box the number of a person, from 1, in the
                order of certainty.
            out_dir: Write ``results.json`` and pictures there.

        Returns:
            The hits, best first.

        Raises:
            ConfigError: If the index is of another model.
            UserError: If a picture or box is wrong, or nobody is found.
        """
        queries = choose_queries(self, query_image, query_box, person, choose_first)
        result = search(self, queries, gallery, topk, where, rerank, group_by_track)
        if out_dir is not None:
            result.save(out_dir)
        return result

    def _init_model(self, cfg: Config, weights: str | None, device: str = 'cpu') -> nn.Module:
        model_cfg = copy.deepcopy(check_describes(cfg.model))  # the config itself stays
        limit_scores((model_cfg.get('detector') or {}).get('test_cfg'), self.det_thresh)
        model = MODELS.build(model_cfg)
        if self._checkpoint is None:
            initialise(model, cfg)
        else:
            check_fits(model.state_dict(), self._checkpoint, str(weights))
            _load_checkpoint_to_model(model, self._checkpoint)
        return revert_sync_batchnorm(model).to(device).eval()

    def _init_pipeline(self, cfg: Config) -> Compose:
        with _BUILDING:  # the registries' scope is shared by all threads
            return Compose([TRANSFORMS.build(dict(step)) for step in self._steps])

    def _init_collate(self, cfg: Config) -> Any:
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> PersonSearchVisualizer:
        return PersonSearchVisualizer(name=f'inferencer_{id(self)}')


def _people(sample: DetDataSample) -> FoundPeople:
    people = sample.pred_instances
    arrays = (people.bboxes, people.scores, people.embeddings)
    return FoundPeople(*(array.detach().float().cpu().numpy() for array in arrays))


def _as_dict(picture: Picture, people: FoundPeople, embeddings: bool) -> dict[str, Any]:
    time = None if np.isnan(picture.time) else picture.time
    result: dict[str, Any] = dict(source=picture.source, frame=picture.frame, time=time)
    result.update(bboxes=people.boxes.tolist(), scores=people.scores.tolist())
    if embeddings:
        result['embeddings'] = people.embeddings.tolist()
    return result
