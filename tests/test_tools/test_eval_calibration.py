"""tools/analysis_tools/eval_calibration.py from pictures to figures."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from tests.fakes.footage import write
from tests.test_inference.conftest import checkpoints  # noqa: F401 (a fixture)

TOOL = 'tools/analysis_tools/eval_calibration.py'
BOXES = [(8 + 40 * (n % 3), 4 + 46 * (n // 3), 24, 40) for n in range(6)]  # x y w h


def pictures(seed: int, count: int = 12):
    """Six people who stand still in clothes of their own."""
    rng = np.random.default_rng(seed)
    clothes = rng.integers(0, 256, (6, 3))
    for _ in range(count):
        picture = rng.integers(90, 110, (96, 128, 3), np.uint8)
        for (x, y, w, h), colour in zip(BOXES, clothes):
            noise = rng.integers(-20, 20, (h, w, 3))
            picture[y : y + h, x : x + w] = np.clip(colour + noise, 0, 255)
        yield picture


@pytest.fixture
def coco(tmp_path):
    folder = tmp_path / 'street'
    content = dict(images=[], annotations=[], categories=[dict(id=1, name='person')])
    for number, picture in enumerate(pictures(0), 1):
        name = write(folder / 'img' / f'{number:03d}.png', picture).name
        content['images'].append(dict(id=number, file_name=name, width=128, height=96))
        for person, box in enumerate(BOXES):
            # Each comes back as another track in the second half.
            ids = dict(person_id=person, track_id=person + 6 * (number > 6))
            area = dict(bbox=list(box), area=box[2] * box[3], iscrowd=0, category_id=1)
            place = dict(id=len(content['annotations']) + 1, image_id=number)
            content['annotations'].append({**place, **area, **ids})
    (folder / 'annotations.json').write_text(json.dumps(content))
    return folder / 'annotations.json', folder / 'img'


@pytest.fixture
def mot(tmp_path):
    folder = tmp_path / 'yard'
    lines = []
    for number, picture in enumerate(pictures(1), 1):
        write(folder / 'img1' / f'{number:06d}.png', picture)
        lines += [
            f'{number},{person + 1},{x},{y},{w},{h},1,1,1'
            for person, (x, y, w, h) in enumerate(BOXES)
        ]
    (folder / 'gt').mkdir()
    (folder / 'gt' / 'gt.txt').write_text('\n'.join(lines))
    (folder / 'seqinfo.ini').write_text(
        '[Sequence]\nname=yard\nimDir=img1\nframeRate=2\nseqLength=12\nimWidth=128\n'
        'imHeight=96\nimExt=.png\n'
    )
    return folder


def test_figures_and_diagrams(checkpoints, coco, mot, tmp_path, run_tool_here):  # noqa: F811
    model = checkpoints['crop'], checkpoints['crop_weights']
    out = tmp_path / 'out'
    printed = run_tool_here(
        TOOL, *model, '--device', 'cpu', '--coco', *coco, '--mot', mot, '--out-dir', out
    )
    assert '# street: 72 looks, 12 tracks of 6 people' in printed
    assert '# yard: 72 looks, 6 tracks of 6 people' in printed
    for heading in ('learnt by', 'a third of the track', 'TPIR', 'B-cubed', 'rejected x 0.5'):
        assert printed.count(heading) == 2
    assert 'Share of looks of yard that seem to be found' in printed
    assert 'Share of looks of street that seem to be found' in printed
    for name in ('street', 'yard'):
        assert cv2.imread(str(out / f'reliability_{name}.png')).shape[0] > 300


def test_nothing_to_look_at(checkpoints, run_tool_to_its_error):  # noqa: F811
    model = checkpoints['crop'], checkpoints['crop_weights']
    assert '--coco or --mot must be given' in run_tool_to_its_error(TOOL, *model)
