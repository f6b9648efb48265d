/** Who is in the index: people, their sightings, and a search from each. */

import { getPeople, getRow, isCancelled } from './api.js';
import { cropImage } from './crops.js';
import { byId, el, show } from './dom.js';
import { readPercent } from './fields.js';
import { arrowsMove } from './focus.js';
import { cameraName, counted, span, when } from './format.js';
import { Progress, clear, showProblem, showWarnings } from './messages.js';
import { get, watch } from './state.js';
import { drawTimeline, initTimeline } from './timeline.js';
import { searchFromRows } from './verdicts.js';
import { openViewer } from './viewer.js';
import { Where } from './where.js';

const MOST = 1000; // people that the server gives
const PAGE = 24; // of them at first, and so many more each time
const SIGHTINGS = 24; // of a person at first
const LEAST = '80'; // percent, which the server takes where none is given
const LOOKS = 8; // rows of a person that a search starts from

let people = [];
let loadedFor = null;
let running = null;
let where = null; // made when the view is opened
let awaited = false; // the index, since the view was opened

export function initPeople() {
  byId('people-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (where) load();
  });
  byId('more-people').addEventListener('click', drawMore);
  arrowsMove(byId('people-list'), '.person-open');
  byId('people-reset').addEventListener('click', () => {
    where?.reset();
    if (where) load();
  });
  byId('people-again').addEventListener('click', () => {
    load();
    byId('people-count').focus({ preventScroll: true }); // the button goes away
  });
  watch(['index'], follow);
}

/** Tell of an index that has grown, and change nothing that is being looked at. */
function follow() {
  drawLimit();
  if (awaited && get('index')) openPeople();
  show(byId('people-grown'), loadedFor !== null && loadedFor !== get('index').growing);
}

function drawLimit() {
  const known = Boolean(get('index')?.calibration);
  byId('people-probability').disabled = !known;
  byId('people-probability').placeholder = known ? LEAST : '';
  byId('people-probability').title = known ? '' : 'This footage has too few pairs to learn it from.';
  where?.draw(get('index'));
}

/** Load the people when their view is opened, and again only if the index has changed. */
export function openPeople() {
  awaited = !get('index');
  if (awaited) return; // it tells what there is to be loaded
  where ??= new Where(byId('people-where'), 'people-');
  where.draw(get('index'));
  if (loadedFor !== get('index').growing) load();
}

async function load() {
  running?.cancel();
  const least = readPercent('people-probability');
  where.forgive();
  if (least === undefined) return;
  const { cameras: camera, ...times } = where.read();
  const { growing } = get('index');
  const progress = new Progress(byId('people-status'), 'Grouping sightings into people');
  running = progress;
  try {
    const found = await getPeople({ min_probability: least, camera, ...times, limit: MOST }, progress.signal);
    progress.end();
    loadedFor = growing;
    follow();
    showWarnings(byId('people-warnings'), found.warnings);
    people = found.people;
    draw();
  } catch (error) {
    progress.end();
    if (running === progress && !isCancelled(error)) fail(error);
  }
}

function fail(error) {
  if (error.status === 422 && where.showProblem(error.message)) return;
  showProblem(byId('people-status'), error.message);
}

function draw() {
  byId('people-list').replaceChildren();
  drawMore();
  byId('people-count').textContent = people.length
    ? counted(people.length, 'person', 'people')
    : `Nobody ${where.limited ? 'was seen there and then' : 'is in the index'}`;
}

function drawMore() {
  const list = byId('people-list');
  const [from, to] = [list.childElementCount, list.childElementCount + PAGE];
  list.append(...people.slice(from, to).map(card));
  if (from) list.children[from].querySelector('.person-open').focus();
  show(byId('more-people'), to < people.length);
}

