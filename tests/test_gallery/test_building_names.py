"""Camera and start time of each file: by its name, by EXIF, by the container."""

from __future__ import annotations

import calendar
import io
import math

import pytest
from PIL import Image
from rich.console import Console

from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import (
    InProcess,
    Sampling,
    SourceOptions,
    build_gallery,
    plan_units,
    print_report,
)
from mmclsa.gallery.building.spool import pack_results, unpack_results
from mmclsa.media import NamePattern
from tests.fakes.containers import write_mkv, write_mp4
from tests.fakes.footage import scene, write, write_video
from tests.test_gallery.fakes import FakeEmbedder

MOMENT = float(calendar.timegm((2024, 5, 6, 7, 8, 9)))
MADE = float(calendar.timegm((2020, 1, 2, 3, 4, 5)))
TAKEN = float(calendar.timegm((2021, 6, 5, 12, 30, 10)))


def build(folder, *sources, pattern=None, **options):
    embedder = FakeEmbedder()
    names = None if pattern is None else NamePattern(pattern)
    with GalleryIndex.create(folder, embedder.fingerprint) as index:
        plan = plan_units(sources, names=names)
        report = build_gallery(index, embedder, plan, SourceOptions(unit='detection', **options))
        return report, {
            (record.source.rpartition('/')[2], record.frame): (record.camera, record.time)
            for record in index.records()
        }


def photo(path, taken=True):
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = '2021:06:05 12:30:10'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene(1)).save(path, exif=exif)
    return path


def test_by_name(tmp_path):
    write_video(tmp_path / 'door_20240506_070809.avi', 3)
    photo(tmp_path / 'yard_2024-05-06_07-08-10.jpg')
    write_mp4(tmp_path / 'x_20240506_070811.mp4', [scene(0)], [0], MADE)
    report, found = build(
        tmp_path / 'i', tmp_path, pattern='{camera}_{date}_{time}', camera='other', start_time=5.0
    )
    assert found['door_20240506_070809.avi', 2] == ('door', pytest.approx(MOMENT + 0.2))
    assert found['yard_2024-05-06_07-08-10.jpg', 0] == ('yard', MOMENT + 1)
    assert found['x_20240506_070811.mp4', 0] == ('x', MOMENT + 2)
    assert set(report.clocks.values()) == {'name'}
    assert report.unnamed == []


def test_a_name_of_another_pattern_is_named(tmp_path):
    write_video(tmp_path / 'door_20240506_070809.avi', 1)
    odd = write(tmp_path / 'odd.png', scene(0))
    report, found = build(
        tmp_path / 'i', tmp_path, pattern='{camera}_{date}_{time}', camera='other', start_time=5.0
    )
    assert found['odd.png', 0] == ('other', 5.0), 'what the command says of all'
    assert report.unnamed == [str(odd)]
    told = io.StringIO()
    print_report(report, 2, Console(file=told, width=200))
    assert f'1 file has a name that is not of the pattern:\n  {odd}\n' in told.getvalue()
    assert '1 file has its time by name' in told.getvalue()


def test_by_folder(tmp_path):
    for camera in ('door', 'yard'):
        write(tmp_path / camera / 'a.png', scene(0))
    report, _ = build(tmp_path / 'i', tmp_path, pattern='{camera}/*')
    with GalleryIndex.open(tmp_path / 'i') as index:
        assert set(index.contents().cameras) == {'door', 'yard'}
    assert report.clocks == {}


@pytest.mark.parametrize('write_container', [write_mkv, write_mp4])
def test_by_container_and_exif(tmp_path, write_container):
    write_container(tmp_path / 'a.mkv', [scene(0)] * 3, [0, 40, 2000], MADE)
    write_container(tmp_path / 'silent.mkv', [scene(0)], [0])
    photo(tmp_path / 'b.jpg')
    photo(tmp_path / 'silent.jpg', taken=False)
    report, found = build(tmp_path / 'i', tmp_path)
    assert found['a.mkv', 2] == ('', pytest.approx(MADE + 2))
    assert found['silent.mkv', 0] == ('', 0.0)
    assert found['b.jpg', 0] == ('', TAKEN)
    assert math.isnan(found['silent.jpg', 0][1])
    told = io.StringIO()
    print_report(report, 2, Console(file=told, width=200))
    assert '1 file has its time by EXIF' in told.getvalue()
    assert '1 file has its time by the creation time that the video' in told.getvalue()


def test_the_command_is_before_the_container_and_behind_exif(tmp_path):
    write_mp4(tmp_path / 'a.mp4', [scene(0)], [0], MADE)
    photo(tmp_path / 'b.jpg')
    photo(tmp_path / 'silent.jpg', taken=False)
    report, found = build(tmp_path / 'i', tmp_path, start_time=0.0)
    assert [found[name, 0][1] for name in ('a.mp4', 'b.jpg', 'silent.jpg')] == [0.0, TAKEN, 0.0]
    assert set(report.clocks.values()) == {'EXIF'}


def test_varying_rate(tmp_path):
    """Frames are where the container shows them, and so are those of "--fps" and of filters."""
    times = [0, 40, 80, 1960, 2000, 5880]
    video = write_mp4(tmp_path / 'a.mp4', [scene(n) for n in range(6)], times)
    _, found = build(tmp_path / 'i', video)
    assert {frame: round(1000 * time) for (_, frame), (_, time) in found.items()} == dict(
        enumerate(times)
    )
    _, found = build(tmp_path / 'j', video, sampling=Sampling(fps=1))
    assert sorted(frame for _, frame in found) == [0, 3, 4, 5]


def test_what_names_tell_travels_with_the_work(tmp_path):
    write_video(tmp_path / 'door_20240506_070809.avi', 3)
    plan = plan_units([tmp_path], names=NamePattern('{camera}_{date}_{time}'))
    results = list(InProcess(FakeEmbedder()).results(plan))
    (again,) = unpack_results(pack_results(results))
    assert again.unit == plan.units[0]
    assert (again.camera, again.clock, again.times[0]) == ('door', 'name', MOMENT)
