"""The page in a browser: what is seen is what is judged, searched for and saved."""

from __future__ import annotations

import pytest

from tests.test_webui.browsing import (
    address,
    browser,
    gallery,
    needs_chromium,
    search,
    visit,
)

__all__ = ['address', 'browser', 'gallery', 'visit']
pytestmark = needs_chromium


@pytest.fixture
def query(gallery):
    return gallery / 'wer da? ü.png'


def test_judging_by_keys(visit, query):
    """Seen: Y in the view of people judged for another search; Caps Lock took the keys away."""
    page = visit()
    search(page, query)
    page.locator('.hit .open').first.focus()
    page.keyboard.press('N')
    assert page.locator('.hit.is-rejected').count() == 1
    page.locator('.hit .open').nth(1).click()
    page.keyboard.press('Y')
    page.keyboard.press('Escape')
    assert page.locator('#verdict-count').inner_text() == '1 confirmed, 1 rejected'
    page.locator('#tab-people').click()
    page.locator('.person-open').nth(1).click()
    page.locator('.sighting .open').first.click()
    page.locator('#viewer').wait_for()
    for key in 'ynYN':
        page.keyboard.press(key)
    page.keyboard.press('Escape')
    page.locator('#tab-search').click()
    assert page.locator('#verdict-count').inner_text() == '1 confirmed, 1 rejected'
    assert page.locator('.is-rejected').count() == page.locator('.is-confirmed').count() == 1
