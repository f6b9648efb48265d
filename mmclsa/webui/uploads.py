"""Pictures that visitors have uploaded, as long as they are needed."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from mmclsa.structures import FoundPeople
from mmclsa.webui.problems import GoneError

__all__ = ['PictureStore', 'StoredPicture']

_MB = 1_000_000


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """An uploaded picture and its people.

    Attributes:
        name: Of the file, without folders.
        width: Of the upright picture, pixels.
        height: Of the upright picture, pixels.
        data: The file as it was uploaded.
        shown: A JPEG, no larger than a browser shows it.
        people: Who is in it, by boxes in pixels of the upright picture.
        crops: For each of them a JPEG.
    """

    name: str
    width: int
    height: int
    data: bytes
    shown: bytes
    people: FoundPeople
    crops: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """How much is kept, bytes."""
        crops = sum(map(len, self.crops))
        return len(self.data) + len(self.shown) + crops + self.people.embeddings.nbytes

    def person(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Give box and embedding of a person.

        Args:
            number: From 1, as the people are listed.

        Raises:
            GoneError: If there is no such person.
        """
        self.check(number)
        return self.people.boxes[number - 1], self.people.embeddings[number - 1]

    def check(self, number: int) -> None:
        """Refuse the number of a person who is not in the picture.

        Raises:
            GoneError: If there is no such person.
        """
        count = len(self.crops)
        if not 1 <= number <= count:
            there = f'people 1 to {count}' if count > 1 else ('1 person' if count else 'nobody')
            raise GoneError(f'{self.name} has {there}, but person {number} is asked for')


class PictureStore:
    """Uploaded pictures by a name that nobody guesses; in memory alone. Safe in threads.

    Args:
        capacity_mb: Of all together; the one not used for longest goes first.
        seconds: For so long after its last use a picture is kept.

    Example:
        >>> PictureStore(1, 60).get('gone')
        Traceback (most recent call last):
        mmclsa.webui.problems.GoneError: this picture is no longer kept: upload it again
    """

    def __init__(self, capacity_mb: int, seconds: float) -> None:
        self._capacity = capacity_mb * _MB
        self._seconds = seconds
        self._pictures: OrderedDict[str, tuple[StoredPicture, float]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, picture: StoredPicture) -> str:
        """Keep a picture.

        Returns:
            Its name.
        """
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._pictures[key] = picture, time.monotonic()
            self._make_room()
        return key

    def get(self, key: str) -> StoredPicture:
        """Give a picture, which is kept for longer now.

        Raises:
            GoneError: If it is not kept (any more).
        """
        with self._lock:
            self._make_room()
            if key not in self._pictures:
                raise GoneError('this picture is no longer kept: upload it again')
            picture, _ = self._pictures[key]
            self._pictures[key] = picture, time.monotonic()
            self._pictures.move_to_end(key)
            return picture

    def _make_room(self) -> None:
        """Drop what has expired, and the oldest until the newest has room."""
        earliest = time.monotonic() - self._seconds
        size = sum(picture.size for picture, _ in self._pictures.values())
        for key, (picture, used) in list(self._pictures.items()):
            if used >= earliest and (size <= self._capacity or len(self._pictures) == 1):
                break
            size -= picture.size
            del self._pictures[key]
