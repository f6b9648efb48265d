"""The page in a browser: from a picture to an opened hit, and what goes wrong on the way."""

from __future__ import annotations

import csv
import json
import zipfile

import pytest

from tests.fakes.footage import scene, write
from tests.test_webui.browsing import (
    DOOR,
    MARKUP,
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


def body_of(request) -> dict:
    return json.loads(request.post_data)


class TestPicture:
    def test_people_are_buttons(self, visit, query):
        page = visit()
        give(page, query)
        people = page.get_by_role('group', name='People of the picture').get_by_role('button')
        assert people.count() == 3
        page.get_by_role('button', name='Person 2 of 3').click()
        pressed = page.locator('.person[aria-pressed=true]')
        assert pressed.get_attribute('data-number') == '2'
        assert page.locator('#looks img').count() == 1

    def test_a_click_beside_the_boxes_changes_nothing(self, visit, query):
        """Seen: the picture was replaced by an error."""
        page = visit()
        search(page, query)
        hits = page.locator('.hit').count()
        size = page.locator('#stage').bounding_box()
        # The upper right quarter is dark: nobody is there.
        place = {'x': size['width'] * 0.8, 'y': size['height'] * 0.2}
        page.locator('#stage').click(position=place)
        assert 'Nobody is marked there' in page.locator('#picture-hint').inner_text()
        assert page.locator('#shown-picture').is_visible()
        assert page.locator('.person').count() == 3
        assert page.locator('.person[aria-pressed=true]').count() == 1
        assert page.locator('.hit').count() == hits
        assert page.locator('#stale').is_hidden()

    def test_a_box_is_drawn_with_the_mouse(self, visit, query):
        page = visit()
        give(page, query)
        page.locator('#stage').scroll_into_view_if_needed()
        stage = page.locator('#stage').bounding_box()
        x, y, width, height = (stage[key] for key in ('x', 'y', 'width', 'height'))
        page.mouse.move(x + width * 0.25, y + height * 0.25)
        page.mouse.down()
        page.mouse.move(x + width * 0.5, y + height * 0.5, steps=3)
        page.mouse.move(x + width * 0.75, y + height * 0.75, steps=3)
        page.mouse.up()
        assert page.locator('.person[aria-pressed=true]').count() == 0
        with page.expect_request('**/api/search') as request:
            search(page)
        (look,) = body_of(request.value)['query']
        assert look['box'] == pytest.approx([24, 16, 72, 48], abs=0.6)

    def test_a_box_is_drawn_by_keys(self, visit, query):
        page = visit()
        give(page, query)
        page.get_by_role('button', name='Draw a box').press('Enter')
        for key in ('ArrowLeft', 'ArrowUp', 'Shift+ArrowRight', 'Enter'):
            page.keyboard.press(key)
        with page.expect_request('**/api/search') as request:
            page.keyboard.press('Control+Enter')
        (look,) = body_of(request.value)['query']
        step_x, step_y = 0.02 * 96, 0.02 * 64
        box = [38.4 - step_x, 16 - step_y, 57.6, 48 - step_y]
        assert look['box'] == pytest.approx(box, abs=0.1)

    def test_comes_by_drop_and_paste(self, visit, query):
        page = visit()
        for way in ('drop', 'paste'):
            page.evaluate(
                """([bytes, way]) => {
                    const given = new DataTransfer();
                    given.items.add(new File([new Uint8Array(bytes)], `${way}.png`));
                    const event = way === 'drop'
                        ? new DragEvent(way, {dataTransfer: given, bubbles: true, cancelable: true})
                        : new ClipboardEvent(way, {clipboardData: given, bubbles: true});
                    document.body.dispatchEvent(event);
                }""",
                [list(query.read_bytes()), way],
            )
            page.locator('#picture-name').get_by_text(f'{way}.png').wait_for()
            assert page.locator('.person').count() == 3

    def test_two_looks_are_searched_together(self, visit, query, tmp_path):
        page = visit()
        search(page, query)
        page.get_by_role('button', name='+ Add a look').click()
        give(page, write(tmp_path / 'second.png', scene(3)))
        page.locator('.person').first.click()
        assert page.locator('#looks li').count() == 2
        assert 'Another look was added' in page.locator('#stale').inner_text()
        with page.expect_request('**/api/search') as request:
            search(page)
        pictures = {look['picture'] for look in body_of(request.value)['query']}
        assert len(pictures) == 2
        assert page.locator('#query-crops img').count() == 2
        page.get_by_role('button', name='Take out: Person 1 of second.png').click()
        assert page.locator('#looks li').count() == 1

    def test_nobody_in_it(self, visit, tmp_path):
        page = visit()
        give(page, write(tmp_path / 'empty.png', scene(1) * 0))
        assert 'Nobody is found in empty.png' in page.locator('#picture-hint').inner_text()
        assert page.locator('#shown-picture').is_visible()

    def test_no_picture_and_a_large_one(self, visit, query, tmp_path):
        """The picture before stays; a large file is not even sent."""
        page = visit()
        search(page, query)
        broken = tmp_path / 'broken.png'
        broken.write_bytes(b'no picture')
        page.locator('#file').set_input_files(str(broken))
        problem = page.locator('#upload-status [role=alert]')
        assert 'broken.png' in problem.inner_text()
        large = tmp_path / 'large.png'
        large.write_bytes(b'0' * 1_100_000)
        sent = []
        page.on('request', lambda request: sent.append(request.url))
        page.locator('#file').set_input_files(str(large))
        page.get_by_text('large.png has 1.1 MB, but at most 1 MB are taken.').wait_for()
        assert not [url for url in sent if url.endswith('/api/pictures')]
        assert page.locator('#picture-name').inner_text() == query.name
        assert page.locator('.hit').count() == 10


class TestHits:
    def test_show_all_that_is_known(self, visit, query):
        """Seen: captions were cut before time and camera."""
        page = visit()
        search(page, query)
        text = page.locator('.hit').first.inner_text()
        assert 'cosine 1.000' in text
        assert page.locator('.hit .camera', has_text=DOOR).count()
        cut = page.evaluate(
            """() => [...document.querySelectorAll('.hit *')].filter((one) =>
                one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0).length"""
        )
        assert cut == 0
        crop = page.locator('.hit .crop').first.bounding_box()
        asked = page.locator('#query-crops img').bounding_box()
        assert crop['height'] >= 200
        assert asked['height'] >= 200
        assert abs(asked['y'] - crop['y']) < 60  # side by side

    def test_probability_beside_the_cosine(self, visit, query):
        page = visit()

        def sure(route):
            answer = route.fetch().json()
            for hit, probability in zip(answer['hits'], (0.999, 0.874, 0.001)):
                hit['probability'] = probability
            route.fulfill(json=answer)

        page.route('**/api/search', sure)
        search(page, query)
        shown = page.locator('.sure strong').all_inner_texts()
        assert shown == ['> 99 %', '87 %', '< 1 %']
        assert '1.000' in page.locator('.sure').first.inner_text()

    def test_of_another_person_are_marked(self, visit, query):
        """Seen: old hits stayed as if they were of the new person."""
        page = visit()
        search(page, query)
        assert page.locator('#stale').is_hidden()
        page.get_by_role('button', name='Person 2 of 3').click()
        assert 'these hits are of the former search' in page.locator('#stale').inner_text()
        assert page.locator('#found.stale').count() == 1
        assert page.locator('#found').evaluate('one => one.inert')
        # The query beside the hits is the one that they belong to.
        assert page.locator('#query-crops img').get_attribute('src').endswith('/people/1')
        page.locator('#stale-search').click()
        page.locator('#stale').wait_for(state='hidden')
        assert page.locator('#query-crops img').get_attribute('src').endswith('/people/2')

    def test_page_is_short_and_names_no_folder(self, visit, query, gallery):
        """Seen: a panel of JSON made it 3,900 pixels long; paths of the server were shown."""
        page = visit()
        search(page, query)
        assert page.evaluate('document.documentElement.scrollHeight') < 1900
        assert str(gallery) not in page.content()
        assert '/tmp' not in page.content()
        assert page.locator('pre, code').count() == 0

    def test_names_are_text(self, visit, query, gallery):
        page = visit()
        search(page, write(gallery / f'{MARKUP}.png', scene(1)))
        page.locator('.hit', has_text=MARKUP).first.locator('.open').click()
        assert MARKUP in page.locator('#viewer-facts').inner_text()
        page.keyboard.press('Escape')
        assert page.locator('#camera-list').inner_text().count(MARKUP) == 1
        assert page.locator('#picture-name').inner_text() == f'{MARKUP}.png'
        assert page.evaluate('typeof hacked') == 'undefined'
        assert page.locator('img[src=x]').count() == 0

    def test_judged_and_searched_again(self, visit, query):
        page = visit()
        search(page, query)
        rows = [int(one.get_attribute('data-row')) for one in page.locator('.hit').all()]
        page.locator('.hit').nth(1).locator('.confirm').click()
        page.locator('.hit .open').nth(2).focus()
        page.keyboard.press('n')
        assert '1 confirmed, 1 rejected' in page.locator('#verdicts').inner_text()
        with page.expect_request('**/api/search') as request:
            page.locator('#verdict-search').click()
        body = body_of(request.value)
        assert (body['confirmed'], body['rejected']) == ([rows[1]], [rows[2]])
        assert page.locator('#looks .confirmed').count() == 1
        # Seen: it went on to say that there is something to search again with.
        page.get_by_text('Searched with 1 confirmed, 1 rejected', exact=True).wait_for()
        assert page.locator('#verdict-search').is_hidden()
        page.locator('.hit .reject').first.click()
        assert page.locator('#verdict-count').inner_text() == '1 confirmed, 2 rejected'
        assert page.locator('#verdict-search').is_visible()
        page.locator('#verdict-clear').click()
        assert page.locator('#verdicts').is_hidden()
        assert 'was forgotten since this search' in page.locator('#stale').inner_text()
        with page.expect_request('**/api/search') as request:
            page.locator('#stale-search').click()
        body = body_of(request.value)
        assert (body['confirmed'], body['rejected']) == ([], [])
        page.locator('#stale').wait_for(state='hidden')
        page.locator('.hit .reject').first.click()
        # Somebody else has no judgements.
        page.get_by_role('button', name='Person 2 of 3').click()
        assert page.locator('#verdicts').is_hidden()

    def test_search_from_a_hit(self, visit, query):
        page = visit()
        search(page, query)
        third = page.locator('.hit').nth(2)
        row = int(third.get_attribute('data-row'))
        with page.expect_request('**/api/search') as request:
            third.get_by_role('button', name='Search from this hit').click()
        assert body_of(request.value)['query'] == [{'row': row}]
        page.locator(f'#query-crops img[src="api/rows/{row}/crop"]').wait_for()
        assert page.locator(f'.hit[data-row="{row}"]').count() == 0

    def test_more(self, visit, query):
        page = visit()
        search(page, query)
        with page.expect_response('**/api/search'):
            page.get_by_role('button', name='Show more hits').click()
        page.locator('.hit').nth(11).wait_for()

    def test_export(self, visit, query, tmp_path):
        page = visit()
        search(page, query)
        files = {}
        for kind in ('json', 'csv', 'zip'):
            with page.expect_download() as saving:
                page.locator(f'#export-{kind}').click()
            assert saving.value.suggested_filename == f'results.{kind}'
            files[kind] = tmp_path / f'results.{kind}'
            saving.value.save_as(files[kind])
        assert len(json.loads(files['json'].read_text())['hits']) == 10
        with files['csv'].open(encoding='utf-8-sig', newline='') as stream:
            assert len(list(csv.DictReader(stream))) == 10
        assert 'results.json' in zipfile.ZipFile(files['zip']).namelist()


class TestMistakes:
    def test_times(self, visit, query):
        """Seen: nothing was found, without a word; and all outputs were painted over."""
        page = visit()
        search(page, query)
        for start, end, field, told in (
            ('5', '2', 'time-from', 'must not be after'),
            ('2009-06-11', '', 'time-from', 'since the start of the video'),
            ('', '2009-06-11', 'time-to', 'since the start of the video'),
            ('', 'tomorrow', 'time-to', 'tomorrow'),
        ):
            page.locator('#time-from').fill(start)
            page.locator('#time-to').fill(end)
            search(page)
            problem = page.locator(f'#{field}-problem')
            assert told in problem.inner_text()
            self.check_beside(page, field)
            assert page.locator('.hit').count() == 10
            assert page.locator('.person').count() == 3
            page.locator(f'#{field}').fill('1')
            assert problem.is_hidden()

    def check_beside(self, page, field: str) -> None:
        """The field has the focus and is the one that is marked; its mistake is below it."""
        place = page.locator(f'#{field}').bounding_box()
        problem = page.locator(f'#{field}-problem')
        assert 0 < problem.bounding_box()['y'] - place['y'] < 100
        assert problem.evaluate(  # nothing lies over it
            """one => {
                const {left, top} = one.getBoundingClientRect();
                return document.elementFromPoint(left + 5, top + 5) === one;
            }"""
        )
        assert page.evaluate('document.activeElement.id') == field
        assert page.locator('[aria-invalid=true]').count() == 1

    def test_time_of_day_on_dates(self, visit, query):
        """The server's sentence about it comes to the field; see test_search.py for the rule."""
        page = visit()
        said = '"to" must be a date such as 2009-06-11T12:00:00Z, for the index has dates'
        page.route('**/api/search', lambda route: route.fulfill(status=422, json={'detail': said}))
        page.locator('#time-to').fill('12:30')
        search(page, query)
        assert page.locator('#time-to-problem').inner_text() == said

    def test_camera_that_has_gone(self, visit, query):
        """Seen: an unknown camera gave nothing, without a word."""
        page = visit()

        def with_another(route):
            index = route.fetch().json()
            index['cameras'].append({'name': 'gone', 'count': 3})
            route.fulfill(json={**index, 'growing': 'other'})

        page.route('**/api/index', with_another)
        page.reload()
        page.get_by_label('gone').check()
        search(page, query)
        assert 'no camera "gone"' in page.locator('#cameras-problem').inner_text()
        assert page.locator('.person').count() == 3

    def test_nobody_chosen(self, visit, query):
        page = visit()
        page.locator('#search').click()
        assert 'give a picture' in page.locator('#search-status [role=alert]').inner_text()
        give(page, query)
        page.locator('#search').click()
        assert 'choose a person' in page.locator('#search-status [role=alert]').inner_text()

    def test_server_that_fails_or_is_gone(self, visit, query):
        page = visit()
        search(page, query)
        for answer, told in (
            (lambda route: route.fulfill(status=500, json={'detail': 'it has failed'}), 'failed'),
            (lambda route: route.fulfill(status=502, body='<h1>Bad'), 'answered 502'),
            (lambda route: route.abort(), 'does not answer'),
        ):
            page.route('**/api/search', answer)
            page.locator('#search').click()
            page.locator('#search-status [role=alert]').get_by_text(told).wait_for()
            page.unroute('**/api/search')
            assert page.locator('.hit').count() == 10

    def test_warnings_leave_the_rest(self, visit, query):
        page = visit()

        def warn(route):
            answer = route.fetch().json()
            route.fulfill(json={**answer, 'warnings': ['one', 'two']})

        page.route('**/api/search', warn)
        search(page, query)
        assert page.locator('#warnings[aria-live=polite] li').all_inner_texts() == ['one', 'two']
        assert page.locator('.hit').count() == 10
        page.locator('#warnings').get_by_role('button', name='Dismiss').click()
        assert page.locator('#warnings').inner_text() == ''
        assert page.locator('.hit').count() == 10


class TestWaiting:
    def test_search_tells_what_it_does_and_is_cancelled(self, visit, query):
        """Seen: a spinner only."""
        page = visit()
        search(page, query)
        with slow(page, '**/api/search'):
            page.get_by_role('button', name='Person 2 of 3').click()
            page.locator('#search').click()
            status = page.locator('#search-status')
            status.get_by_text('Searching 26 sightings').wait_for()
            assert status.get_by_role('progressbar').count() == 1
            assert page.locator('#results[aria-busy=true]').count() == 1
            with page.expect_event('requestfailed'):
                status.get_by_role('button', name='Cancel').click()
        assert status.inner_text() == ''
        assert page.locator('.hit').count() == 10
        assert page.locator('#stale').is_visible()
        search(page)
        assert page.locator('#stale').is_hidden()

    def test_upload_is_cancelled(self, visit, query):
        page = visit()
        with slow(page, '**/api/pictures'):
            page.locator('#file').set_input_files(str(query))
            with page.expect_event('requestfailed'):
                page.locator('#upload-status').get_by_role('button', name='Cancel').click()
        assert page.locator('#upload-status').inner_text() == ''
        search(page, query)

    def test_the_last_search_wins(self, visit, query):
        """The answer to an older one does not come over it."""
        page = visit()
        give(page, query)
        page.locator('.person[data-number="1"]').click()
        with slow(page, '**/api/search'):
            page.locator('#search').click()
        page.locator('.person[data-number="2"]').click()
        search(page)
        assert page.locator('#query-crops img').get_attribute('src').endswith('/people/2')
        assert page.locator('#search-status').inner_text() == ''
