"""The page in a browser: viewer, timeline, people; phone, keyboard, colours, a growing index."""

from __future__ import annotations

import json
import runpy

import cv2
import pytest

from mmclsa.gallery import GalleryIndex
from tests.fakes.footage import write_scenes
from tests.helpers import REPO
from tests.test_gallery.fakes import FakeEmbedder
from tests.test_webui.browsing import (
    DESKTOP,
    DOOR,
    PHONE,
    address,
    browser,
    extend,
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


def open_video_hit(page) -> None:
    """Open a hit that is in a video, whose clip then is there."""
    page.locator('.hit', has_text='Tür.avi').first.locator('.open').click()
    page.locator('#player').wait_for()


def wait_for_frame(page, place: int) -> None:
    """Wait until a clip has come to a frame (the page's policy lets no waiting script in)."""
    for _ in range(1200):
        if int(page.locator('#seek').input_value()) >= place:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f'the clip does not come to frame {place}')


def test_limits_of_time_are_seen_whole(visit):
    """Seen: the seconds of a date were cut off, at both sizes."""
    page = visit()
    page.locator('#time-from').fill('2024-05-06 07:00:00')
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        hidden = 'one => one.scrollWidth - one.clientWidth'
        assert page.locator('#time-from').evaluate(hidden) == 0


class TestViewer:
    def test_scene_with_the_person_in_a_box(self, visit, query, address):
        page = visit()
        search(page, query)
        hit = page.locator('.hit').first
        row = hit.get_attribute('data-row')
        hit.locator('.open').click()
        dialog = page.get_by_role('dialog', name='Hit 1 of 10')
        dialog.locator('#scene-box').wait_for()
        info = page.request.get(f'{address}/api/rows/{row}/scene.json').json()
        stage, box = page.evaluate(  # at once: the dialog is centred anew when the clip comes
            """() => ['viewer-stage', 'scene-box'].map((id) =>
                document.getElementById(id).getBoundingClientRect().toJSON())"""
        )
        x1, y1, x2, y2 = info['box']
        scale = stage['width'] / info['width']
        assert box['x'] - stage['x'] == pytest.approx(x1 * scale, abs=1.5)
        assert box['y'] - stage['y'] == pytest.approx(y1 * scale, abs=1.5)
        assert box['width'] == pytest.approx((x2 - x1) * scale, abs=1.5)
        assert box['height'] == pytest.approx((y2 - y1) * scale, abs=1.5)
        assert dialog.locator('figure').count() == 2  # query and hit

    def test_plays_the_seconds_around_it_by_keys(self, visit, query):
        page = visit(reduced_motion='no-preference')

        def slowly(route):
            route.fulfill(json={**route.fetch().json(), 'fps': 3})  # not to its end meanwhile

        page.route('**/clip', slowly)
        search(page, query)
        opener = page.locator('.hit', has_text='Tür.avi').first.locator('.open')
        opener.focus()
        page.keyboard.press('Enter')
        play = page.locator('#play')
        page.locator('#play').get_by_text('Pause').wait_for()  # it plays at once
        wait_for_frame(page, 3)
        page.keyboard.press('Space')
        assert play.inner_text() == '▶ Play'
        before = page.locator('#clip-time').inner_text()
        place = int(page.locator('#seek').input_value())
        page.keyboard.press('ArrowRight')
        assert int(page.locator('#seek').input_value()) == place + 1
        assert page.locator('#clip-time').inner_text() != before
        page.keyboard.press('ArrowLeft')
        assert page.locator('#clip-time').inner_text() == before
        page.keyboard.press('PageDown')
        assert 'Hit 1 of' not in page.locator('#viewer-title').inner_text()
        page.keyboard.press('Escape')
        assert page.locator('#viewer').is_hidden()
        assert opener.evaluate('one => one === document.activeElement')

    def test_does_not_move_by_itself_where_that_is_not_wanted(self, visit, query):
        page = visit()
        search(page, query)
        open_video_hit(page)
        assert page.locator('#play').inner_text() == '▶ Play'
        page.locator('#play').click()
        wait_for_frame(page, 2)

    def test_rests_where_the_person_is_seen_best(self, visit, query, address):
        # Seen: a clip that had played ended on a scene that the person had left, without a box.
        page = visit()
        search(page, query)
        hit = page.locator('.hit', has_text='Tür.avi').first
        row = page.request.get(f'{address}/api/rows/{hit.get_attribute("data-row")}').json()
        clip = page.request.get(f'{address}/api/rows/{row["row"]}/clip').json()
        best = [frame['frame'] for frame in clip['frames']].index(row['frame'])
        open_video_hit(page)
        last = int(page.locator('#seek').get_attribute('max'))
        page.locator('#seek').fill(str(last - 1))
        page.locator('#play').click()
        page.locator('#play').get_by_text('Play').wait_for()
        assert int(page.locator('#seek').input_value()) == best < last
        assert page.locator('#scene-box').is_visible()

    def test_closing_ends_what_is_loaded(self, visit, query):
        page = visit()
        search(page, query)
        with slow(page, '**/frames/*'):
            open_video_hit(page)
            with page.expect_event('requestfailed'):
                page.get_by_role('button', name='Close').click()
        open_video_hit(page)

    def test_file_that_is_gone(self, visit, query):
        page = visit()
        search(page, query)
        said = {'detail': 'the file a.png is no longer there'}
        page.route('**/scene*', lambda route: route.fulfill(status=404, json=said))
        page.locator('.hit .open').first.click()
        page.locator('#viewer-problem').get_by_text(said['detail']).wait_for()
        assert 'cosine' in page.locator('#viewer-facts').inner_text().lower()
        page.locator('#viewer .confirm').click()
        page.keyboard.press('Escape')
        assert page.locator('.hit.is-confirmed').count() == 1


