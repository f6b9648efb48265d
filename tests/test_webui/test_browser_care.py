"""The page in a browser: what is seen is what is judged, searched for and saved."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from functools import partial
from pathlib import Path

import pytest

from mmclsa.webui.exporting import results_csv
from tests.test_webui.browsing import (
    address,
    browser,
    gallery,
    give,
    needs_chromium,
    query,
    search,
    slow,
    visit,
)

__all__ = ['address', 'browser', 'gallery', 'query', 'visit']
pytestmark = needs_chromium


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


def test_own_box_that_was_taken(visit, query):
    """Seen: arrows moved it, and the search was of another place than the page showed."""
    page = visit()
    give(page, query)
    own = page.locator('#own-box')

    def pressed() -> tuple:
        return tuple(
            page.locator(i).get_attribute('aria-pressed') for i in ('#own-box', '#draw-box')
        )

    page.locator('#draw-box').press('Enter')
    page.keyboard.press('Enter')
    taken = own.get_attribute('style')
    assert pressed() == ('true', 'false')
    page.keyboard.press('ArrowLeft')
    assert own.get_attribute('style') != taken
    assert pressed() == ('false', 'true')
    page.keyboard.press('Escape')
    # It is again the box that is searched for, and the keys are still there.
    assert own.get_attribute('style') == taken
    assert pressed() == ('true', 'false')
    for key in ('ArrowLeft', 'Enter'):
        page.keyboard.press(key)
    with page.expect_request('**/api/search') as request:
        page.locator('#search').click()
    (look,) = json.loads(request.value.post_data)['query']
    assert look['box'][0] == pytest.approx(0.38 * 96, abs=0.1)
    page.get_by_role('button', name='Take out: Own box').click()
    page.locator('#draw-box').press('Enter')
    page.keyboard.press('Escape')
    assert own.is_hidden()
    assert page.evaluate('document.activeElement.id') == 'draw-box'


def test_clip_with_a_frame_that_fails(visit, query):
    """Seen: it was cut there without a word; and an arrow before the clip was there failed."""
    page = visit()
    search(page, query)
    hit = page.locator('.hit', has_text='Tür.avi').first
    with slow(page, '**/clip'):
        hit.locator('.open').click()
        page.locator('#scene-box').wait_for()
        page.keyboard.press('ArrowRight')
        page.keyboard.press('Escape')

    def short(route):
        clip = route.fetch().json()
        frames = clip['frames'][:5]
        for place, status in ((2, 500), (4, 410)):
            answer = {'status': status, 'json': {'detail': f'failed with {status}'}}
            fail = partial(lambda answer, route: route.fulfill(**answer), answer)
            page.route(f'**{frames[place]["url"]}', fail)
        route.fulfill(json={**clip, 'frames': frames})

    page.route('**/clip', short)
    hit.locator('.open').click()
    page.locator('#player').wait_for()
    page.locator('#clip-status:empty').wait_for(state='attached')
    problem = page.locator('#viewer-problem').inner_text()
    assert 'failed with 500' in problem
    assert '410' not in problem  # the container counts one more than there are
    assert page.locator('#seek').get_attribute('max') == '3'
    page.locator('#seek').fill('2')
    assert 'is missing' in page.locator('#scene').inner_text()
    page.locator('#seek').fill('3')
    assert page.locator('#scene img').count() == 1


def test_person_with_a_sighting_that_has_gone(visit):
    """Seen: one that had been pruned hid all others."""
    page = visit(view='#people')
    people = page.request.get(page.url.split('#')[0] + 'api/people').json()['people']
    place, person = next(item for item in enumerate(people) if item[1]['num_sightings'] > 1)
    said = {'detail': 'the index has no such row'}
    page.route(
        f'**/api/rows/{person["rows"][0]}', lambda route: route.fulfill(status=404, json=said)
    )
    page.locator('.person-open').nth(place).click()
    page.locator('.sighting').first.wait_for()
    assert page.locator('.sighting').count() == min(person['num_sightings'], 24) - 1
    assert (
        '1 sighting could not be loaded: the index'
        in page.locator('.sightings').nth(place).inner_text()
    )


def test_what_is_saved_is_what_is_seen(visit, query, tmp_path):
    """Seen: another search was made for the file, which in a growing index had other hits."""
    page = visit()

    def odd(route):
        answer = route.fetch().json()
        answer['hits'][0].update(camera='=1+1', source='a "b",\nc.png', probability=0.5)
        route.fulfill(json=answer)

    page.route('**/api/search', odd)
    with page.expect_response('**/api/search') as response:
        search(page, query)
    seen = response.value.json()

    def save(kind: str) -> Path:
        with page.expect_download() as saving:
            page.locator(f'#export-{kind}').click()
        saving.value.save_as(tmp_path / kind)
        return tmp_path / kind

    page.route('**/api/export', lambda route: route.abort())
    assert json.loads(save('json').read_text('utf-8')) == seen
    table, server = read_table(save('csv').read_bytes()), read_table(results_csv(seen['hits']))
    assert table[0]['camera'] == "'=1+1"
    assert [list(row) for row in table] == [list(row) for row in server]
    assert [[number(cell) for cell in row.values()] for row in table] == [
        [number(cell) for cell in row.values()] for row in server
    ]
    page.unroute('**/api/export')
    save('zip')
    assert page.locator('#export-status').inner_text() == ''
    with zipfile.ZipFile(tmp_path / 'zip') as archive:
        assert json.loads(archive.read('results.json')) == seen


def focused(page) -> str:
    """Id or name of the element with the focus."""
    return page.evaluate(
        'document.activeElement.id || document.activeElement.getAttribute("aria-label")'
    )


def test_focus_is_not_lost(visit, query):
    """Seen: it went to the body after what had it was taken away."""
    page = visit()
    search(page, query)
    page.locator('.hit .open').first.press('y')
    page.locator('.hit .open').nth(1).press('y')
    page.get_by_role('button', name='Take out: Confirmed').first.press('Enter')
    assert focused(page).startswith('Take out: Confirmed')
    page.locator('#verdict-clear').press('Enter')
    assert focused(page) == 'results-title'
    page.get_by_role('button', name='Take out: Person 1').press('Enter')
    assert focused(page) == 'file'

    def many(route):
        answer = route.fetch().json()
        answer['people'][0].update(rows=list(range(26)), num_sightings=26)
        route.fulfill(json=answer)

    page.route('**/api/people*', many)
    page.locator('#tab-people').click()
    page.locator('.person-open').first.click()
    page.get_by_role('button', name='Show 2 more').press('Enter')
    page.locator('.sighting').nth(25).wait_for()
    assert focused(page).startswith('Sighting 25,')


def test_server_that_is_gone_is_told_once(visit):
    """Seen: the alert was made anew, and so read out, every ten seconds."""
    page = visit()
    page.route('**/api/index', lambda route: route.abort())

    def ask() -> None:
        with page.expect_event('requestfailed'):
            page.evaluate('void document.dispatchEvent(new Event("visibilitychange"))')

    ask()
    alert = page.locator('#server-status [role=alert]')
    alert.wait_for()
    alert.evaluate('one => one.classList.add("first")')
    ask()
    page.wait_for_timeout(50)
    assert page.locator('#server-status .first').count() == 1
    page.unroute('**/api/index')
    with page.expect_response('**/api/index'):
        page.evaluate('void document.dispatchEvent(new Event("visibilitychange"))')
    alert.wait_for(state='detached')


def read_table(data: bytes) -> list:
    text = data.decode('utf-8')
    assert text[0] == '\ufeff'
    return list(csv.DictReader(io.StringIO(text[1:], newline='')))


def number(cell: str):
    """Python writes 1.0 where a browser writes 1."""
    try:
        return float(cell)
    except ValueError:
        return cell
