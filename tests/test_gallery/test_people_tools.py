"""tools/list_people.py, and what search_gallery.py does without a model."""

from __future__ import annotations

import json
import runpy
import sys

import cv2
import numpy as np
import pytest

from mmclsa.gallery import GalleryIndex
from mmclsa.inference import people_of_index, rank_people, search_from_rows
from tests.helpers import REPO
from tests.test_inference.sightings import made_up_pairs, make_sightings
from tests.test_inference.test_sightings import people_and_looks


@pytest.fixture
def tool(monkeypatch, capsys):
    """Run a tool in this process; the exit code, stdout and stderr."""

    def run(name: str, *args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / 'tools' / f'{name}.py'), run_name='__main__')
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return run


@pytest.fixture
def index(tmp_path):
    vectors, _ = people_and_looks()
    cameras = ['door', 'yard'] * 10
    make_sightings(tmp_path / 'index', vectors, made_up_pairs(), camera=cameras).close()
    return tmp_path / 'index'


def opened(index):
    return GalleryIndex.open(index)


class TestListPeople:
    def test_table_json_and_sheet(self, tool, index, tmp_path):
        files = ('--json', tmp_path / 'people.json', '--sheet', tmp_path / 'people.jpg')
        code, table, error = tool('list_people', index, '--min-probability', 0.5, *files)
        assert code == 0, error
        with opened(index) as gallery:
            people = people_of_index(gallery, min_probability=0.5)
        assert len(table.splitlines()) == 4 + len(people)
        assert 'door, yard' in table.splitlines()[3]
        content = json.loads((tmp_path / 'people.json').read_text(encoding='utf-8'))
        assert [[one['row'] for one in person['sightings']] for person in content] == [
            person.rows for person in people
        ]
        assert content[0]['time_from'] == content[0]['sightings'][0]['time_from']
        assert content[0]['sightings'][0]['num_frames'] == 10
        sheet = cv2.imread(str(tmp_path / 'people.jpg'))
        height = sheet.shape[0] // len(people)
        with opened(index) as gallery:
            crop = gallery.crops([people[1].rows[0]])[people[1].rows[0]]
        colour = cv2.imdecode(np.frombuffer(crop, np.uint8), 1)[30, 15].astype(int)
        second = sheet[height : 2 * height, :90].astype(int)
        assert (np.abs(second - colour).max(axis=2) < 8).sum() > 5000

    def test_what_was_written_is_said(self, tool, index, tmp_path):
        files = [tmp_path / 'people.json', tmp_path / 'people.jpg']
        options = ('--min-probability', 0.5, '--json', files[0], '--sheet', files[1])
        told = tool('list_people', index, *options)[2]
        assert told == f'{files[0]}: 5 people\n{files[1]}: 5 people\n'
        code, table, error = tool('list_people', index, *options, '--limit', 1)
        assert code == 0
        assert error == ''.join(f'{file}: the first 1 of 5 people\n' for file in files)
        assert table.splitlines()[5:] == ['4 more people are not listed: see --limit']
        assert len(json.loads(files[0].read_text())) == 1
        sheets = [cv2.imread(str(files[1])).shape[0]]
        tool('list_people', index, *options, '--limit', 3)
        sheets.append(cv2.imread(str(files[1])).shape[0])
        assert sheets[1] == 3 * sheets[0]

    def test_a_long_list(self, tool, tmp_path):
        """All of it is written, but not on the terminal."""
        index, file = tmp_path / 'index', tmp_path / 'people.json'
        vectors = np.random.default_rng(0).normal(size=(53, people_and_looks()[0].shape[1]))
        make_sightings(index, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).close()
        options = ('--min-similarity', 0.9, '--json', file)
        code, table, error = tool('list_people', index, *options)
        assert code == 0, error
        assert len(table.splitlines()) == 4 + 50 + 1
        assert table.endswith('\n3 more people are not listed: see --limit\n')
        assert len(json.loads(file.read_text())) == 53
        assert error == f'{file}: 53 people\n'
        assert 'not listed' not in tool('list_people', index, *options, '--limit', 53)[1]

    def test_limits(self, tool, index):
        code, table, _ = tool('list_people', index, '--min-similarity', 0.6, '--camera', 'yard')
        assert code == 0
        assert 'door' not in table
        with opened(index) as gallery:
            assert len(people_of_index(gallery, min_similarity=0.6)) == 5
        code, table, _ = tool('list_people', index, '--min-similarity', 0.99, '--to', 5)
        assert code == 0
        assert len(table.splitlines()) == 4 + 3  # those who came within five seconds
        for command in (['list_people', index], ['search_gallery', index, '--row', 0]):
            code, table, error = tool(*command, '--from', 1000)
            assert code == 0, error
            assert table.splitlines()[3] == 'nobody was found'

    def test_mistakes(self, tool, index, tmp_path):
        code, _, error = tool('list_people', index, '--min-probability', 2)
        assert (code, error) == (2, 'error: min_probability must lie in 0..1, but is 2.0\n')
        code, _, error = tool('list_people', index, '--sheet', tmp_path / 'a.gif')
        assert code == 2
        assert '--sheet must end in .jpg or .png' in error
        code, _, error = tool('list_people', index, '--limit', 0)
        assert (code, error) == (2, 'error: --limit must be at least 1, but is 0\n')
        code, _, error = tool('list_people', index, '--from', 'noon')
        assert code == 2
        assert error.startswith('error: --from: a time must be seconds, h:mm:ss or an ISO date')
        for option, path in (('--json', tmp_path), ('--sheet', tmp_path / 'a.jpg'), ('--json', '')):
            (tmp_path / 'a.jpg').mkdir(exist_ok=True)
            code, _, error = tool('list_people', index, option, path)
            words = path or 'an empty text'
            assert (code, error) == (2, f'error: {option} must be a file, but is {words}\n')
        code, _, error = tool('list_people', tmp_path / 'nothing')
        assert code == 2
        assert 'nothing' in error


