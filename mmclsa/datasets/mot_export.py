"""Writing scenes as a MOTChallenge sequence, as CVAT and trackers read it."""

from __future__ import annotations

from collections.abc import Sequence

from mmclsa.structures import Scene

__all__ = ['GT', 'LABELS', 'SEQINFO', 'scenes_to_gt', 'sequence_info', 'split_by_camera']

GT = 'gt/gt.txt'
#: CVAT and Datumaro look up column 8 of gt.txt here.
LABELS = 'gt/labels.txt'
SEQINFO = 'seqinfo.ini'


def split_by_camera(scenes: Sequence[Scene]) -> dict[str, list[int]]:
    """Group scenes into sequences, one a camera.

    Args:
        scenes: Any scenes; those of a camera in order of time.

    Returns:
        Places in ``scenes`` by the sequence's name: ``cam_0``, ..., or
        ``scenes`` for those of no known camera.

    Example:
        >>> import numpy as np
        >>> nobody = np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool)
        >>> split_by_camera([Scene(f'{n}.jpg', *nobody, cam_id=n % 2) for n in range(3)])
        {'cam_0': [0, 2], 'cam_1': [1]}
    """
    groups: dict[str, list[int]] = {}
    for place, scene in enumerate(scenes):
        name = 'scenes' if scene.cam_id < 0 else f'cam_{scene.cam_id}'
        groups.setdefault(name, []).append(place)
    return groups


def scenes_to_gt(scenes: Sequence[Scene]) -> str:
    """Write the lines of gt.txt: frame, id, x, y, width, height, flag, class, visibility.

    Frames and ids count from 1, as MOTChallenge has it: a person's id is
    ``person_id`` + 1, and -1 for somebody without identity. The flag is 0 for
    ignored boxes. Visibility is not known and written as 1.

    Args:
        scenes: Of one sequence, in order.

    Example:
        >>> import numpy as np
        >>> box, nobody = np.array([[1.0, 2.5, 11.0, 22.5]]), np.array([-1])
        >>> print(scenes_to_gt([Scene('a.jpg', box, nobody, np.array([False]))]).strip())
        1,-1,1.0,2.5,10.0,20.0,1,1,1
    """
    lines = []
    for frame, scene in enumerate(scenes, 1):
        for (x1, y1, x2, y2), person, ignore in zip(
            scene.boxes.tolist(), scene.person_ids.tolist(), scene.ignore.tolist()
        ):
            who = person + 1 if person >= 0 else -1
            lines.append(f'{frame},{who},{x1},{y1},{x2 - x1},{y2 - y1},{int(not ignore)},1,1\n')
    return ''.join(lines)


def sequence_info(name: str, length: int, size: tuple[int, int], suffix: str, fps: float) -> str:
    """Write seqinfo.ini.

    Args:
        name: Of the sequence.
        length: Number of frames.
        size: Width and height.
        suffix: Of the pictures, with its dot.
        fps: Frames a second.

    Example:
        >>> sequence_info('cam_0', 2, (160, 120), '.png', 25).splitlines()[5:]
        ['imWidth=160', 'imHeight=120', 'imExt=.png']
    """
    width, height = size
    return (
        f'[Sequence]\nname={name}\nimDir=img1\nframeRate={fps:g}\nseqLength={length}\n'
        f'imWidth={width}\nimHeight={height}\nimExt={suffix}\n'
    )
