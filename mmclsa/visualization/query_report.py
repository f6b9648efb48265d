"""A page of queries, worst first, with their pictures: where a model fails."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np

from mmclsa.errors import UserError
from mmclsa.evaluation.examples import SearchExamples
from mmclsa.evaluation.functional import SearchResult
from mmclsa.structures import Ranking
from mmclsa.utils.io import atomic_write
from mmclsa.visualization.canvas import QUERY, crop_person, draw_boxes, fit_into
from mmclsa.visualization.rank_lists import RankedPerson, truth_colour
from mmclsa.visualization.ranking import PictureLoader, load_rgb, ranked_people

__all__ = ['QueryCase', 'query_cases', 'render_report', 'save_query_report']

CROP = (96, 192)
SCENE = (192, 144)
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 78em; padding: 0 1em;
  color: #222; background: #fff }
h2 { font-size: 1.05em; margin: 2em 0 .4em; border-top: 1px solid #ccc; padding-top: .8em }
table { border-collapse: collapse } td, th { padding: .15em .8em .15em 0; text-align: left }
.row { display: flex; flex-wrap: wrap; gap: .6em }
figure { margin: 0; border: 3px solid #8c8c8c; width: 192px; font-size: .8em; background: #f6f6f6 }
figure.query { border-color: #1e64dc } figure.right { border-color: #18a048 }
figure.wrong { border-color: #d62828 } figure.missed { border-style: dashed }
figure img { display: block; margin: 0 auto }
figcaption { padding: .2em .4em; overflow-wrap: anywhere }
"""


@dataclass(frozen=True, eq=False)
class QueryCase:
    """One query with what is shown of it.

    Attributes:
        number: Of the query in the data set's list.
        person_id: Who is looked for.
        precision: Average precision, in [0, 1].
        rank: Place of the first right detection, 0 if there is none.
        num_truths: How many gallery entries show the person.
        num_found: How many of them were found.
        asked: The query.
        hits: The best detections.
        missed: Some of the gallery entries without a right detection.
    """

    number: int
    person_id: int
    precision: float
    rank: int
    num_truths: int
    num_found: int
    asked: RankedPerson
    hits: Sequence[RankedPerson]
    missed: Sequence[RankedPerson]


def query_cases(
    examples: SearchExamples, load_picture: PictureLoader, top: int = 10
) -> list[QueryCase]:
    """Collect queries with their pictures.

    Args:
        examples: The queries; see
            :func:`mmclsa.evaluation.examples.choose_examples`.
        load_picture: Gives the picture (H, W, 3), uint8, BGR, of an image
            key; a ``DataError`` of it leaves an empty cell.
        top: How many detections, and missed entries, of each.

    Returns:
        The queries in order.

    Raises:
        UserError: If ``top`` is below 1.
    """
    if top < 1:
        raise UserError(f'top must be at least 1, but is {top}')
    protocol, result, cases = examples.protocol, examples.result, []
    for ranking in examples.rankings:
        query = ranking.query
        image = protocol.images[protocol.query_images[query]]
        missed = _missed(examples, ranking)
        cases.append(
            QueryCase(
                number=int(protocol.query_ids[query]),
                person_id=int(protocol.person_ids[query]),
                precision=float(result.average_precisions[query]),
                rank=int(result.ranks[query]),
                num_truths=ranking.num_truths,
                num_found=ranking.num_truths - len(missed),
                asked=RankedPerson(
                    load_rgb(load_picture, image), protocol.query_boxes[query], note=image
                ),
                hits=ranked_people(examples.predictions, ranking, load_picture, top),
                missed=[
                    RankedPerson(load_rgb(load_picture, name), box, note=name)
                    for name, box in missed[:top]
                ],
            )
        )
    return cases


