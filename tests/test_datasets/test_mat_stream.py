"""Large .mat files: read at once as scipy reads them one value after the other."""

from __future__ import annotations

import os
import struct as binary
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from scipy.io import savemat

from mmclsa.datasets.readers import mat_layout
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols
from mmclsa.datasets.readers.mat_stream import (
    OtherLayoutError,
    struct_columns,
    struct_elements,
    struct_length,
)
from mmclsa.datasets.readers.search_entries import NameTable, SearchEntries, _distinct
from mmclsa.datasets.synthetic.cuhk_sysu_files import make_up, write_cuhk_sysu
from mmclsa.errors import DataError

EMPTIES = (np.zeros((0, 0)), np.zeros((1, 0)), np.zeros((0, 0), dtype=np.uint8))
TYPES = (np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64)


def struct(names, rows):
    made = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for place, row in enumerate(rows):
        made[0, place] = tuple(row)
    return made


def random_file(seed, compress=True, extra=None):
    """A file of galleries with every type of number, empty boxes here and there."""
    rng = np.random.default_rng(seed)
    queries = []
    for query in range(int(rng.integers(1, 12))):
        gallery = []
        for _ in range(int(rng.integers(1, 30))):
            dtype = TYPES[rng.integers(len(TYPES))]
            box = rng.integers(1, 100, (1, 4)).astype(dtype)
            if rng.random() < 0.7:
                box = EMPTIES[rng.integers(len(EMPTIES))]
            name = f's{rng.integers(1, 10 ** rng.integers(1, 9))}.jpg'
            gallery.append([name, box, 0 if box.size else EMPTIES[0]])
        own = [f's{query}.jpg', rng.integers(1, 100, (1, 4)), 0, f'p{query}']
        queries.append(
            [
                struct(['imname', 'idlocate', 'ishard', 'idname'], [own]),
                struct(['imname', 'idlocate', 'ishard'], gallery),
            ]
        )
    stream = BytesIO()
    variables = {'before': np.arange(5), 'TestG7': struct(['Query', 'Gallery'], queries)}
    savemat(stream, {**variables, **(extra or {})}, do_compression=compress)
    return stream.getvalue()


def plainly(content):
    return SearchEntries.of(list(mat_layout._single_entries('a.mat', content, 'TestG7')))


def said(entries):
    """What entries say, whatever the order of their names."""
    names = np.array(entries.names)
    return [
        names[entries.images].tolist(),
        entries.boxes.tolist(),
        entries.offsets.tolist(),
        names[entries.gallery].tolist(),
        entries.shown.tolist(),
        entries.shown_boxes.tolist(),
    ]


def gallery_of(entries, query):
    """The images that a query searches, each with the person's box or None."""
    start, stop = entries.offsets[query : query + 2]
    boxes = dict(zip(entries.shown.tolist(), entries.shown_boxes))
    listed = zip(range(start, stop), entries.gallery[start:stop].tolist())
    return [(entries.names[number], boxes.get(place)) for place, number in listed]


@pytest.mark.parametrize('compress', [True, False])
@pytest.mark.parametrize('seed', range(6))
def test_is_what_scipy_reads(seed, compress):
    content = random_file(seed, compress)
    streamed = mat_layout._stream_entries('a.mat', content, 'TestG7')
    assert said(streamed) == said(plainly(content))
    again = SearchEntries.from_arrays(streamed.to_arrays())
    assert said(again) == said(streamed)
    singly = list(mat_layout._single_entries('a.mat', content, 'TestG7'))
    assert len(again) == len(singly)
    for number, other in enumerate(singly):
        gallery = gallery_of(again, number)
        assert [name for name, _ in gallery] == [name for name, _ in other.gallery]
        for (_, box), (_, expected) in zip(gallery, other.gallery):
            assert (box is None) == (expected is None)
            assert box is None or box.tolist() == expected.tolist()
    for shown, other in zip(again.appearances(), singly):
        found = [(name, box) for name, box in other.gallery if box is not None]
        expected = [(other.image, other.box), *found]
        assert [name for name, _ in shown] == [name for name, _ in expected]
        assert np.array_equal([box for _, box in shown], [box for _, box in expected])


def test_reads_a_stretch_at_a_time(monkeypatch):
    """Elements over the borders of what is inflated at once."""
    monkeypatch.setattr('mmclsa.datasets.readers.mat_stream._BYTES_AT_ONCE', 100)
    content = random_file(3)
    streamed = mat_layout._stream_entries('a.mat', content, 'TestG7')
    assert said(streamed) == said(plainly(content))
    assert struct_length(content, 'TestG7') == len(streamed)


