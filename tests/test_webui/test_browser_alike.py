"""The page on two videos of one name, of which no camera is known, in two folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.footage import scene, write, write_video
from tests.test_webui.browsing import (
    address,
    browser,
    extend,
    needs_chromium,
    query,
    search,
    visit,
)

__all__ = ['address', 'browser', 'query', 'visit']
pytestmark = needs_chromium


@pytest.fixture(scope='module')
def gallery(tmp_path_factory) -> Path:
    """A folder with footage, its index and a query."""
    folder = tmp_path_factory.mktemp('alike')
    for place in ('Süd', 'دار'):
        write_video(folder / place / '1.avi', 15)
        extend(folder, place, '')
    write(folder / 'wer da? ü.png', scene(1))
    return folder


def test_they_are_told_apart(visit, query, gallery):
    """Seen: they looked alike in hits, in the timeline and in the people's sightings."""
    page = visit()
    search(page, query)
    names = {'Süd/1.avi', 'دار/1.avi'}
    assert set(page.locator('.hit .source').all_inner_texts()) == names
    lanes = page.locator('#timeline .lane-name title').all_text_contents()
    assert sorted(lanes) == sorted(names)
    for mark in page.locator('#timeline .mark').all():
        hit = page.locator('.hit').nth(int(mark.get_attribute('data-number')))
        source = hit.locator('.source').inner_text()
        for one in (mark, hit.locator('.open')):
            assert source in one.get_attribute('aria-label')
    page.locator('.hit .open').first.click()
    first = page.locator('.hit .source').first.inner_text()
    assert first in page.locator('#viewer-facts').inner_text()
    page.keyboard.press('Escape')
    page.locator('#tab-people').click()
    page.locator('.person-open').first.click()
    page.locator('.sighting').first.wait_for()
    assert set(page.locator('.sighting .source').all_inner_texts()) <= names
    for folder in (str(gallery), gallery.name):
        assert folder not in page.content()
