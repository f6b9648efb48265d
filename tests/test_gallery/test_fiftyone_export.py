"""What is exported for FiftyOne, read back as its documentation describes the form."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmclsa.gallery import GalleryIndex, GalleryRecord, Hit
from mmclsa.inference.queries import QueryPerson
from mmclsa.inference.results import GalleryHits
from mmclsa.media import VideoReader
from mmclsa.structures import Stay
from tests.test_gallery.people import DIMS, MODEL, unit

TOOL = 'tools/dataset_converters/to_fiftyone.py'
WIDTH, HEIGHT = 160, 120


def read_as_documented(folder):
    """FiftyOneImageDetectionDataset: data/<uuid>.<ext>, labels.json, boxes in 0..1.

    Written from the page "Importing data into FiftyOne"; each uuid must name one
    file, a label is a place in ``classes``.
    """
    content = json.loads((folder / 'labels.json').read_text())
    assert set(content) == {'classes', 'labels'}
    files: dict[str, Path] = {}
    for path in sorted((folder / 'data').iterdir()):
        assert files.setdefault(path.stem, path) == path
    assert set(files) == set(content['labels'])
    found = []
    for uuid, detections in content['labels'].items():
        picture = cv2.imread(str(files[uuid]))
        height, width = picture.shape[:2]
        for detection in detections:
            assert set(detection) <= {'label', 'bounding_box', 'confidence', 'attributes'}
            x, y, w, h = detection['bounding_box']
            assert 0 <= x <= x + w <= 1 + 1e-9
            assert 0 <= y <= y + h <= 1 + 1e-9
            # What detections of FiftyOne have already must not be given anew.
            assert not {'id', 'label', 'index', 'mask', 'tags', 'confidence'} & set(
                detection['attributes']
            )
            box = np.array([x * width, y * height, (x + w) * width, (y + h) * height])
            label = content['classes'][detection['label']]
            found.append(
                (picture, label, box, detection.get('confidence'), detection['attributes'])
            )
    return found


@pytest.fixture
def footage(tmp_path):
    """Two pictures of one name, one of them held sideways, and a video."""
    from PIL import Image

    rng = np.random.default_rng(0)
    paths = [tmp_path / 'a' / 'été 1.JPG', tmp_path / 'b' / 'été 1.JPG']
    for path in paths:
        path.parent.mkdir()
        pixels = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        exif = Image.Exif()
        if path == paths[1]:
            exif[0x0112] = 6
        Image.fromarray(pixels).save(path, format='JPEG', exif=exif)
    video = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*'MJPG'), 25, (WIDTH, HEIGHT))
    for shade in range(0, 250, 25):
        writer.write(np.full((HEIGHT, WIDTH, 3), shade, np.uint8))
    writer.release()
    return [*map(str, paths), str(video)]


@pytest.fixture
def index(tmp_path, footage):
    one, two, video = footage
    records = [
        GalleryRecord(one, 0, math.nan, (10.0, 20.0, 50.0, 110.0), 0.9, 'door'),
        GalleryRecord(one, 0, math.nan, (-3.0, 5.0, 30.0, 500.0), 0.4, 'door'),
        GalleryRecord(two, 0, 7.5, (5.0, 100.0, 100.0, 150.0), 0.8, 'hall'),
        GalleryRecord(video, 7, 0.28, (1.0, 2.0, 31.0, 62.0), 0.7, 'street', 4),
        GalleryRecord(
            video, 3, 0.12, (2.0, 2.0, 32.0, 62.0), 0.6, 'street', 4, Stay(1, 6, 0.04, 0.16, 5)
        ),
        GalleryRecord(str(tmp_path / 'gone.jpg'), 0, math.nan, (1.0, 1.0, 9.0, 9.0), 0.5),
    ]
    vectors = unit(np.random.default_rng(0).normal(size=(len(records), DIMS)))
    with GalleryIndex.create(tmp_path / 'index', MODEL) as index:
        index.add(vectors, records, 'all')
        index.commit()
    return tmp_path / 'index', records


@pytest.mark.parametrize('link', [False, True])
def test_an_index(index, tmp_path, footage, link, run_tool_here):
    folder, records = index
    options = ['--link'] if link else []
    assert '4 pictures, 5 boxes' in run_tool_here(TOOL, folder, tmp_path / 'out', *options)
    found = sorted(read_as_documented(tmp_path / 'out'), key=lambda entry: entry[4]['row'])
    assert [entry[4]['row'] for entry in found] == [0, 1, 2, 3, 4]
    for (picture, label, box, confidence, attributes), record in zip(found, records):
        assert label == 'person'
        assert confidence == record.score
        assert attributes['camera'] == record.camera
        assert attributes.get('time') == (None if math.isnan(record.time) else record.time)
        height, width = picture.shape[:2]
        np.testing.assert_allclose(box, np.clip(record.box, 0, [width, height, width, height]))
        if record.source == footage[2]:
            expected = VideoReader(record.source)[record.frame]
            assert abs(int(picture.mean()) - int(expected.mean())) <= 2
            assert (attributes['frame'], attributes['track_id']) == (record.frame, 4)
        else:
            np.testing.assert_array_equal(picture, cv2.imread(record.source))
    linked = [path for path in (tmp_path / 'out' / 'data').iterdir() if path.is_symlink()]
    assert len(linked) == (2 if link else 0)


def test_a_part_of_an_index(index, tmp_path, run_tool_here, run_tool_to_its_error):
    folder, _ = index
    told = run_tool_here(TOOL, folder, tmp_path / 'out', '--camera', 'street', '--to', '0.2')
    assert '1 picture, 1 box' in told
    (entry,) = read_as_documented(tmp_path / 'out')
    assert entry[4]['frame'] == 3
    seen = {name: entry[4][name] for name in ('first_frame', 'last_frame', 'num_frames')}
    assert seen == dict(first_frame=1, last_frame=6, num_frames=5)
    message = run_tool_to_its_error(TOOL, folder, tmp_path / 'none', '--camera', 'roof')
    assert 'there is no camera "roof" in the index, which has ' in message
    assert not (tmp_path / 'none').exists()


def test_a_search(index, tmp_path, footage, run_tool_here, run_tool_to_its_error):
    _, records = index
    picture = cv2.imread(footage[0])
    query = QueryPerson(picture, np.array([10.0, 20.0, 50.0, 110.0]), footage[0])
    hits = [Hit(row, 0.9 - row / 10, records[row]) for row in (4, 0, 5)]
    GalleryHits([query], hits).save(tmp_path / 'found')
    for source in (tmp_path / 'found', tmp_path / 'found' / 'results.json'):
        assert '2 pictures, 3 boxes' in run_tool_here(TOOL, source, tmp_path / 'out')
    found = read_as_documented(tmp_path / 'out')
    by_rank = {entry[4].get('rank', 0): entry for entry in found}
    assert set(by_rank) == {0, 1, 2}
    assert by_rank[0][1] == 'query'
    assert (by_rank[1][4]['first_frame'], by_rank[1][4]['num_frames']) == (1, 5)
    assert by_rank[0][3] is None
    np.testing.assert_allclose(by_rank[0][2], query.box)
    for rank, hit in enumerate(hits[:2], 1):
        _, label, box, confidence, attributes = by_rank[rank]
        assert (label, attributes['row']) == ('person', hit.row)
        assert attributes['similarity'] == pytest.approx(hit.similarity)
        assert confidence == pytest.approx(hit.record.score)
        np.testing.assert_allclose(box, hit.record.box, atol=0.01)
    words = (TOOL, tmp_path / 'found', tmp_path / 'out', '--camera', 'door')
    assert 'choose from an index' in run_tool_to_its_error(*words)


@pytest.mark.parametrize(
    'text', ['{', '[]', '{"query": [], "hits": [{"rank": 1}]}', '{"query": 3, "hits": []}']
)
def test_what_is_no_result(tmp_path, text, run_tool_to_its_error):
    (tmp_path / 'results.json').write_text(text)
    message = run_tool_to_its_error(TOOL, tmp_path / 'results.json', tmp_path / 'out')
    assert 'is no results.json of tools/search_gallery.py' in message


def test_nothing_there(tmp_path, run_tool_to_its_error):
    assert 'nowhere' in run_tool_to_its_error(TOOL, tmp_path / 'nowhere', tmp_path / 'out')


def test_results_that_are_not_there(tmp_path, run_tool_to_its_error):
    """Of a misspelt results.json the error does not speak of an index."""
    message = run_tool_to_its_error(TOOL, tmp_path / 'results.json', tmp_path / 'out')
    assert 'must be the results.json of a search, but there is no such file' in message
