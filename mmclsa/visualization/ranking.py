"""Pictures of ranked results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.evaluation.examples import SearchExamples
from mmclsa.structures import Predictions, Ranking, SearchProtocol
from mmclsa.utils.text import counted
from mmclsa.visualization.canvas import write_picture
from mmclsa.visualization.rank_lists import RankedPerson, draw_rank_list

__all__ = ['choose_protocol', 'load_rgb', 'picture_loader', 'ranked_people', 'save_rank_lists']

PictureLoader = Callable[[str], np.ndarray]


def choose_protocol(protocols: Sequence[SearchProtocol], name: str | None) -> SearchProtocol:
    """Find the protocol of a name, or the first.

    Args:
        protocols: Of a test data set.
        name: Of one of them; None for the first.

    Raises:
        ConfigError: If there is none, or none of this name.
    """
    if not protocols:
        raise ConfigError('the test data set of the config has no protocol')
    known = {protocol.name: protocol for protocol in protocols}
    if name is not None and name not in known:
        raise ConfigError(f'--protocol must be one of {", ".join(known)}, but is {name!r}')
    return protocols[0] if name is None else known[name]


def save_rank_lists(
    examples: SearchExamples, load_picture: PictureLoader, out_dir: str | Path, top: int = 10
) -> list[Path]:
    """Draw the ranked results of some queries, a PNG each.

    Args:
        examples: The queries; see
            :func:`mmclsa.evaluation.examples.choose_examples`.
        load_picture: Gives the picture (H, W, 3), uint8, BGR, of an image
            key; see :func:`picture_loader`. A ``DataError`` of it leaves an
            empty cell.
        out_dir: Folder for the pictures.
        top: How many detections of each.

    Returns:
        The files, ``<protocol>_<place>_query<id>.png``.

    Raises:
        UserError: If ``top`` is below 1 or the folder cannot be written to.
    """
    if top < 1:
        raise UserError(f'top must be at least 1, but is {top}')
    protocol, paths = examples.protocol, []
    for place, ranking in enumerate(examples.rankings):
        query = ranking.query
        title = _title(protocol, ranking, float(examples.result.average_precisions[query]))
        people = ranked_people(examples.predictions, ranking, load_picture, top)
        own = protocol.images[protocol.query_images[query]]
        asked = RankedPerson(load_rgb(load_picture, own), protocol.query_boxes[query], note=own)
        name = f'{protocol.name}_{place:03d}_query{protocol.query_ids[query]}.png'
        drawn = draw_rank_list(asked, people, title)
        paths.append(write_picture(Path(out_dir) / name, drawn))
    return paths


def _title(protocol: SearchProtocol, ranking: Ranking, precision: float) -> str:
    query = ranking.query
    who = f'query {protocol.query_ids[query]}, person {protocol.person_ids[query]}'
    if not ranking.num_truths:
        return f'{protocol.name}: {who}, not in the gallery'
    return (
        f'{protocol.name}: {who}, AP {100 * precision:.1f}: {ranking.num_found} of '
        f'{ranking.num_truths} found, {counted(len(ranking), "person")} searched'
    )


def ranked_people(
    predictions: Predictions, ranking: Ranking, load_picture: PictureLoader, top: int
) -> list[RankedPerson]:
    """Make the best detections ready to be drawn."""
    best = zip(ranking.rows[:top], ranking.similarities[:top], ranking.right[:top])
    return [
        RankedPerson(
            picture=load_rgb(load_picture, str(predictions.images[row])),
            box=np.asarray(predictions.boxes[row], float),
            similarity=float(similarity),
            right=bool(right) if ranking.num_truths else None,
            note=str(predictions.images[row]),
        )
        for row, similarity, right in best
    ]


def load_rgb(load_picture: PictureLoader, image: str) -> np.ndarray | None:
    """Load a picture; None if it is missing or broken."""
    try:
        return np.ascontiguousarray(load_picture(image)[..., ::-1])
    except DataError:
        return None


def picture_loader(dataset: Any) -> PictureLoader:
    """Give a function that loads a data set's pictures by their keys.

    Args:
        dataset: A data set of :mod:`mmclsa.datasets`; pictures in files,
            videos and memory are all fine.

    Returns:
        Function of an image key to its picture (H, W, 3), uint8, BGR. It
        raises ``DataError`` for a key that is unknown or a broken file.
    """
    places = {dataset.get_data_info(i)['img_id']: i for i in range(len(dataset))}

    def load(image: str) -> np.ndarray:
        if image not in places:
            raise DataError(f'the data set has no image {image}')
        return dataset.load_picture(dataset.get_data_info(places[image]))

    return load