def _missed(examples: SearchExamples, ranking: Ranking) -> list[tuple[str, np.ndarray]]:
    """List image and box of the gallery entries that nothing right was found in."""
    numbers, boxes = examples.protocol.truth(ranking.query)
    found = set(examples.predictions.images[ranking.rows[ranking.right]].tolist())
    names = [examples.protocol.images[number] for number in numbers]
    return [(name, box) for name, box in zip(names, boxes) if name not in found]


def render_report(result: SearchResult, cases: Sequence[QueryCase], title: str) -> str:
    """Write the page.

    Args:
        result: Figures of all queries.
        cases: The queries to show.
        title: Of the page.

    Returns:
        HTML with all pictures inside: one file, nothing to load.
    """
    figures = {'queries': f'{result.num_counted:,}'}
    figures.update({k: f'{100 * v:.2f} %' for k, v in result.figures().items()})
    rows = ''.join(f'<tr><th>{escape(k)}</th><td>{v}</td></tr>' for k, v in figures.items())
    flags = ', '.join(f'{k}={v}' for k, v in result.flags.describe().items())
    body = ''.join(_case(place, case) for place, case in enumerate(cases, 1))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><style>{_STYLE}</style></head><body>'
        f'<h1>{escape(title)}</h1><table>{rows}</table><p>{escape(flags)}</p>'
        '<p>Blue: the query. Green: right. Red: wrong. Grey: nobody to find. '
        'Dashed: where the person is, but was not found.</p>'
        f'{body}</body></html>\n'
    )


def _case(place: int, case: QueryCase) -> str:
    if case.num_truths:
        told = f'AP {100 * case.precision:.1f} %, {case.num_found} of {case.num_truths} found'
        told += f', the first at place {case.rank}' if case.rank else ''
    else:
        told = 'not in the gallery'
    cells = [_figure(case.asked, 'query', 'query')]
    kinds = {True: 'right', False: 'wrong', None: 'unknown'}
    cells += [
        _figure(hit, kinds[hit.right], f'{rank}: {hit.similarity:.3f}')
        for rank, hit in enumerate(case.hits, 1)
    ]
    parts = [f'<div class="row">{"".join(cells)}</div>']
    if case.missed:
        missed = ''.join(_figure(person, 'missed', 'missed') for person in case.missed)
        parts.append(f'<p>Not found:</p><div class="row">{missed}</div>')
    heading = f'{place}. Query {case.number}, person {case.person_id}: {told}'
    return f'<section><h2>{escape(heading)}</h2>{"".join(parts)}</section>'


def _figure(person: RankedPerson, kind: str, caption: str) -> str:
    """Write a cell: the person, the scene, and a line of text."""
    crop = scene = None
    if person.picture is not None:
        crop = crop_person(person.picture, person.box, CROP[0] / CROP[1])
        scale = min(SCENE[0] / person.picture.shape[1], SCENE[1] / person.picture.shape[0], 1.0)
        size = [max(1, round(side * scale)) for side in person.picture.shape[1::-1]]
        small = cv2.resize(person.picture, size, interpolation=cv2.INTER_AREA)
        colour = QUERY if kind == 'query' else truth_colour(person.right)
        scene = draw_boxes(small, person.box[None] * scale, colours=colour)
    pictures = ''.join(
        f'<img alt="{escape(caption)}" src="{_data_url(fit_into(picture, size))}" '
        f'width="{size[0]}" height="{size[1]}">'
        for picture, size in ((crop, CROP), (scene, SCENE))
    )
    return (
        f'<figure class="{kind}">{pictures}'
        f'<figcaption>{escape(caption)}<br>{escape(person.note)}</figcaption></figure>'
    )


def _data_url(picture: np.ndarray) -> str:
    """Put a picture into an address, as JPEG."""
    _, data = cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f'data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}'


def save_query_report(path: str | Path, page: str) -> Path:
    """Write the page, whole or not at all.

    Raises:
        UserError: If its folder cannot be written to.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding='utf-8')
    return Path(path)