class TestTimeline:
    def test_marks_open_hits(self, visit, query):
        page = visit()
        search(page, query)
        names = page.locator('#timeline text.lane-name')
        # Letters of any script, whole in a tooltip (seen: question marks).
        assert DOOR in names.first.evaluate('one => one.querySelector("title").textContent')
        marks = page.locator('#timeline .mark')
        times = page.locator('.hit .when').all_inner_texts()
        assert marks.count() == sum('unknown' not in text for text in times)
        assert 'at an unknown time' in page.locator('#timeline').inner_text()
        marks.last.focus()
        page.keyboard.press('Enter')
        number = int(marks.last.get_attribute('data-number'))
        assert page.locator('#viewer-title').inner_text() == f'Hit {number + 1} of 10'

    def test_ticks_are_round(self, visit):
        page = visit()
        ticks = page.evaluate(
            """async () => {
                const {ticksOf} = await import('./ticks.js');
                return [ticksOf(0, 47, 5), ticksOf(1244721600, 1244725200, 5),
                        ticksOf(1244721600, 1244721600 + 10 * 86400, 5)]
                    .map((ticks) => ticks.map(({text}) => text));
            }"""
        )
        assert ticks[0] == ['0:00:00', '0:00:10', '0:00:20', '0:00:30', '0:00:40']
        assert ticks[1] == ['12:00', '12:15', '12:30', '12:45', '13:00']
        assert ticks[2] == ['2009-06-13', '2009-06-15', '2009-06-17', '2009-06-19', '2009-06-21']


