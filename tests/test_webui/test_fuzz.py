"""Whatever the interface's own description allows, and much that it does not, is answered."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python import asgi
from schemathesis.specs.openapi import checks

from mmclsa.gallery import GalleryIndex
from mmclsa.webui import GalleryService, Limits
from mmclsa.webui.app import build_app
from tests.fakes.footage import scene, write
from tests.test_gallery.fakes import FakeEmbedder

OPERATIONS = (
    *('GET /api/health', 'GET /api/index', 'POST /api/pictures', 'GET /api/pictures/{picture}'),
    *('GET /api/pictures/{picture}/people/{number}', 'POST /api/search', 'GET /api/rows/{row}'),
    *('GET /api/rows/{row}/crop', 'GET /api/rows/{row}/scene', 'GET /api/rows/{row}/scene.json'),
    *('GET /api/rows/{row}/clip', 'GET /api/rows/{row}/frames/{frame}', 'GET /api/people'),
    *('GET /api/rows', 'POST /api/export'),
)
# Not that all which the description allows is accepted: it does not know cameras, rows and clocks.
CHECKS = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)


@pytest.fixture(scope='module')
def interface(index_dir, tmp_path_factory):
    """The description of the interface, and an uploaded picture."""
    embedder = FakeEmbedder()
    with GalleryIndex.open(index_dir, embedder.fingerprint) as index:
        service = GalleryService(index, embedder, Limits(1, 1_000_000))
        path = write(tmp_path_factory.mktemp('query') / 'a.png', scene(1))
        picture, _ = service.upload(path.read_bytes(), 'a.png')
        app = build_app(service, hosts=[asgi.HOST])
        described = schemathesis.openapi.from_asgi('/api/openapi.json', app)
        found = (result.ok() for result in described.get_all_operations())
        operations = {f'{one.method.upper()} {one.path}': one for one in found}
        with asgi.get_client(app) as client:
            yield operations, (picture, len(index)), client


def to_what_there_is(case, picture: str, rows: int) -> None:
    """Let every other address be one of a row or a picture that is there."""
    places, body = case.path_parameters or {}, case.body
    row = places.get('row')
    if type(row) is int and row % 2:
        places['row'] = row % rows
    if isinstance(places.get('picture'), str) and len(places['picture']) % 2:
        places['picture'] = picture
    looks = body.get('query') if isinstance(body, dict) else None
    for look in looks if isinstance(looks, list) else ():
        if isinstance(look, dict) and isinstance(look.get('picture'), str):
            look['picture'] = picture
        if isinstance(look, dict) and type(look.get('row')) is int:
            look['row'] %= rows


def test_every_operation_is_tried(interface):
    assert set(interface[0]) == set(OPERATIONS)


@pytest.mark.parametrize('mode', list(GenerationMode))
@pytest.mark.parametrize('name', OPERATIONS[2:])  # the first two take nothing that could be wrong
def test_answers_are_as_described(interface, name, mode, index_dir):
    operations, there, client = interface

    @given(case=operations[name].as_strategy(generation_mode=mode))
    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case) -> None:
        to_what_there_is(case, *there)
        answer = case.call_and_validate(session=client, checks=list(CHECKS))
        assert answer.status_code < 500
        assert str(index_dir.parent).encode() not in answer.content

    run()
