/** Where and when is searched: shows what there is, and marks the field that is wrong. */

import { byId, el, show } from './dom.js';
import { cameraName, count, counted, moment, rowName } from './format.js';
import { get, watch } from './state.js';

const MANY = 8; // cameras from which on a search field helps
const FIELDS = ['cameras', 'time-from', 'time-to', 'min-probability', 'topk'];

let drawnFor = null;

/** @param {function(): void} changed Called when a filter is changed. */
export function initFilters(changed) {
  const form = byId('search-form');
  for (const event of ['input', 'change']) {
    byId('filters').addEventListener(event, (happened) => {
      clearField(happened.target);
      changed();
    });
  }
  byId('camera-search').addEventListener('input', (event) => {
    event.stopPropagation();
    narrow(event.target.value);
  });
  byId('reset-filters').addEventListener('click', () => {
    for (const box of cameraBoxes()) box.checked = false;
    for (const name of ['time-from', 'time-to', 'min-probability']) byId(name).value = '';
    FIELDS.forEach((name) => setProblem(name, ''));
    changed();
  });
  form.noValidate = true; // browsers' own bubbles say less than the server does
  watch(['index'], draw);
}

/** The filters as the interface takes them. */
export function readFilters() {
  const text = (id) => byId(id).value.trim() || null;
  const cameras = cameraBoxes().filter((box) => box.checked).map((box) => box.value);
  const least = text('min-probability');
  return {
    cameras: cameras.length ? cameras : null,
    time_from: text('time-from'),
    time_to: text('time-to'),
    topk: Number(byId('topk').value),
    unit: byId('unit').value,
    min_probability: least === null ? null : Number(least.replace(',', '.')) / 100,
  };
}

/** Say what is wrong before anything is sent; gives whether nothing is. */
export function checkFilters() {
  FIELDS.forEach((name) => setProblem(name, ''));
  const least = readFilters().min_probability;
  if (least === null || (least >= 0 && least <= 1)) return true;
  return refuse('min-probability', 'The probability must be a number from 0 to 100 %.');
}

/**
 * Show a mistake beside its field.
 * @param {string} sentence What the server says.
 * @returns {boolean} Whether it is about a field.
 */
export function showFieldProblem(sentence) {
  const name = fieldOf(sentence);
  if (!name) return false;
  refuse(name, sentence);
  return true;
}

function fieldOf(sentence) {
  const said = (id) => byId(id).value.trim() && sentence.includes(byId(id).value.trim());
  if (/^("to"|time_to\b)/.test(sentence)) return 'time-to';
  if (/^("from"|time_from\b)/.test(sentence)) return 'time-from';
  if (/^a time /i.test(sentence)) return said('time-from') ? 'time-from' : 'time-to';
  if (/\bcameras?\b/.test(sentence)) return 'cameras';
  if (/probability|probabilities/.test(sentence)) return 'min-probability';
  return /\btopk\b/.test(sentence) ? 'topk' : null;
}

function refuse(name, sentence) {
  setProblem(name, sentence);
  byId('filters').open = true;
  (name === 'cameras' ? cameraBoxes()[0] : byId(name))?.focus();
  return false;
}

function setProblem(name, sentence) {
  const place = byId(`${name}-problem`);
  place.textContent = sentence;
  show(place, Boolean(sentence));
  const field = byId(name);
  if (sentence) field.setAttribute('aria-invalid', 'true');
  else field.removeAttribute('aria-invalid');
}

function clearField(target) {
  const name = target.name === 'camera' ? 'cameras' : target.id;
  if (FIELDS.includes(name)) setProblem(name, '');
}

const cameraBoxes = () => [...byId('cameras').querySelectorAll('input[name=camera]')];

function draw() {
  const index = get('index');
  if (!index || index.growing === drawnFor) return;
  drawnFor = index.growing;
  drawCameras(index);
  drawTimes(index);
  drawProbability(index);
  for (const option of byId('topk').options) option.disabled = option.value > index.max_hits;
}

function drawCameras(index) {
  const chosen = new Set(cameraBoxes().filter((box) => box.checked).map((box) => box.value));
  const focused = document.activeElement?.name === 'camera' ? document.activeElement.value : null;
  const known = new Set(index.cameras.map(({ name }) => name));
  const gone = [...chosen].filter((name) => !known.has(name)).map((name) => ({ name, count: 0 }));
  byId('camera-list').replaceChildren(
    ...[...index.cameras, ...gone].map((camera) => cameraItem(camera, chosen, rowName(index))),
  );
  cameraBoxes().find((box) => box.value === focused)?.focus();
  show(byId('camera-search'), index.cameras.length > MANY);
  narrow(byId('camera-search').value);
}

function cameraItem({ name, count: number }, chosen, unit) {
  const box = el('input', { type: 'checkbox', name: 'camera', value: name });
  box.checked = chosen.has(name);
  return el(
    'label',
    { class: 'camera' },
    box,
    el('span', { class: 'name', dir: 'auto' }, cameraName(name)),
    el('span', { class: 'muted', title: counted(number, unit) }, count(number)),
  );
}

function narrow(text) {
  const wanted = text.trim().toLocaleLowerCase();
  for (const item of byId('camera-list').children) {
    const name = item.querySelector('.name').textContent.toLocaleLowerCase();
    show(item, name.includes(wanted) || item.querySelector('input').checked);
  }
}

function drawTimes({ clock, time_from_text: first, time_to_text: last }) {
  const texts = {
    utc: `Footage from ${moment(first)} to ${moment(last)} (UTC).`,
    video: `Times since the start of each video, ${first} to ${last}.`,
    both: 'Dates (UTC), or times since the start of a video.',
    none: 'No time is known of this footage.',
  };
  byId('time-hint').textContent = texts[clock];
  byId('time-from').placeholder = moment(first);
  byId('time-to').placeholder = moment(last);
  for (const name of ['time-from', 'time-to']) byId(name).disabled = clock === 'none';
}

function drawProbability({ calibration }) {
  byId('min-probability').disabled = !calibration;
  byId('probability-hint').textContent = calibration
    ? `Learnt from ${count(calibration.num_same)} pairs of the same and ${count(calibration.num_different)} of different people of this footage.`
    : 'Not known: this footage has too few pairs to learn it from.';
}
