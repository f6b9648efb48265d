/** When and by which camera: a picture drawn in the page, each mark of which opens its sighting. */

import { el, show, svg } from './dom.js';
import { arrowsMove } from './focus.js';
import { cameraName, counted, percent, when } from './format.js';
import { isDate, ticksOf } from './ticks.js';

const ROW = 28;
const AXIS = 26;
const MARK = 14;

/**
 * Draw sightings along time, a row for each camera; again when there is more room.
 * @param {HTMLElement} place
 * @param {object[]} sightings
 * @param {function(number): void} open Called with the number of a sighting in the list.
 */
export function drawTimeline(place, sightings, open) {
  show(place, sightings.length > 0);
  const marks = sightings.map((sighting, number) => ({ sighting, number }));
  const timed = marks.filter(({ sighting }) => sighting.time_from !== null);
  const clocks = [true, false].map((dates) =>
    timed.filter(({ sighting }) => isDate(sighting.time_from) === dates),
  );
  const redraw = () => {
    const width = place.clientWidth;
    if (!width) return;
    const pictures = clocks.filter((group) => group.length).map((group) => picture(group, width, open));
    const missing = marks.length - timed.length;
    const note = missing && el('p', { class: 'muted' }, `${counted(missing, 'sighting')} at an unknown time`);
    const focused = place.querySelector(':focus')?.dataset.number;
    place.replaceChildren(...pictures, ...(note ? [note] : []));
    if (focused) place.querySelector(`[data-number="${focused}"]`)?.focus();
  };
  place.observer?.disconnect();
  place.observer = new ResizeObserver(redraw);
  place.observer.observe(place);
  redraw();
}

/** Let arrow keys move between the marks of a timeline. */
export function initTimeline(place) {
  arrowsMove(place, '.mark');
}

function picture(group, width, open) {
  const cameras = [...new Set(group.map(({ sighting }) => sighting.camera))].sort();
  const left = Math.min(Math.round(width * 0.3), 170);
  const bottom = cameras.length * ROW;
  const scale = scaleOf(group, left + MARK, width - MARK);
  const marks = group.map(({ sighting, number }, rank) =>
    mark(sighting, number, rank, cameras.indexOf(sighting.camera), scale, open),
  );
  const size = { width, height: bottom + AXIS, viewBox: `0 0 ${width} ${bottom + AXIS}` };
  return svg(
    'svg',
    { class: 'timeline', role: 'group', 'aria-label': 'Timeline by camera', ...size },
    ...cameras.flatMap((camera, row) => cameraRow(camera, row, left, width)),
    ...axis(scale, bottom),
    ...marks.reverse(), // the best last, so that they lie above
  );
}

function scaleOf(group, left, right) {
  const from = Math.min(...group.map(({ sighting }) => sighting.time_from));
  const to = Math.max(...group.map(({ sighting }) => sighting.time_to), from + 1);
  const place = (time) => left + ((time - from) / (to - from)) * (right - left);
  return { from, to, left, right, place };
}

function cameraRow(camera, row, left, width) {
  const [y, name] = [row * ROW + ROW / 2, cameraName(camera)];
  const room = Math.floor(left / 8); // letters are about so many pixels wide
  const letters = [...name];
  const short = letters.length > room ? `${letters.slice(0, room - 1).join('')}…` : name;
  return [
    svg('line', { class: 'lane', x1: left, x2: width, y1: y, y2: y }),
    svg('text', { class: 'lane-name', x: 0, y: y + 4 }, svg('title', {}, name), short),
  ];
}

function axis({ from, to, left, right, place }, y) {
  const most = Math.max(2, Math.floor((right - left) / 110));
  return ticksOf(from, to, most).flatMap(({ time, text }) => {
    const x = place(time);
    const anchor = x > right - 40 ? 'end' : 'middle';
    return [
      svg('line', { class: 'tick', x1: x, x2: x, y1: 0, y2: y + 4 }),
      svg('text', { class: 'tick-name', x, y: y + 18, 'text-anchor': anchor }, text),
    ];
  });
}

function mark(sighting, number, rank, row, { place }, open) {
  const [start, end] = [place(sighting.time_from), place(sighting.time_to)];
  const width = Math.max(end - start, MARK);
  const sure = sighting.probability ?? sighting.similarity;
  const known = sighting.probability != null ? `, ${percent(sighting.probability)}` : '';
  const first = sighting.rank ? `Hit ${sighting.rank}` : `Sighting ${number + 1}`;
  const name = `${first}${known}, ${cameraName(sighting.camera)}, ${when(sighting)}`;
  const act = () => open(number);
  return svg(
    'rect',
    {
      ...{ class: 'mark', x: (start + end - width) / 2, y: row * ROW + (ROW - MARK) / 2 },
      ...{ width, height: MARK, rx: MARK / 2 },
      ...{ 'fill-opacity': (0.35 + 0.65 * Math.min(Math.max(sure ?? 1, 0), 1)).toFixed(2) },
      // One stop for Tab; arrow keys go on from there.
      ...{ role: 'button', tabindex: rank === 0 ? 0 : -1, 'aria-label': name },
      ...{ 'data-number': number, onclick: act, onkeydown: (event) => byKey(event, act) },
    },
    svg('title', {}, name),
  );
}

function byKey(event, act) {
  if (event.key !== 'Enter' && event.key !== ' ') return;
  event.preventDefault();
  act();
}
