"""What users' scripts imported before modules were moved is still there."""

from __future__ import annotations

from importlib import import_module

import pytest

import mmclsa.inference
import mmclsa.media
from tests.helpers import run_python

#: As version 1 of these packages had them.
APIS = (
    *('GalleryHits', 'PersonSearchInferencer', 'QueryPerson', 'check_boxes', 'choose_first'),
    *('choose_queries', 'describe_queries', 'embedder_of_index', 'fuse_embeddings', 'list_people'),
    *('load_record_pictures', 'open_gallery', 'rank_people'),
)
MEDIA = ('Picture', 'iterate_pictures', 'load_picture')
ONNX = ('Detection', 'Graph', 'Letterbox', 'OnnxSearcher', 'Sidecar')
EXPORT = ('OPSET', 'TOLERANCE', 'export_searcher', 'letterbox_of')
READING = ('MAX_PIXELS', 'as_bgr', 'read_header', 'read_picture')
PLANS = ('Plan', 'SourceOptions', 'Unit', 'plan_units')


@pytest.mark.parametrize(
    ('former', 'present', 'names'),
    [
        ('mmclsa.apis', 'mmclsa.inference', APIS),
        ('mmclsa.apis', 'mmclsa.media', MEDIA),
        ('mmclsa.apis.inputs', 'mmclsa.media', MEDIA),
        ('mmclsa.gallery.building.pictures', 'mmclsa.media', READING),
        ('mmclsa.gallery.building.sources', 'mmclsa.gallery.building', PLANS),
        ('mmclsa.gallery.building.video', 'mmclsa.media', ('Sampling',)),
        ('mmclsa.deploy', 'mmclsa.inference.onnx', ONNX),
        ('mmclsa.deploy.export', 'mmclsa.inference.export', EXPORT),
    ],
)
def test_former_names_are_those_of_today(former, present, names):
    for name in names:
        assert getattr(import_module(former), name) is getattr(import_module(present), name)
        assert name in import_module(former).__all__


def test_a_video_and_an_inferencer_answer_to_what_they_were_called():
    assert import_module('mmclsa.gallery.building.video').VideoStream is mmclsa.media.VideoReader
    model = mmclsa.inference.PersonSearchInferencer.__new__(mmclsa.inference.PersonSearchInferencer)
    model.__dict__['fingerprint'] = 'digests'
    assert model.identity == 'digests'


def test_every_name_is_imported_when_it_is_asked_for():
    assert set(mmclsa.inference.__all__) <= set(dir(mmclsa.inference))
    for name in mmclsa.inference.__all__:
        assert getattr(mmclsa.inference, name).__name__ == name
    with pytest.raises(AttributeError, match=r"'mmclsa\.inference' has no attribute 'Nothing'"):
        mmclsa.inference.Nothing  # noqa: B018


@pytest.mark.parametrize('package', ['mmclsa.deploy', 'mmclsa.inference.onnx'])
def test_running_graphs_brings_no_framework(package):
    code = f"""
import {package}, sys
heavy = {{'torch', 'mmengine', 'mmcv', 'mmdet'}} & set(sys.modules)
assert not heavy, heavy
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr
