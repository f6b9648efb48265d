/** What a visitor says of a hit: the same person, somebody else, or search from here. */

import { cropUrl } from './api.js';
import { el } from './dom.js';
import { choose, lookAtRow, startWith } from './looks.js';
import { get, set } from './state.js';

let searchNow = null;

/** @param {function(): void} search Starts a search. */
export function initVerdicts(search) {
  searchNow = search;
}

/** Same person, somebody else, search from here; for cards and the viewer. */
export function verdictButtons(hit) {
  const button = (kind, text, label, onclick) =>
    el('button', { type: 'button', class: kind, 'aria-label': label, title: label, onclick }, text);
  const yes = button('confirm', '✓ Same', 'The same person', () => judge(hit, 'confirmed'));
  const no = button('reject', '✗ Other', 'Somebody else', () => judge(hit, 'rejected'));
  for (const one of [yes, no]) one.setAttribute('data-row', hit.row);
  const text = 'Search from this hit';
  const from = button('from', 'Search from this', text, () => searchFrom(hit));
  return el('div', { class: 'verdict' }, yes, no, from);
}

/** The judgement that a key stands for, with Caps Lock as well; undefined for other keys. */
export const verdictOf = (key) => ({ y: 'confirmed', n: 'rejected' })[key.toLowerCase()];

/** Judge a hit, or take the judgement back. */
export function judge(hit, verdict) {
  const other = verdict === 'confirmed' ? 'rejected' : 'confirmed';
  const [these, those] = [new Map(get(verdict)), new Map(get(other))];
  those.delete(hit.row);
  if (!these.delete(hit.row)) these.set(hit.row, hit);
  set({ [verdict]: these, [other]: those });
}

/** Take all judgements back. */
export function forgetVerdicts() {
  set({ confirmed: new Map(), rejected: new Map() });
}

/** Search for the person of a sighting, or add it if another look is wanted. */
export function searchFrom(sighting) {
  if (get('adding')) {
    choose(lookAtRow(sighting));
    searchNow();
  } else searchForLooks([lookAtRow(sighting)]);
}

/** Search for a person of the index by rows. */
export function searchFromRows(rows, name) {
  searchForLooks(
    rows.map((row) => ({ kind: 'row', row, label: `${name}, sighting ${row}`, thumb: cropUrl(row) })),
  );
}

function searchForLooks(looks) {
  startWith(looks);
  set({ picture: null });
  searchNow();
}

/** Show on the buttons of a place what was judged. */
export function markButtons(place) {
  for (const [kind, rows] of [['confirm', get('confirmed')], ['reject', get('rejected')]]) {
    for (const button of place.querySelectorAll(`.${kind}`)) {
      button.setAttribute('aria-pressed', String(rows.has(Number(button.dataset.row))));
    }
  }
}