def test_fields_without_any_array():
    """MATLAB writes nothing but a tag for a field that was never set."""
    content = random_file(1, compress=False)
    element = next(iter(struct_elements(content, 'TestG7')))['Gallery']
    columns = struct_columns(element)
    body, words = columns['ishard'].data, columns['ishard'].words
    empty = binary.pack('<II', 14, 0)
    data = b''
    for row in range(len(words)):
        start, hard = 8 * int(columns['imname'].words[row]), 8 * int(words[row])
        data += bytes(body[start:hard]) + empty
    found = struct_columns(memoryview(bytes(element[: len(element) - len(body)]) + data))
    assert (found['ishard'].words == -1).all()
    assert found['imname'].texts().tolist() == columns['imname'].texts().tolist()
    assert found['idlocate'].rows(4)[1].tolist() == columns['idlocate'].rows(4)[1].tolist()


@pytest.mark.parametrize(
    'gallery',
    [
        [['s1.jpg', np.ones((1, 3)), 0]],  # a box of three numbers
        [['s\xe41.jpg', np.ones((1, 4)), 0]],  # a name beyond ASCII
        [[struct(['a'], [['x']]), np.ones((1, 4)), 0]],
        [[5, np.ones((1, 4)), 0]],
        [['s1.jpg', np.full((1, 4), np.nan), 0]],
        [['s1.jpg', np.ones((1, 2, 2)), 0]],
        [['s1.jpg', 'text', 0]],
    ],
)
def test_what_is_laid_out_otherwise_is_left_to_scipy(gallery):
    own = ['s1.jpg', np.ones((1, 4)), 0, 'p']
    entry = [struct(['i', 'b', 'h', 'n'], [own]), struct(['i', 'b', 'h'], gallery)]
    stream = BytesIO()
    savemat(stream, {'TestG7': struct(['Query', 'Gallery'], [entry])})
    with pytest.raises(OtherLayoutError):
        mat_layout._stream_entries('a.mat', stream.getvalue(), 'TestG7')


@pytest.mark.parametrize('cut', [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize('compress', [True, False])
def test_a_file_that_breaks_off_is_a_sentence(tmp_path, cut, compress):
    content = random_file(5, compress)
    path = tmp_path / 'TestG7.mat'
    path.write_bytes(content[: int(len(content) * cut)])
    with pytest.raises(DataError, match=r'TestG7\.mat'):
        mat_layout.read_search_entries(path, 'TestG7')


def test_another_variable_of_the_same_file_is_not_what_was_kept(tmp_path):
    path = tmp_path / 'TestG7.mat'
    path.write_bytes(random_file(2))
    assert len(mat_layout.read_search_entries(path, 'TestG7'))
    with pytest.raises(DataError, match=r"must have a variable TestG8, but has .*'TestG7'"):
        mat_layout.read_search_entries(path, 'TestG8')


def test_names_of_one_digest_are_two(monkeypatch):
    monkeypatch.setattr('mmclsa.datasets.readers.search_entries._MIX', np.uint64(0))
    names = np.array([b'b', b'a', b'b', b'abcdefghijk'])
    first, inverse = _distinct(names)
    assert names[first][inverse].tolist() == names.tolist()
    table = NameTable()
    assert table.number(names).tolist() == [0, 1, 0, 2]
    assert table.names == ['b', 'a', 'abcdefghijk']


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp('made')
    write_cuhk_sysu(root, make_up(0.01, 0), [20])
    return root


def test_the_made_up_data_set_is_read_either_way(made, monkeypatch):
    path = made / 'annotation' / 'test' / 'train_test' / 'TestG20.mat'
    content = path.read_bytes()
    streamed = mat_layout._stream_entries(path, content, 'TestG20')
    one_by_one = list(mat_layout._single_entries(path, content, 'TestG20'))
    assert said(streamed) == said(SearchEntries.of(one_by_one))
    monkeypatch.setattr('mmclsa.datasets.readers.cuhk_sysu.SIZES', (20,))
    task = cuhk_sysu_protocols(made, ['gallery_20'])[0]
    assert (np.diff(task.truth_offsets) == 3).all()


def test_processes_that_begin_at_once(made, tmp_path):
    code = f"""
from mmclsa.datasets.readers.cuhk_sysu import read_cuhk_sysu
print(len(read_cuhk_sysu({str(made)!r}, 'train')))
"""
    environment = {**os.environ, 'MMCLSA_CACHE': str(tmp_path / 'cache')}
    command = [sys.executable, '-c', code]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert len(set(said)) == 1
    kept = sorted(p.name.split('-')[0] for p in (tmp_path / 'cache' / 'files').iterdir())
    assert kept == ['boxes', 'pool', 'train']
