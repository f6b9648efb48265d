"""From the people of a unit's pictures to rows of the index."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mmclsa.evaluation.functional.pairs import count_pairs
from mmclsa.gallery.building.crops import cut_crop
from mmclsa.gallery.building.quality import detection_quality
from mmclsa.gallery.building.reading import Ready
from mmclsa.gallery.building.sightings import Detections, Rows, fuse_tracks
from mmclsa.gallery.building.tracking import Tracker
from mmclsa.gallery.building.units import SIGHTING, SourceOptions
from mmclsa.structures import FoundPeople

__all__ = ['Gathering']


@dataclass
class Gathering:
    """Takes the people of a unit, picture by picture.

    A video's people are linked as they come, so that of each track only the best
    crop so far is kept.

    Attributes:
        options: Of the sources.
        num_pictures: That have been taken.
    """

    options: SourceOptions
    num_pictures: int = 0
    _tracker: Tracker | None = None
    _parts: list[Detections] = field(default_factory=list)
    _crops: list[bytes] = field(default_factory=list)
    _best: dict[int, tuple[float, bytes]] = field(default_factory=dict)

    def take(self, ready: Ready, found: FoundPeople) -> None:
        """Take the people of one picture.

        Args:
            ready: The picture.
            found: Its people.
        """
        count = len(found.scores)
        tracks = np.full(count, -1, np.int64)
        if ready.in_video:
            if self._tracker is None:
                self._tracker = Tracker()
            tracks = self._tracker.step(self.num_pictures, ready.time, found)
        self.num_pictures += 1
        quality = detection_quality(found.boxes, found.scores, ready.size)
        self._parts.append(
            Detections(
                frames=np.full(count, ready.frame, np.int64),
                times=np.full(count, ready.time, np.float64),
                boxes=found.boxes.reshape(-1, 4),
                scores=found.scores,
                embeddings=found.embeddings,
                tracks=tracks,
                quality=quality,
            )
        )
        if ready.picture is not None:
            self._keep_crops(ready.picture, found.boxes, tracks, quality)

    def _keep_crops(
        self, picture: np.ndarray, boxes: np.ndarray, tracks: np.ndarray, quality: np.ndarray
    ) -> None:
        """Cut out everybody, or those of a track who are better than before."""
        for box, track, value in zip(boxes, tracks.tolist(), quality.tolist()):
            if track < 0 or self.options.unit != SIGHTING:
                self._crops.append(cut_crop(picture, box))
            elif track not in self._best or value > self._best[track][0]:
                self._best[track] = (value, cut_crop(picture, box))

    def rows(self) -> Rows:
        """Give the rows of all that was taken."""
        people = Detections.join(self._parts)
        if self._tracker is None:
            return Rows(people, self._crops)
        # As the index is searched: a look against the rows, which are means of tracks or are not.
        fused = self.options.unit == SIGHTING
        pairs = count_pairs(
            *(people.frames, people.tracks, people.embeddings, people.times),
            boxes=people.boxes,
            fused=fused,
        )
        if self.options.unit != SIGHTING:
            return Rows(people, self._crops, pairs=pairs)
        crops = [self._best[track][1] for track in sorted(self._best)]
        return replace(fuse_tracks(people, crops), pairs=pairs)