class TestPeople:
    def test_sightings_and_search(self, visit):
        page = visit(view='#people')
        page.locator('.someone').first.wait_for()
        first = page.locator('.someone').first
        first.locator('.person-open').click()
        first.locator('.sighting').first.wait_for()
        first.locator('.sighting .open').first.click()
        assert 'Sighting 1 of' in page.locator('#viewer-title').inner_text()
        page.keyboard.press('Escape')
        with page.expect_request('**/api/search') as request:
            page.get_by_role('button', name='Search for Person 1', exact=True).click()
        assert 'row' in json.loads(request.value.post_data)['query'][0]
        page.locator('.hit').first.wait_for()
        assert 0 <= page.locator('#results-title').bounding_box()['y'] < 400
        assert page.locator('#tab-search').get_attribute('aria-selected') == 'true'

    def test_where_and_when(self, visit):
        """Seen: the interface could, the page could not."""
        page = visit(size=PHONE, view='#people')
        page.locator('.someone').first.wait_for()
        everybody = page.locator('.someone').count()
        page.locator('#people-filters summary').press('Enter')
        assert page.evaluate('document.documentElement.scrollWidth') <= PHONE['width']
        page.locator('#people-camera-list').get_by_label(DOOR).press('Space')
        page.locator('#people-time-to').fill('0:00:02')
        with page.expect_response('**/api/people?*') as answer:
            page.keyboard.press('Enter')
        asked = answer.value.request.url
        people = answer.value.json()['people']
        assert 'camera=' in asked
        assert 'time_to=0%3A00%3A02' in asked
        page.locator('#people-status:empty').wait_for(state='attached')
        assert page.locator('.someone').count() == len(people) < everybody
        assert {camera for one in people for camera in one['cameras']} == {DOOR}
        page.locator('#people-time-from').fill('0:00:04')
        page.get_by_role('button', name='Group').click()
        problem = page.locator('#people-time-from-problem')
        problem.wait_for()
        assert 'must not be after' in problem.inner_text()
        assert page.evaluate('document.activeElement.id') == 'people-time-from'
        assert page.locator('.someone').count() == len(people)
        page.locator('#people-filters').get_by_role('button', name='Reset').click()
        page.locator('.someone').nth(everybody - 1).wait_for()
        assert problem.is_hidden()
        assert page.locator('#people-camera-list input:checked').count() == 0

    def test_probability_that_is_none(self, visit):
        page = visit(view='#people')
        page.locator('.someone').first.wait_for()
        page.locator('#people-probability').evaluate('one => { one.disabled = false; }')
        count = page.locator('.someone').count()
        page.locator('#people-probability').fill('140')
        page.get_by_role('button', name='Group').click()
        assert '0 to 100' in page.locator('#people-probability-problem').inner_text()
        assert page.locator('.someone').count() == count


class TestPhone:
    def test_nothing_is_off_the_screen(self, visit, query):
        """Seen: two hits of each row were off the screen."""
        page = visit(PHONE)
        self.check(page)
        give(page, query)
        self.check(page)
        page.locator('.person').first.click()
        page.locator('#filters summary').click()
        self.check(page)
        search(page)
        self.check(page)
        cards = [one.bounding_box() for one in page.locator('.hit').all()]
        assert all(card['x'] >= 0 and card['x'] + card['width'] <= 360 for card in cards)
        assert len({card['x'] for card in cards}) == 2
        page.locator('.confirm').first.click()
        page.locator('#verdicts').wait_for()
        self.check(page)
        assert page.locator('#verdicts').bounding_box()['height'] < 120  # words are whole
        open_video_hit(page)
        self.check(page)
        sides = page.locator('#viewer').bounding_box()
        assert sides['x'] >= 0
        assert sides['width'] <= 360
        page.keyboard.press('Escape')
        page.locator('#tab-people').click()
        page.locator('.person-open').first.click()
        page.locator('.sighting').first.wait_for()
        self.check(page)

    def check(self, page) -> None:
        widest = page.evaluate(
            """() => {
                const seen = [...document.body.querySelectorAll('*')].filter((one) =>
                    one.checkVisibility() && !one.closest('.skip, .unseen, svg'));
                return Math.max(...seen.map((one) => one.getBoundingClientRect().right));
            }"""
        )
        assert widest <= 360.5
        assert page.evaluate('document.documentElement.scrollWidth') <= 360

    def test_the_query_stays_in_sight(self, visit, query):
        page = visit(PHONE)
        search(page, query)
        page.locator('.hit').last.scroll_into_view_if_needed()
        asked = page.locator('.query-side').bounding_box()
        assert 0 <= asked['y'] < 100


