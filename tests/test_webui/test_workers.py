"""Threads by what they do, and what is kept in memory."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from mmclsa.media import VideoReader
from mmclsa.webui.byte_cache import ByteCache
from mmclsa.webui.footage import Footage
from mmclsa.webui.problems import GoneError
from mmclsa.webui.workers import KeyedExecutor
from tests.fakes.footage import scene, write_scenes, write_video


class TestKeyedExecutor:
    def test_one_key_in_order_and_one_at_a_time(self):
        executor, order, inside = KeyedExecutor(4, 'test'), [], []

        def job(number):
            inside.append(1)
            assert len(inside) == 1
            time.sleep(0.001)
            order.append(number)
            inside.pop()
            return number

        futures = [executor.submit('a', job, number) for number in range(30)]
        assert [future.result(60) for future in futures] == order == list(range(30))

    def test_what_waits_for_a_key_holds_no_thread(self):
        executor, go_on = KeyedExecutor(2, 'test'), threading.Event()
        slow = [executor.submit('slow', go_on.wait, 120) for _ in range(50)]
        assert [executor.submit(key, str, key).result(60) for key in 'abc'] == ['a', 'b', 'c']
        assert not any(future.done() for future in slow)
        go_on.set()
        assert all(future.result(60) for future in slow)

    def test_keys_take_turns(self):
        executor, order = KeyedExecutor(1, 'test'), []
        first, go_on = threading.Event(), threading.Event()

        def hold():
            first.set()
            go_on.wait(60)

        executor.submit('a', hold)
        assert first.wait(60)
        futures = [executor.submit('a', order.append, f'a{n}') for n in range(3)]
        futures += [executor.submit('b', order.append, f'b{n}') for n in range(3)]
        go_on.set()
        for future in futures:
            future.result(60)
        assert order.index('b0') < order.index('a1')

    def test_mistakes_are_the_callers(self):
        executor = KeyedExecutor(1, 'test')
        with pytest.raises(ZeroDivisionError):
            executor.submit('a', lambda: 1 / 0).result(60)
        assert executor.submit('a', str, 1).result(60) == '1'

    def test_what_is_cancelled_is_not_done(self):
        executor, go_on, done = KeyedExecutor(1, 'test'), threading.Event(), []
        executor.submit('a', go_on.wait, 60)
        cancelled = executor.submit('a', done.append, 1)
        last = executor.submit('a', done.append, 2)
        assert cancelled.cancel()
        go_on.set()
        last.result(60)
        assert done == [2]


class TestByteCache:
    def test_the_one_not_used_for_longest_goes_first(self):
        cache: ByteCache[int] = ByteCache(10)
        for key in (1, 2):
            cache.put(key, key, 5)
        cache.get(1)
        cache.put(3, 3, 5)
        assert [cache.get(key) for key in (1, 2, 3)] == [1, None, 3]

    def test_putting_again_counts_once(self):
        cache: ByteCache[int] = ByteCache(10)
        for value in range(5):
            cache.put('a', value, 5)
        cache.put('b', 9, 5)
        assert (cache.get('a'), cache.get('b')) == (4, 9)

    def test_what_is_too_large_is_not_kept(self):
        cache: ByteCache[int] = ByteCache(10)
        cache.put('a', 1, 5)
        cache.put('b', 2, 11)
        assert (cache.get('a'), cache.get('b')) == (1, None)


class TestFootage:
    @pytest.fixture
    def opened(self, monkeypatch):
        """The videos that were opened, and those that are closed again."""
        paths, closed = [], []
        monkeypatch.setattr(
            'mmclsa.webui.footage.VideoReader',
            lambda path: paths.append(path) or VideoReader(path),
        )
        close = VideoReader.close
        monkeypatch.setattr(
            VideoReader, 'close', lambda self: closed.append(self.path) or close(self)
        )
        return paths, closed

    def test_the_next_frame_of_a_video_is_cheap(self, opened, tmp_path):
        video = str(write_video(tmp_path / 'a.avi', 20))
        footage = Footage()
        for frame in (3, 4, 5, 12):
            picture = footage.picture(video, frame)
            assert np.abs(picture.astype(int) - scene(frame // 5)).mean() < 8
        assert opened[0] == [video]

    def test_few_videos_are_kept_open(self, opened, tmp_path):
        footage = Footage()
        videos = [str(write_video(tmp_path / f'{n}.avi', 5)) for n in range(12)]
        for video in videos:
            footage.picture(video, 0)
        assert set(videos) - set(opened[1]) == set(videos[4:])
        footage.close()
        assert set(videos) == set(opened[1])

    def test_those_that_nobody_looks_at_are_closed(self, opened, tmp_path, monkeypatch):
        now = [0.0]
        monkeypatch.setattr('mmclsa.webui.footage.time.monotonic', lambda: now[0])
        one, two = (str(write_video(tmp_path / f'{n}.avi', 5)) for n in range(2))
        footage = Footage()
        footage.picture(one, 0)
        now[0] = 61
        footage.picture(two, 0)
        assert one in opened[1]

    def test_scenes_are_decoded_once(self, tmp_path, monkeypatch):
        (path,) = write_scenes(tmp_path, 1)
        footage = Footage()
        first = footage.scene(str(path), 0)
        monkeypatch.setattr(
            'mmclsa.webui.footage.read_picture', lambda *_: pytest.fail('it is decoded again')
        )
        assert footage.scene(str(path), 0) is first

    def test_what_is_deleted_is_not_shown_from_memory(self, tmp_path):
        (path,) = write_scenes(tmp_path, 1)
        footage = Footage()
        footage.scene(str(path), 0)
        footage.crop(str(path), 0, (0, 0, 9, 9))
        path.unlink()
        for show in (footage.scene, lambda *place: footage.crop(*place, (0, 0, 9, 9))):
            with pytest.raises(GoneError, match=r'^the file 0000\.png is no longer there$'):
                show(str(path), 0)

    def test_a_file_in_the_place_of_another_is_shown(self, opened, tmp_path):
        one, two = write_scenes(tmp_path, 2)
        videos = [
            write_video(tmp_path / name, length) for name, length in (('a.avi', 5), ('b.avi', 10))
        ]
        footage = Footage()
        before = footage.scene(str(one), 0), footage.crop(str(one), 0, (0, 0, 40, 40))
        footage.fps(str(videos[0]))
        os.replace(two, one)
        os.replace(videos[1], videos[0])
        after = footage.scene(str(one), 0), footage.crop(str(one), 0, (0, 0, 40, 40))
        assert before[0].data != after[0].data
        assert before[1] != after[1]
        assert footage.fps(str(videos[0]))[1] == 10
        assert opened[1] == [str(videos[0])]

    def test_a_deleted_video_is_closed_at_the_next_look_at_anything(self, opened, tmp_path):
        """It held the space on the disk as long as nobody looked at another video."""
        video = write_video(tmp_path / 'a.avi', 5)
        (picture,) = write_scenes(tmp_path / 'yard', 1)
        footage = Footage()
        footage.picture(str(video), 0)
        video.unlink()
        footage.scene(str(picture), 0)
        assert opened[1] == [str(video)]
        with pytest.raises(GoneError, match=r'a\.avi is no longer there'):
            footage.picture(str(video), 1)

    @pytest.mark.parametrize('name', ['a.png', 'a.avi'])
    def test_a_file_that_may_not_be_read(self, tmp_path, monkeypatch, name):
        """It was a fault of the server."""
        path = tmp_path / name
        path.write_bytes(b'0')

        def refuse(*_):
            raise PermissionError(13, 'Permission denied')

        for what in ('VideoReader', 'read_picture'):
            with monkeypatch.context() as patch:
                patch.setattr(f'mmclsa.webui.footage.{what}', refuse)
                with pytest.raises(GoneError, match=f'the file {name} cannot be read'):
                    Footage().picture(str(path), 0)
        monkeypatch.setattr('mmclsa.webui.footage.os.stat', refuse)
        with pytest.raises(GoneError, match=f'the file {name} cannot be read: Permission denied'):
            Footage().scene(str(path), 0)
