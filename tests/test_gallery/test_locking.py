"""The lock of the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from mmclsa.errors import ConfigError, UserError
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.locking import WriterLock
from tests.helpers import REPO
from tests.test_gallery.people import MODEL

KILLED_WITH_A_WORKER = """
import os, signal, sys, time
from mmclsa.gallery.locking import WriterLock

lock = WriterLock(sys.argv[1])
worker = os.fork()
if not worker:
    os.close(1)
    time.sleep(600)
print(worker, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_one_at_a_time(tmp_path):
    lock = WriterLock(tmp_path)
    with pytest.raises(UserError, match=f'process {os.getpid()} on '):
        WriterLock(tmp_path)
    lock.release()
    lock.release()
    WriterLock(tmp_path).release()


def test_a_worker_does_not_keep_the_lock_of_a_killed_writer(tmp_path):
    result = subprocess.run(
        [sys.executable, '-c', KILLED_WITH_A_WORKER, tmp_path],
        cwd=REPO,
        stdout=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    worker = int(result.stdout)
    try:
        assert result.returncode == -signal.SIGKILL
        os.kill(worker, 0)
        WriterLock(tmp_path).release()
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_fork_cannot_write(folder, people):
    """Its parent can still: the lock is the parent's alone."""
    with GalleryIndex.create(folder, MODEL) as index:
        pid = os.fork()
        if not pid:
            try:
                index.add(people.vectors[:1], people.records[:1])
            except ConfigError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        with pytest.raises(UserError, match='another process'):
            WriterLock(folder)
        index.add(people.vectors[:1], people.records[:1])
        index.commit()


def test_folder_that_cannot_be_written_to(tmp_path):
    with pytest.raises(UserError, match='cannot write into the index'):
        WriterLock(tmp_path / 'nowhere')
