"""Text as editors save it."""

from __future__ import annotations

import ast
import codecs
import re

import numpy as np
import pytest

from mmclsa.datasets.readers.coco import read_coco
from mmclsa.datasets.readers.prw import prw_protocols
from mmclsa.engine import load_config
from mmclsa.utils.text import counted, decode_text, read_text
from tests.fakes import make_fake_coco, make_fake_prw
from tests.helpers import REPO

MARKED = ['utf-8-sig', 'utf-16', 'utf-32']


@pytest.mark.parametrize('encoding', ['utf-8', *MARKED])
def test_a_mark_says_how_it_is_written(encoding):
    assert decode_text('Zoë,\r\n1'.encode(encoding)) == 'Zoë,\r\n1'


@pytest.mark.parametrize(
    ('mark', 'encoding'),
    [(codecs.BOM_UTF16_BE, 'utf-16-be'), (codecs.BOM_UTF32_BE, 'utf-32-be')],
)
def test_big_endian(mark, encoding, tmp_path):
    (tmp_path / 'a').write_bytes(mark + 'Zoë'.encode(encoding))
    assert read_text(tmp_path / 'a') == 'Zoë'


def test_what_is_no_text():
    with pytest.raises(UnicodeDecodeError):
        decode_text(b'Zo\xeb')  # Windows-1252


@pytest.mark.parametrize(
    ('count', 'words', 'expected'),
    [
        (1, ['person'], '1 person'),
        (2, ['person'], '2 people'),
        (0, ['box'], '0 boxes'),
        (3, ['query'], '3 queries'),
        (3, ['day'], '3 days'),
        (1, ['is left', 'are left'], '1 is left'),
        (np.int64(1), ['class'], '1 class'),
        (np.int64(2), ['class'], '2 classes'),
    ],
)
def test_counted(count, words, expected):
    assert counted(count, *words) == expected


# Figures of benchmarks and of networks are never 1 by a user's data.
PRINTING = sorted(
    path
    for path in REPO.glob('tools/**/*.py')
    if path.parent.name != 'model_converters' and not path.name.startswith('benchmark_')
)
PLURAL = re.compile(r'^ (\w+ )?(people|(?!is |was |this |pixels|times )\w+[^s\W]s)\b')


@pytest.mark.parametrize('path', PRINTING, ids=lambda path: path.name)
def test_what_tools_print_is_counted(path):
    """*seen*: "1 pictures", "1 people were deleted"."""
    for call in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(call, ast.Call) and getattr(call.func, 'id', '') == 'print'):
            continue
        for text in (node for node in ast.walk(call) if isinstance(node, ast.JoinedStr)):
            for value, after in zip(text.values, text.values[1:]):
                if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                    assert not PLURAL.match(after.value), f'line {text.lineno}: {after.value}'


@pytest.mark.parametrize('encoding', MARKED)
def test_annotations_and_queries(tmp_path, encoding):
    coco = make_fake_coco(tmp_path / 'coco', images=False) / 'annotations.json'
    plain = read_coco(coco)
    coco.write_text(coco.read_text(), encoding=encoding)
    assert [scene.image for scene in read_coco(coco)] == [scene.image for scene in plain]
    prw = make_fake_prw(tmp_path / 'prw', images=False)
    queries = prw / 'query_info.txt'
    count = len(prw_protocols(prw)[0])
    queries.write_text(queries.read_text(), encoding=encoding)
    assert len(prw_protocols(prw)[0]) == count > 0


def test_configs_and_their_bases(tmp_path):
    (tmp_path / 'base.py').write_text('size = (3, 4)\nscale = size', encoding='utf-8-sig')
    leaf = tmp_path / 'leaf.py'
    leaf.write_text("_base_ = ['base.py']\nname = 'a'", encoding='utf-8-sig')
    assert load_config(str(leaf)).scale == (3, 4)
    assert load_config(str(leaf), {'size': [5, 6]}).scale == (5, 6)