class TestKeyboard:
    def test_from_upload_to_opened_hit(self, visit, query):
        """Seen: nothing could be chosen by keyboard."""
        page = visit()
        # Playwright asks for choosers when somebody listens, and does not wait for the answer.
        page.on('filechooser', lambda _: None)
        self.tab_to(page, 'file')
        with page.expect_file_chooser() as choosing:
            page.keyboard.press('Enter')
        choosing.value.set_files(str(query))
        page.locator('.person').first.wait_for()
        while 'person' not in self.focused(page)['class']:
            page.keyboard.press('Tab')
        page.keyboard.press('ArrowRight')
        page.keyboard.press('ArrowDown')
        page.keyboard.press('Enter')
        assert page.locator('.person[aria-pressed=true]').count() == 1
        with page.expect_response('**/api/search'):
            self.tab_to(page, 'search')
            page.keyboard.press('Enter')
        page.locator('.hit').first.wait_for()
        while 'open' not in self.focused(page)['class'].split():
            page.keyboard.press('Tab')
        page.keyboard.press('ArrowRight')
        page.keyboard.press('Enter')
        assert page.locator('#viewer-title').inner_text() == 'Hit 2 of 10'

    def focused(self, page) -> dict:
        return page.evaluate(
            """() => {
                const one = document.activeElement;
                const of = one.id === 'file' ? one.nextElementSibling : one;
                const {outlineStyle, outlineWidth, strokeWidth} = getComputedStyle(of);
                const lined = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
                return {id: one.id, class: one.getAttribute('class') ?? '',
                        seen: lined || parseFloat(strokeWidth) >= 3};
            }"""
        )

    def tab_to(self, page, wanted: str) -> None:
        """Press Tab until an element is reached; each on the way shows its focus."""
        for _ in range(60):
            page.keyboard.press('Tab')
            focused = self.focused(page)
            assert focused['seen'], focused
            if focused['id'] == wanted:
                return
        raise AssertionError(f'{wanted} is not reached')

    def test_first_stop_leads_to_the_results(self, visit, query):
        page = visit()
        search(page, query)
        page.keyboard.press('Escape')
        page.evaluate('document.activeElement.blur(); scrollTo(0, 0)')
        page.locator('#skip').focus()
        assert page.locator('#skip').bounding_box()['x'] >= 0
        page.keyboard.press('Enter')
        assert page.evaluate('document.activeElement.id') == 'results-title'
        assert page.locator('#view-search').is_visible()

    def test_keys_are_listed(self, visit):
        page = visit()
        page.keyboard.press('?')
        assert page.get_by_role('dialog', name='Keys').is_visible()
        page.keyboard.press('Escape')
        page.locator('#time-from').press('?')
        assert page.get_by_role('dialog', name='Keys').is_hidden()


CONTRAST = """
() => {
    const channels = (colour) => {
        const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
        const paper = canvas.getContext('2d');
        paper.fillStyle = colour;
        paper.fillRect(0, 0, 1, 1);
        return paper.getImageData(0, 0, 1, 1).data;
    };
    const light = (rgb) => {
        const [r, g, b] = [...rgb].slice(0, 3).map((value) => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (one) => {
        for (; one; one = one.parentElement) {
            const colour = channels(getComputedStyle(one).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return channels('white');
    };
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const poor = [];
    let checked = 0;
    while (words.nextNode()) {
        const one = words.currentNode.parentElement;
        const passive = one.closest(':disabled, .unseen, script, noscript, svg title');
        if (!words.currentNode.data.trim() || passive || !one.checkVisibility()) continue;
        const style = getComputedStyle(one);
        const [a, b] = [light(channels(one.closest('svg') ? style.fill : style.color)),
                        light(ground(one))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        checked += 1;
        if (contrast < 4.5) poor.push(`${words.currentNode.data.trim()}: ${contrast}`);
    }
    return [checked, poor];
}
"""


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_contrast(visit, query, scheme):
    """Of every text, with mistakes, warnings, judgements and notes on the page."""
    page = visit(color_scheme=scheme)

    def warn(route):
        answer = route.fetch().json()
        route.fulfill(json={**answer, 'warnings': ['take care']})

    page.route('**/api/search', warn)
    search(page, query)
    page.unroute('**/api/search')
    page.locator('.confirm').first.click()
    page.locator('.reject').nth(1).click()
    page.locator('#time-from').fill('never')
    page.locator('#search').click()
    page.locator('#time-from-problem').wait_for()
    checked, poor = page.evaluate(CONTRAST)
    assert checked > 60
    assert not poor
    ground = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (sum(map(int, ground[4:-1].split(','))) > 384) == (scheme == 'light')
    open_video_hit(page)
    assert not page.evaluate(CONTRAST)[1]
    page.keyboard.press('Escape')
    page.locator('#tab-people').click()
    page.locator('.person-open').first.click()
    page.locator('.sighting').first.wait_for()
    page.locator('#people-filters summary').click()
    page.locator('#people-time-to').fill('never')
    page.keyboard.press('Enter')
    page.locator('#people-time-to-problem').wait_for()
    assert not page.evaluate(CONTRAST)[1]


