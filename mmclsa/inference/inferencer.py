"""Finding, describing and searching for people from Python."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.gallery import ModelFingerprint, SearchFilter
from mmclsa.inference.boxes import check_boxes
from mmclsa.inference.digests import weights_digest
from mmclsa.inference.picture_inferencer import PictureInferencer, people_of_sample
from mmclsa.inference.queries import Boxes, choose_first, choose_queries
from mmclsa.inference.results import GalleryHits
from mmclsa.inference.searching import GalleryInput, HitUnit, check_gallery, search
from mmclsa.media import InputsType, InputType
from mmclsa.media import load_picture as load_one
from mmclsa.structures import FoundPeople

__all__ = ['PersonSearchInferencer']

_PROBE = np.zeros((64, 64, 3), np.uint8)


class PersonSearchInferencer(PictureInferencer):
    """Find, describe and search for people.

    In MMEngine's conventions: calling it gives ``predictions`` and
    ``visualization``, and it takes what MMDetection's ``DetInferencer`` takes.
    A picture is a path, or an array (H, W, 3), uint8, BGR; grey and BGRA arrays
    are taken too. Pictures in files are turned upright by EXIF, and boxes are
    in pixels of the upright picture.

    Args:
        model: Config, its path, or the name of one that comes with mmclsa,
            such as ``clsa_r50_cuhk``; None to take it from the weights.
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

    @cached_property
    def fingerprint(self) -> ModelFingerprint:
        """The digests of config and weights, and the length of an embedding."""
        dims = self.embed_boxes(_PROBE, [[0, 0, 32, 64]]).shape[1]
        return ModelFingerprint(self._config_digest, weights_digest(self.model), dims)

    identity = property(attrgetter('fingerprint'))  # its former name

    def find_people(self, batch: Sequence[dict[str, Any]]) -> list[FoundPeople]:
        """Detect and describe the people of prepared pictures.

        Args:
            batch: What :meth:`prepare` gave, pictures of one size.

        Returns:
            Their people, the most certain first.
        """
        return [people_of_sample(sample) for sample in self.forward(self.collate_fn(list(batch)))]

    def embed_boxes(
        self, picture: InputType, boxes: Sequence[Sequence[float]] | np.ndarray | Any
    ) -> np.ndarray:
        """Describe people whose boxes are known.

        Args:
            picture: A file or an array.
            boxes: Shape (n, 4), x1 y1 x2 y2 in pixels of the upright picture;
                a tensor, or a prediction of this class, does as well.

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
        query_box: Boxes | Any | None = None,
        gallery: GalleryInput = (),
        topk: int = 10,
        where: SearchFilter | None = None,
        rerank: bool = False,
        group_by_track: bool | None = None,
        person: Sequence[int] | int | None = None,
        out_dir: str | Path | None = None,
        unit: HitUnit = 'sighting',
        min_probability: float | None = None,
        confirmed: Sequence[int] = (),
        rejected: Sequence[int] = (),
    ) -> GalleryHits:
        """Look for a person.

        Args:
            query_image: A picture of the person, or several, whose embeddings
                are averaged.
            query_box: Where the person is, x1 y1 x2 y2 in pixels of the
                upright picture, in any form that :meth:`embed_boxes` takes;
                one for each picture. None: the most certain person found.
            gallery: An index or its folder, or pictures, folders, videos and
                lists, which are searched without being kept. To search them
                again, build an index.
            topk: How many hits.
            where: Which records may be found.
            rerank: Order the best hits anew by the neighbours they share.
            group_by_track: See :func:`~mmclsa.inference.rank_people`.
            person: In place of a box the number of a person, from 1, in the
                order of certainty.
            out_dir: Write ``results.json`` and pictures there.
            unit: ``'sighting'`` for the best row of each track, ``'frame'`` for
                every row.
            min_probability: See :func:`~mmclsa.inference.rank_people`.
            confirmed: Rows of an index who are the right person.
            rejected: Rows who are somebody else.

        Returns:
            The hits, best first.

        Raises:
            ConfigError: If no gallery is given, or the index is of another
                model.
            UserError: If a picture or box is wrong, or nobody is found.
        """
        check_gallery(gallery)
        queries = choose_queries(self, query_image, query_box, person, choose_first)
        result = search(
            self,
            queries,
            gallery,
            topk,
            where,
            rerank,
            group_by_track,
            unit=unit,
            min_probability=min_probability,
            confirmed=confirmed,
            rejected=rejected,
        )
        if out_dir is not None:
            result.save(out_dir)
        return result
