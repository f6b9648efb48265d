"""Pictures of records, from their footage."""

from __future__ import annotations

import os
import tracemalloc
from types import SimpleNamespace

import numpy as np

from mmclsa.gallery import GalleryRecord, Hit
from mmclsa.inference import GalleryHits, crops_of, load_record_pictures
from mmclsa.inference.queries import QueryPerson
from mmclsa.media import VideoReader, read_picture
from mmclsa.visualization import write_picture
from tests.fakes.footage import write_video


def test_one_video_is_open_at_a_time(tmp_path, monkeypatch):
    """A list of hits may be of as many videos as there are cameras."""
    paths = [str(write_video(tmp_path / f'{n}.avi', 4)) for n in range(6)]
    most = 0

    def opened(reader: VideoReader):
        nonlocal most
        capture = opens(reader)
        links = [f'/proc/self/fd/{name}' for name in os.listdir('/proc/self/fd')]
        most = max(most, len({os.path.realpath(link) for link in links} & set(paths)))
        return capture

    opens = VideoReader._open
    monkeypatch.setattr(VideoReader, '_open', opened)
    records = [
        GalleryRecord(path, frame, float(frame), (0.0, 0.0, 1.0, 1.0), 0.5)
        for frame in (2, 1)
        for path in [*paths, str(tmp_path / 'missing.avi')]
    ]
    scenes = load_record_pictures(records)
    assert most == 1
    for record, picture in zip(records, scenes):
        if record.source in paths:
            expected = VideoReader(record.source)[record.frame][..., ::-1]
            assert np.array_equal(picture, expected)
        else:
            assert picture is None


def test_no_more_than_a_few_scenes_are_held(tmp_path):
    """Two hundred hits of 4K footage would be five gigabytes."""
    scene = np.full((1000, 1000, 3), 90, np.uint8)
    path = str(write_picture(tmp_path / 'a.png', scene))
    record = GalleryRecord(path, 0, 0.0, (10.0, 20.0, 60.0, 160.0), 0.5)
    hits = [Hit(row, 0.5, record) for row in range(9)]
    found = GalleryHits([QueryPerson(scene, np.array(record.box), path)], hits)
    tracemalloc.start()
    try:
        drawn = found.draw()
        assert len(found.save(tmp_path / 'out')) == 2 + len(hits)
        cut = crops_of(SimpleNamespace(crops=lambda rows: {}), [*range(9)], [record] * 9)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 6 * scene.nbytes
    assert np.array_equal(drawn, found.draw(load_record_pictures([record] * 9)))
    assert np.array_equal(read_picture(tmp_path / 'out' / 'rank_list.png')[..., ::-1], drawn)
    assert len(cut) == 9
    assert all((crop == 90).all() for crop in cut)
