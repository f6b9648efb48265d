"""Finding people in pictures and videos, in the conventions of MMDetection's inferencer."""

from __future__ import annotations

import copy
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
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
from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.building.embedder import PROBE
from mmclsa.inference.config_and_weights import (
    as_config,
    check_describes,
    check_device,
    initialise,
    load_weights,
)
from mmclsa.inference.digests import config_digest
from mmclsa.inference.model_names import config_names
from mmclsa.inference.outputs import (
    OutputFiles,
    OutputNames,
    as_prediction,
    check_call,
    drawing_paths,
    people_table,
)
from mmclsa.media import InputsType, Picture, Sampling, iterate_pictures
from mmclsa.registry import MODELS, TRANSFORMS
from mmclsa.structures import FoundPeople
from mmclsa.utils.checkpoint import check_fits
from mmclsa.utils.choices import given_checkpoint
from mmclsa.utils.errors import describe_left_out, reason_of
from mmclsa.utils.trust import trusting_checkpoints
from mmclsa.visualization import PersonSearchVisualizer

__all__ = ['PictureInferencer', 'people_of_sample']

_BUILDING = threading.Lock()


class PictureInferencer(BaseInferencer):
    """Find and describe people: pictures in, predictions and drawings out.

    The base of :class:`~mmclsa.inference.PersonSearchInferencer`, whose
    arguments these are.
    """

    preprocess_kwargs: ClassVar[set[str]] = {'every', 'fps'}
    forward_kwargs: ClassVar[set[str]] = set()
    visualize_kwargs: ClassVar[set[str]] = {
        *('return_vis', 'show', 'wait_time', 'img_out_dir', 'draw_pred', 'pred_score_thr'),
        'no_save_vis',
    }
    postprocess_kwargs: ClassVar[set[str]] = {'return_embeddings', 'print_result', 'no_save_pred'}

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
        check_device(device)
        weights = given_checkpoint(weights)
        self._checkpoint = None if weights is None else load_weights(weights)
        cfg = as_config(model, self._checkpoint, str(weights))
        self.det_thresh = configured_flags(cfg).det_thresh if det_thresh is None else det_thresh
        if not 0 <= self.det_thresh <= 1:
            raise ConfigError(f'det_thresh must lie in 0..1, but is {self.det_thresh}')
        self._steps = inference_pipeline(cfg)
        self._config_digest = config_digest(cfg.model, self._steps)
        self._local = threading.local()
        self._names = OutputNames()
        super().__init__(cfg, weights, device, scope='mmclsa', show_progress=show_progress)
        self._checkpoint = None

    def __call__(
        self,
        inputs: InputsType,
        return_datasamples: bool = False,
        batch_size: int = 1,
        out_dir: str | Path = '',
        **kwargs: Any,
    ) -> dict[str, list[Any]]:
        """Find and describe the people of pictures.

        Args:
            inputs: An array, a picture, a folder, a video or a list file, or
                several of these.
            return_datasamples: Give MMDetection's data samples, not dicts.
            batch_size: Pictures that go through the network at once.
            out_dir: Write drawings into its ``vis/`` and predictions, as JSON,
                into its ``preds/``, each called as its picture.
            kwargs: ``every`` and ``fps`` choose frames of videos;
                ``return_vis``, ``show``, ``wait_time``, ``draw_pred``,
                ``pred_score_thr``, ``no_save_vis`` and ``img_out_dir`` are for
                drawing, see :meth:`visualize`; ``print_result``,
                ``no_save_pred`` and ``return_embeddings`` for what is found,
                see :meth:`postprocess`.

        Returns:
            ``predictions``, for each picture a dict of ``source``, ``frame``,
            ``time``, ``labels``, ``bboxes``, ``scores`` and ``embeddings`` in
            plain lists, and ``visualization``, pictures (H, W, 3), uint8, RGB.

        Raises:
            ConfigError: If an argument is out of range.
            DataError: If a file is missing, broken or too large.
            UserError: If ``out_dir`` cannot be written to.

        Warns:
            UserWarning: If a file of a folder, a pattern or a list is: then the
                others are looked at. Names the first few.
        """
        check_call(return_datasamples, batch_size, out_dir, kwargs)
        before, forward, drawing, after = self._dispatch_kwargs(**kwargs)
        results: dict[str, list[Any]] = {'predictions': [], 'visualization': []}
        batches = self.preprocess(inputs, batch_size, **before)
        for pictures, data in track(batches, 'Inference') if self.show_progress else batches:
            samples = self.forward(data, **forward)
            files = OutputFiles(out_dir, self._names.stems(out_dir, pictures)) if out_dir else None
            drawn = self.visualize(pictures, samples, files=files, **drawing)
            part = self.postprocess(
                samples, drawn, return_datasamples, pictures=pictures, files=files, **after
            )
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

        Raises:
            DataError: If a file that was named cannot be used, or none of the
                files of the folders, patterns and lists.

        Warns:
            UserWarning: If some of the latter cannot be used; names the first.
        """
        left_out: dict[str, str] = {}

        def leave_out(path: str, error: Exception) -> None:
            left_out.setdefault(path, reason_of(error, path))

        pictures = iterate_pictures(inputs, Sampling(every, fps), leave_out)
        empty = True
        for chunk in self._get_chunk_data(self._prepared(pictures, leave_out), batch_size):
            empty = False
            yield [picture for picture, _ in chunk], self.collate_fn([data for _, data in chunk])
        if left_out:
            sentence = describe_left_out(left_out, 'looked at')
            if empty:
                raise DataError(sentence)
            warnings.warn(sentence, stacklevel=3)

    def _prepared(
        self, pictures: Iterable[Picture], leave_out: Callable[[str, Exception], None]
    ) -> Iterator[tuple[Picture, dict[str, Any]]]:
        """Prepare pictures; one of a folder that the pipeline cannot take is left out."""
        for picture in pictures:
            try:
                data = self.prepare(picture.array)
            except Exception as error:  # noqa: PERF203
                if not picture.listed:
                    raise
                self.prepare(PROBE)  # raises if it is not the picture
                leave_out(picture.source, error)
            else:
                yield picture, data

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
        draw_pred: bool = True,
        pred_score_thr: float | None = None,
        no_save_vis: bool = False,
        files: OutputFiles | None = None,
        **_: Any,
    ) -> list[np.ndarray]:
        """Draw the people found.

        Args:
            inputs: The pictures.
            preds: What was found in them.
            return_vis: Give the drawings back.
            show: Open a window.
            wait_time: Seconds to show each.
            img_out_dir: Write them there too, without a folder ``vis/``.
            draw_pred: Draw the people, not the picture alone.
            pred_score_thr: Least score of a person who is drawn, 0..1; None
                for everybody found.
            no_save_vis: Write none, whatever folders are given.
            files: Where to write them.

        Returns:
            Drawings (H, W, 3), uint8, RGB; none if nothing asks for them.
        """
        drawn: list[np.ndarray] = []
        paths = [None] * len(inputs) if no_save_vis else drawing_paths(inputs, files, img_out_dir)
        if not (return_vis or show or any(paths)):
            return drawn
        for picture, sample, path in zip(inputs, preds, paths):
            self.visualizer.add_datasample(
                Path(picture.source).name or 'array',
                picture.array[..., ::-1],
                sample,
                draw_gt=False,
                draw_pred=draw_pred,
                show=show,
                wait_time=wait_time,
                out_file=path,
                pred_score_thr=self.det_thresh if pred_score_thr is None else pred_score_thr,
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
        print_result: bool = False,
        no_save_pred: bool = False,
        files: OutputFiles | None = None,
        **_: Any,
    ) -> dict[str, list[Any]]:
        """Turn data samples into plain lists, write and print them.

        Args:
            preds: What was found.
            visualization: The drawings.
            return_datasamples: Leave the samples as they are.
            pictures: Where they are from.
            return_embeddings: Give and write embeddings too.
            print_result: Print a table of each picture's people.
            no_save_pred: Write nothing, whatever folder is given.
            files: Where to write them.

        Returns:
            See the call.
        """
        found = [people_of_sample(sample) for sample in preds]
        if print_result:
            print('\n'.join(map(people_table, pictures, found)))
        predictions: list[Any] = [
            as_prediction(picture, people, return_embeddings)
            for picture, people in zip(pictures, found)
        ]
        if files is not None and not no_save_pred:
            files.write_predictions(predictions)
        results = list(preds) if return_datasamples else predictions
        return {'predictions': results, 'visualization': visualization}

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

    @staticmethod
    def list_models(scope: str | None = 'mmclsa', patterns: str = '.*') -> list[str]:
        """List the names that ``model`` may be.

        Args:
            scope: ``mmclsa``; others have inferencers of their own.
            patterns: Regular expression that a name begins with.

        Returns:
            Names of configs.

        Example:
            >>> PictureInferencer.list_models(patterns='clsa_r50')
            ['clsa_r50_cuhk', 'clsa_r50_prw']
        """
        if scope not in (None, 'mmclsa'):
            return BaseInferencer.list_models(scope, patterns)
        return [name for name in config_names() if re.match(patterns, name)]

    def _init_model(self, cfg: Config, weights: str | None, device: str = 'cpu') -> nn.Module:
        model_cfg = copy.deepcopy(check_describes(cfg.model))  # the config itself stays
        limit_scores((model_cfg.get('detector') or {}).get('test_cfg'), self.det_thresh)
        if self._checkpoint is None:
            # What is drawn is drawn alike each time: an index of it can be searched.
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(0)
                model = MODELS.build(model_cfg)
                initialise(model, cfg)
        else:
            model = MODELS.build(model_cfg)
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


def people_of_sample(sample: DetDataSample) -> FoundPeople:
    """Give the people of a data sample as arrays."""
    people = sample.pred_instances
    arrays = (people.bboxes, people.scores, people.embeddings)
    return FoundPeople(*(array.detach().float().cpu().numpy() for array in arrays))