class TestGrowing:
    def test_new_sightings_are_told_and_change_nothing(self, visit, query, gallery):
        page = visit()
        page.clock.install()
        page.reload()
        search(page, query)
        page.locator('.hit').nth(9).wait_for()
        before = len_of(gallery)
        write_scenes(gallery / 'late', 3, first=50)
        extend(gallery, 'late', 'late')
        with page.expect_response('**/api/index'):
            page.clock.run_for(10_500)
        added = len_of(gallery) - before
        page.locator('#grown').get_by_text(f'{added} new sightings since').wait_for()
        assert page.locator('#grown[role=status]').count() == 1
        assert page.locator('.hit').count() == 10
        assert page.get_by_label('late').count() == 1
        with page.expect_response('**/api/search'):
            page.locator('#grown-search').click()
        page.locator('#grown').wait_for(state='hidden')

    def test_what_a_search_has_seen_is_not_news(self, visit, query, gallery):
        """Seen: who was found before the page knew of them changed the index since the search."""
        page = visit()
        page.clock.install()
        page.reload()
        search(page, query)
        write_scenes(gallery / 'dawn', 3, first=60)
        extend(gallery, 'dawn', 'dawn')
        news = page.locator('#grown').evaluate_handle(
            """one => {
                const seen = [];
                new MutationObserver(() => seen.push(one.hidden)).observe(one, {attributes: true});
                return seen;
            }"""
        )
        search(page)
        page.locator('#summary').get_by_text(f'{len_of(gallery)} sightings').wait_for()
        with page.expect_response('**/api/index'):
            page.clock.run_for(10_500)
        assert False not in news.json_value()
        assert page.locator('#grown').is_hidden()

    def test_people_are_told_too(self, visit, gallery):
        """Seen: people stayed those of a former index, without a word."""
        page = visit(view='#people')
        page.locator('.someone').first.wait_for()
        page.clock.install()
        page.reload()
        page.locator('.someone').first.wait_for()
        assert page.locator('#people-grown').is_hidden()
        cards = page.locator('.someone').count()
        write_scenes(gallery / 'dusk', 3, first=70)
        extend(gallery, 'dusk', 'dusk')
        with page.expect_response('**/api/index'):
            page.clock.run_for(10_500)
        page.locator('#people-grown').wait_for()
        assert page.locator('.someone').count() == cards
        with page.expect_response('**/api/people?*'):
            page.locator('#people-again').click()
        page.locator('#people-grown').wait_for(state='hidden')
        page.locator('#people-filters summary').click()
        page.locator('#people-camera-list').get_by_label('dusk').check()
        with page.expect_response('**/api/people?*') as answer:
            page.get_by_role('button', name='Apply').click()
        assert answer.value.json()['people']

    def test_server_that_does_not_answer_for_a_while(self, visit, query):
        page = visit()
        page.clock.install()
        page.reload()
        search(page, query)
        page.route('**/api/index', lambda route: route.abort())
        page.clock.run_for(10_500)
        page.locator('#server-status').get_by_text('does not answer').wait_for()
        assert page.locator('.hit').count() == 10
        page.unroute('**/api/index')
        page.clock.run_for(10_500)
        page.locator('#server-status [role=alert]').wait_for(state='detached')


def len_of(gallery) -> int:
    with GalleryIndex.open(gallery / 'index', FakeEmbedder().fingerprint) as index:
        return len(index)


def test_pictures_of_the_docs(browser, address, query, tmp_path):
    tool = runpy.run_path(str(REPO / 'tools' / 'misc' / 'webui_pictures.py'))
    taken = tool['take_pictures'](browser.browser, address, query, 1, tmp_path)
    widths = {path.stem: cv2.imread(str(path)).shape[1] for path in taken}
    assert widths == {'webui_desktop': 1280, 'webui_phone': 720, 'webui_dark': 1280}


def test_sizes_between_phone_and_desktop(visit, query):
    page = visit(DESKTOP)
    search(page, query)
    for width in (1920, 1024, 801, 800, 600, 480):
        page.set_viewport_size({'width': width, 'height': 800})
        assert page.evaluate('document.documentElement.scrollWidth') <= width
