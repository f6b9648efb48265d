"""Writing labelled images as COCO + person_id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from mmclsa.datasets.readers.labels import LabelledImage
from mmclsa.datasets.readers.person_names import PERSON_NAMES, plain_name
from mmclsa.errors import DataError
from mmclsa.utils.text import counted

__all__ = ['images_to_coco']


def images_to_coco(
    images: Sequence[LabelledImage],
    source: str,
    person_labels: Iterable[str] | None,
    left_out: Counter[str],
) -> dict[str, Any]:
    """Describe labelled images in COCO's way, people alone.

    Args:
        images: What was read.
        source: Where from, for messages.
        person_labels: Labels that are people; None for the usual names.
        left_out: Counts of what is not written are added here.

    Returns:
        Content of the annotation JSON. ``person_id`` counts ids from 0 in
        their order, numbers before words; -1 is nobody.

    Raises:
        DataError: If no label is that of people, or an image is there twice.

    Example:
        >>> from mmclsa.datasets.readers.labels import LabelledBox
        >>> names = [('person', 'Ann'), ('car', 7)]
        >>> boxes = [LabelledBox(label, (1, 2, 3, 4), who) for label, who in names]
        >>> told = Counter()
        >>> content = images_to_coco([LabelledImage('a.jpg', None, boxes, 0)], 'a', None, told)
        >>> content['annotations'][0]['person_id'], dict(told)
        (0, {'boxes of other labels': 1})
    """
    wanted = {plain_name(name) for name in person_labels or PERSON_NAMES}
    labels = Counter(box.label for image in images for box in image.boxes)
    if not any(plain_name(label) in wanted for label in labels):
        raise DataError(
            f'{source} has no label of people, but {", ".join(sorted(labels)) or "no boxes"}: say '
            'which are people with --person-labels'
        )
    twice = [name for name, count in Counter(i.file_name for i in images).items() if count > 1]
    if twice:
        raise DataError(
            f'{source} has {counted(len(twice), "image")} twice, the first of them {twice[0]}'
        )
    kept = [[box for box in i.boxes if plain_name(box.label) in wanted] for i in images]
    ids = {box.person for boxes in kept for box in boxes if box.person is not None}
    numbers = {who: n for n, who in enumerate(sorted(ids, key=lambda w: (str(type(w)), w)))}
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (image, boxes) in enumerate(zip(images, kept), 1):
        entry: dict[str, Any] = dict(id=number, file_name=image.file_name)
        if image.size is not None:
            entry.update(width=image.size[0], height=image.size[1])
        entries.append(entry)
        left_out['boxes of other labels'] += len(image.boxes) - len(boxes)
        left_out['shapes that are no boxes'] += image.left_out
        for box in boxes:
            if box.box[2] <= 0 or box.box[3] <= 0:
                left_out['boxes of no size'] += 1
                continue
            who = -1 if box.person is None else numbers[box.person]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=1,
                    bbox=list(box.box),
                    area=box.box[2] * box.box[3],
                    iscrowd=0,
                    person_id=who,
                    attributes={} if box.person is None else dict(name=str(box.person)),
                )
            )
    for what in [what for what, count in left_out.items() if not count]:
        del left_out[what]
    return dict(images=entries, annotations=annotations, categories=[dict(id=1, name='person')])
