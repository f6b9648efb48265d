"""What a build needs of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from mmclsa.errors import UserError
from mmclsa.gallery import ModelFingerprint
from mmclsa.structures import FoundPeople
from mmclsa.utils.errors import reason_of

__all__ = ['PROBE', 'Embedder', 'QueryEmbedder', 'find_people_in']

#: An ordinary picture: after one that has failed, this tells whether the model is at fault.
PROBE = np.full((96, 128, 3), 127, np.uint8)


class Embedder(Protocol):
    """Finds and describes people: ``PersonSearchInferencer`` and ``OnnxSearcher`` do."""

    @property
    def fingerprint(self) -> ModelFingerprint:
        """The digests of its model."""

    def prepare(self, picture: np.ndarray) -> dict[str, Any]:
        """Make a picture (H, W, 3), uint8, BGR, ready for the network; called in threads.

        Returns:
            A dict with at least ``inputs``, an array or tensor. Only pictures
            whose ``inputs`` have one shape enter the network together.
        """

    def find_people(self, batch: Sequence[dict[str, Any]]) -> list[FoundPeople]:
        """Detect and describe the people of prepared pictures."""


class QueryEmbedder(Embedder, Protocol):
    """Describes people whose boxes are given, too: what a search needs."""

    det_thresh: float

    def embed_boxes(
        self, picture: np.ndarray, boxes: Sequence[Sequence[float]] | np.ndarray
    ) -> np.ndarray:
        """Describe people of a picture (H, W, 3), uint8, BGR: unit vectors (n, D)."""


def find_people_in(embedder: Embedder, picture: np.ndarray, name: str) -> FoundPeople:
    """Detect and describe the people of one picture.

    Args:
        embedder: The model.
        picture: Shape (H, W, 3), uint8, BGR.
        name: What the picture is called in messages.

    Returns:
        Its people.

    Raises:
        UserError: If the model cannot take this picture, such as one that is a
            thousand times as wide as it is high, but can take others.
    """
    try:
        (found,) = embedder.find_people([embedder.prepare(picture)])
    except UserError:
        raise
    except Exception as error:
        embedder.find_people([embedder.prepare(PROBE)])  # raises if it is not the picture
        raise UserError(reason_of(error, name)) from error
    return found
