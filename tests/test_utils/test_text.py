"""Text as editors save it."""

from __future__ import annotations

import codecs

import pytest

from mmclsa.datasets.readers.coco import read_coco
from mmclsa.datasets.readers.prw import prw_protocols
from mmclsa.engine import load_config
from mmclsa.utils.text import decode_text, read_text
from tests.fakes import make_fake_coco, make_fake_prw

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