function card(person) {
  const cameras = person.cameras.map(cameraName).join(', ');
  const seen = span(person.time_from_text, person.time_to_text) || 'time unknown';
  const name = `Person ${person.number}`;
  const detail = el('div', { class: 'sightings', id: `sightings-${person.number}`, hidden: true });
  const open = el(
    'button',
    { type: 'button', class: 'person-open', 'aria-expanded': 'false', 'aria-controls': detail.id },
    cropImage({ row: person.best }),
    el('span', { class: 'person-name' }, name),
    el('span', {}, counted(person.num_sightings, 'sighting')),
    el('span', { class: 'muted', dir: 'auto' }, cameras),
    el('span', { class: 'muted' }, seen),
  );
  open.addEventListener('click', () => toggle(open, detail, person));
  const rows = [...new Set([person.best, ...person.rows])].slice(0, LOOKS);
  const search = el(
    'button',
    { type: 'button', 'aria-label': `Search for ${name}`, onclick: () => searchFromRows(rows, name) },
    'Search',
  );
  return el('li', { class: 'someone' }, open, search, detail);
}

function toggle(open, detail, person) {
  const wanted = detail.hidden;
  open.setAttribute('aria-expanded', String(wanted));
  open.closest('.someone').classList.toggle('expanded', wanted);
  show(detail, wanted);
  if (wanted && !detail.childElementCount) fill(detail, person, SIGHTINGS);
}

async function fill(detail, person, most) {
  const progress = new Progress(detail, 'Loading the sightings');
  const rows = person.rows.slice(0, most);
  const asked = await Promise.allSettled(rows.map((row) => getRow(row, progress.signal)));
  progress.end();
  const sightings = asked.filter(({ value }) => value).map(({ value }) => value);
  const errors = asked.filter(({ reason }) => reason).map(({ reason }) => reason);
  if (errors.some(isCancelled)) return clear(detail);
  if (!sightings.length) return showProblem(detail, errors[0].message);
  drawSightings(detail, person, sightings, most);
  return tellMissing(detail, errors);
}

/** The button goes away: the focus comes to the first of those that are new, if it is nowhere else. */
async function showMore(detail, person, most) {
  const before = detail.querySelectorAll('.sighting').length;
  await fill(detail, person, most * 4);
  const added = detail.querySelectorAll('.sighting .open')[before];
  if (document.activeElement === document.body) added?.focus();
}

/** Sightings that cannot be loaded, such as those taken out of the index since, hide no others. */
function tellMissing(detail, errors) {
  if (!errors.length) return;
  const place = el('div', { 'aria-live': 'polite' });
  detail.prepend(place);
  showWarnings(place, [`${counted(errors.length, 'sighting')} could not be loaded: ${errors[0].message}`]);
}

function drawSightings(detail, person, sightings, most) {
  const timeline = el('div', { class: 'timeline-place' });
  initTimeline(timeline);
  const items = sightings.map((sighting, number) =>
    el(
      'li',
      { class: 'sighting' },
      el(
        'button',
        {
          type: 'button',
          class: 'open',
          'aria-label': `Sighting ${number + 1}, ${cameraName(sighting.camera)}, ${when(sighting)}, ${sighting.source}`,
          onclick: () => openViewer(sightings, number),
        },
        cropImage(sighting),
      ),
      el('p', { class: 'camera', dir: 'auto' }, cameraName(sighting.camera)),
      el('p', { class: 'when' }, when(sighting)),
      el('p', { class: 'source muted', dir: 'auto' }, sighting.source),
    ),
  );
  const rest = person.rows.length - most;
  const more = el(
    'button',
    { type: 'button', onclick: () => showMore(detail, person, most) },
    `Show ${Math.min(rest, most * 3)} more`,
  );
  const list = el('ul', { class: 'sighting-list' }, ...items);
  arrowsMove(list, '.open');
  detail.replaceChildren(timeline, list, ...(rest > 0 ? [more] : []));
  drawTimeline(timeline, sightings, (number) => openViewer(sightings, number));
}
