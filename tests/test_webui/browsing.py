"""A browser in front of a small gallery, whose names are not Latin or are markup."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import Sampling, SourceOptions, build_gallery, plan_units
from mmclsa.webui import GalleryService, Limits
from mmclsa.webui.app import build_app
from mmclsa.webui.server import serving
from tests.fakes.footage import scene, write, write_scenes, write_video
from tests.test_gallery.fakes import FakeEmbedder

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason='there is no chromium')

DESKTOP, PHONE = {'width': 1280, 'height': 800}, {'width': 360, 'height': 740}
MARKUP = '<img src=x onerror=hacked()>'
DOOR = 'Дверь 門 باب'


def extend(folder: Path, source: str, camera: str) -> None:
    """Add footage to the gallery of a folder."""
    embedder = FakeEmbedder()
    path = folder / 'index'
    opened = (
        GalleryIndex.open(path, embedder.fingerprint, writable=True)
        if path.exists()
        else GalleryIndex.create(path, embedder.fingerprint)
    )
    with opened as index:
        options = SourceOptions(Sampling(every=1), camera)
        plan = plan_units([folder / source], options.sampling)
        build_gallery(index, embedder, plan, options, batch_size=4)


@pytest.fixture(scope='module')
def gallery(tmp_path_factory) -> Path:
    """A folder with footage, its index and a query."""
    folder = tmp_path_factory.mktemp('browsed')
    write_video(folder / 'door' / 'Tür.avi', 60)
    write_scenes(folder / 'yard', 6)
    extend(folder, 'door', DOOR)
    extend(folder, 'yard', MARKUP)
    write(folder / 'wer da? ü.png', scene(1))
    return folder


@pytest.fixture
def query(gallery) -> Path:
    """A picture of somebody who is in the gallery."""
    return gallery / 'wer da? ü.png'


@pytest.fixture(scope='module')
def address(gallery) -> Iterator[str]:
    """The page, served to this machine; files of at most 1 MB are taken."""
    embedder = FakeEmbedder()
    limits = Limits(max_upload_mb=1, max_pixels=1_000_000)
    with (
        GalleryIndex.open(gallery / 'index', embedder.fingerprint) as index,
        serving(build_app(GalleryService(index, embedder, limits))) as address,
    ):
        yield address


@pytest.fixture(scope='module')
def browser() -> Iterator[Any]:
    """One for a module: a playwright that stays open disturbs tests of event loops."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=['--no-sandbox'], timeout=120_000
        )
        yield browser.new_context()
        browser.close()


@pytest.fixture
def visit(browser, address) -> Iterator[Callable[..., Any]]:
    """Open the page as a visitor; no script may fail and nothing may come from elsewhere."""
    pages, wrong = [], []

    def open_page(size: dict = DESKTOP, view: str = '', **media: Any) -> Any:
        page = browser.new_page()
        pages.append(page)
        page.set_default_timeout(60_000)
        page.set_viewport_size(size)
        # Tests would wait for clips that play at once.
        page.emulate_media(**{'reduced_motion': 'reduce', **media})
        page.on('pageerror', lambda error: wrong.append(str(error)))
        page.on('request', lambda request: _check_origin(request.url, address, wrong))
        page.on('console', lambda line: 'Content Security' in line.text and wrong.append(line.text))
        page.goto(f'{address}/{view}')
        page.locator('#summary').get_by_text('sightings').wait_for()
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not wrong


def _check_origin(url: str, address: str, wrong: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ('blob', 'data') and f'{parts.scheme}://{parts.netloc}' != address:
        wrong.append(url)


def give(page: Any, path: Path) -> None:
    """Give a picture, and wait for its people."""
    page.locator('#file').set_input_files(str(path))
    page.locator('#picture-name').get_by_text(path.name, exact=True).wait_for()


def search(page: Any, query: Path | None = None, person: int = 1) -> None:
    """Search for a person, and wait for the hits."""
    if query is not None:
        give(page, query)
        page.locator(f'.person[data-number="{person}"]').click()
    with page.expect_response('**/api/search'):
        page.locator('#search').click()
    page.locator('#results:not([aria-busy])').wait_for()


@contextmanager
def slow(page: Any, pattern: str) -> Iterator[None]:
    """Leave requests without an answer."""
    page.route(pattern, lambda route: None)
    yield
    page.unroute(pattern)