class TestSearchFromRows:
    def test_equals_the_function(self, tool, index, tmp_path):
        out = tmp_path / 'out'
        options = ('--topk', 5, '--out-dir', out, '--no-scenes', '--unit', 'frame')
        code, table, error = tool(
            'search_gallery', index, '--row', 4, *options, '--confirm', 5, '--reject', 9, 10
        )
        assert code == 0, error
        with opened(index) as gallery:
            result = search_from_rows(
                gallery, [4], 5, unit='frame', confirmed=[5], rejected=[9, 10]
            )
        content = json.loads((out / 'results.json').read_text(encoding='utf-8'))
        assert content == json.loads(json.dumps(result.to_dict()))
        assert table.startswith(result.table())
        assert error == f'{out}: results.json, rank_list.png\n'
        assert '2000 pairs of one person and 2000 of two' in table
        assert sorted(path.name for path in out.iterdir()) == ['rank_list.png', 'results.json']

    def test_least_probability(self, tool, index):
        code, table, _ = tool('search_gallery', index, '--row', 4, '--min-probability', 0.6)
        assert code == 0
        with opened(index) as gallery:
            (vector,) = gallery.embeddings([4])
            hits = rank_people(gallery, vector, 11, left_out=[4], looks=2, min_probability=0.6)
        assert len(table.splitlines()) == 4 + min(len(hits), 10) + 1

    def test_a_mistake_deletes_nobody(self, tool, tmp_path):
        vectors, _ = people_and_looks()
        starts = [17_000_000_000 + 20 * n for n in range(20)]  # of the year 2023
        path = tmp_path / 'old'
        make_sightings(path, vectors, made_up_pairs(), starts).close()
        for arguments in (
            ['--topk', 0],
            ['--min-probability', 2],
            ['--from', 'yesterday'],
            ['--confirm', 2, '--reject', 2],
            ['--confirm', 77],
            ['--row', 77],
        ):
            options = ['--row', 1, '--keep-days', 30, *arguments]
            assert tool('search_gallery', path, *options)[0] == 2
            with opened(path) as gallery:
                assert len(gallery) == 20, arguments
        code, _, error = tool('search_gallery', path, '--query', 'none.jpg', '--keep-days', 30)
        assert code == 2
        with opened(path) as gallery:
            assert len(gallery) == 20
        code, text, error = tool('search_gallery', path, '--row', 1, '--keep-days', 30)
        assert '20 people last seen before' in text
        assert (code, 'row 1' in error) == (2, True)

    def test_mistakes(self, tool, index):
        for arguments, message in (
            ([], 'either --query or --row must be given'),
            (['--row', 1, '--query', 'a.jpg'], 'and not both'),
            (['--row', 1, '--person', 2], 'not --row'),
            (['--row', 1, '--unit', 'frame', '--group-by-track'], 'contradict each other'),
            (['--row', 1, '--no-scenes'], '--no-scenes says what --out-dir writes'),
            (['--row', 1, '--to', 'noon'], '--to: a time must be seconds, h:mm:ss or an ISO date'),
            (['--query', 'none.jpg', '--onnx', 'none'], 'image none.jpg cannot be read'),
            (['--row', 77], 'no row 77'),
            (['--row', 1, '--confirm', 2, '--reject', 2], 'row 2 cannot be both'),
        ):
            code, _, error = tool('search_gallery', index, *arguments)
            assert code == 2
            assert message in error
