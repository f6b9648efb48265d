/** When and by which camera: a picture drawn in the page, each mark of which opens its sighting. */

import { el, show, svg } from './dom.js';
import { arrowsMove } from './focus.js';
import { cameraName, counted, percent, when } from './format.js';
import { lanesOf } from './lanes.js';
import { isDate, ticksOf } from './ticks.js';

const [LANE, LANES, GAP, AXIS, MARK] = [18, 6, 8, 26, 14];
const PADDING = 16; // of the place, as timeline.css says

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
  let drawn = 0;
  const redraw = () => {
    const width = place.clientWidth - PADDING;
    if (width <= 0 || width === drawn) return;
    drawn = width;
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
  const left = Math.min(Math.round(width * 0.3), 170);
  const scale = scaleOf(group, left + MARK, width - MARK);
  const names = [...new Set(group.map(({ sighting }) => laneName(sighting)))].sort();
  const [lanes, marks] = [[], []];
  let bottom = 0;
  for (const name of names) {
    const own = group.filter(({ sighting }) => laneName(sighting) === name);
    const places = own.map(({ sighting }) => extent(sighting, scale));
    const rows = lanesOf(places, LANES);
    const height = (Math.max(...rows) + 1) * LANE + GAP;
    lanes.push(...laneRow(name, bottom, height, left, width));
    own.forEach((one, place) => {
      const y = bottom + GAP / 2 + rows[place] * LANE + (LANE - MARK) / 2;
      marks.push(mark(one, group[0].number, { ...places[place], y }, open));
    });
    bottom += height;
  }
  const size = { width, height: bottom + AXIS, viewBox: `0 0 ${width} ${bottom + AXIS}` };
  const name = 'Timeline by camera';
  return svg(
    'svg',
    { class: 'timeline', role: 'group', 'aria-label': name, ...size },
    ...[...lanes, ...axis(scale, bottom), ...marks],
  );
}

function scaleOf(group, left, right) {
  const from = Math.min(...group.map(({ sighting }) => sighting.time_from));
  const to = Math.max(...group.map(({ sighting }) => sighting.time_to), from + 1);
  const place = (time) => left + ((time - from) / (to - from)) * (right - left);
  return { from, to, left, right, place };
}

/** Where a sighting is drawn: never narrower than a finger can meet. */
function extent(sighting, { place }) {
  const [start, end] = [place(sighting.time_from), place(sighting.time_to)];
  const more = Math.max(MARK - (end - start), 0) / 2;
  return { start: start - more, end: end + more };
}

/** The camera; where none is known and times are those of a video, the video. */
const laneName = ({ camera, source, time_from: from }) =>
  camera || isDate(from) ? cameraName(camera) : source;

function laneRow(name, top, height, left, width) {
  const room = Math.floor(left / 8); // letters are about so many pixels wide
  const letters = [...name];
  const short = letters.length > room ? `${letters.slice(0, room - 1).join('')}…` : name;
  const [y, bottom] = [top + GAP / 2 + LANE / 2 + 4, top + height];
  return [
    svg('line', { class: 'lane', x1: 0, x2: width, y1: bottom, y2: bottom }),
    svg('text', { class: 'lane-name', x: 0, y }, svg('title', {}, name), short),
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

function mark({ sighting, number }, first, { start, end, y }, open) {
  const sure = sighting.probability ?? sighting.similarity;
  const known = sighting.probability != null ? `, ${percent(sighting.probability)}` : '';
  const what = sighting.rank ? `Hit ${sighting.rank}` : `Sighting ${number + 1}`;
  const name = `${what}${known}, ${cameraName(sighting.camera)}, ${when(sighting)}, ${sighting.source}`;
  const act = () => open(number);
  return svg(
    'rect',
    {
      ...{ class: 'mark', x: start, y, width: end - start, height: MARK, rx: MARK / 2 },
      ...{ 'fill-opacity': (0.35 + 0.65 * Math.min(Math.max(sure ?? 1, 0), 1)).toFixed(2) },
      // One stop for Tab; arrow keys go on from there.
      ...{ role: 'button', tabindex: number === first ? 0 : -1, 'aria-label': name },
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
