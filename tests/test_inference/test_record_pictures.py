"""Pictures of records, from their footage."""

from __future__ import annotations

import os

import numpy as np

from mmclsa.gallery import GalleryRecord
from mmclsa.inference import load_record_pictures
from mmclsa.media import VideoReader
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
