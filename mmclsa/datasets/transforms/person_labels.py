"""Labels that say who a box is, so that ids stay with their boxes in any transform.

Every transform of MMDetection that drops, adds or mixes boxes does the same
to ``gt_bboxes_labels``; hardly any knows of ids. From ``LoadPersonAnnotations``
to ``PackPersonSearchInputs`` a label therefore carries the id as well. It stays
an int64 number below 2^24 for ids up to 65,533: some libraries keep labels as
float32.
"""

from __future__ import annotations

import numpy as np

from mmclsa.errors import ConfigError

__all__ = ['MAX_CLASSES', 'label_people', 'people_of']

#: A label is (person id + 2) * MAX_CLASSES + class; below MAX_CLASSES nobody has set an id.
MAX_CLASSES = 256


def label_people(classes: np.ndarray, person_ids: np.ndarray) -> np.ndarray:
    """Make labels that carry person ids.

    Args:
        classes: Shape (n,), the detector's classes, 0..255.
        person_ids: Shape (n,), -1 = unlabelled.

    Returns:
        Shape (n,), int64.

    Raises:
        ConfigError: If a class is out of range.

    Example:
        >>> label_people(np.array([0, 3]), np.array([-1, 7])).tolist()
        [256, 2307]
    """
    classes = np.asarray(classes, dtype=np.int64)
    if len(classes) and not (0 <= classes.min() <= classes.max() < MAX_CLASSES):
        raise ConfigError(
            f'bbox_label must lie in 0..{MAX_CLASSES - 1}, but a box has the label '
            f'{classes.max() if classes.min() >= 0 else classes.min()}'
        )
    return (np.asarray(person_ids, dtype=np.int64) + 2) * MAX_CLASSES + classes


def people_of(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take labels apart that carry person ids.

    Args:
        labels: Shape (n,), of :func:`label_people`.

    Returns:
        Classes and person ids, int64, shape (n,) each. An id of -2 is a box
        that came without any.

    Example:
        >>> classes, ids = people_of(np.array([256, 2307, 0]))
        >>> classes.tolist(), ids.tolist()
        ([0, 3, 0], [-1, 7, -2])
    """
    labels = np.asarray(labels).astype(np.int64)
    return labels % MAX_CLASSES, labels // MAX_CLASSES - 2
