/** Who is searched for: the list of looks, each of which may be taken out again. */

import { cropUrl } from './api.js';
import { byId, el, show } from './dom.js';
import { cameraName, when } from './format.js';
import { get, set, watch } from './state.js';

/** Take a person: another look where one is wanted or of the same picture, else somebody new. */
export function choose(look) {
  const looks = get('looks');
  const same = looks.findIndex((one) => one.picture && one.picture === look.picture);
  if (get('adding') && same < 0) set({ looks: [...looks, look], adding: false });
  else if (same >= 0 && looks.length > 1) set({ looks: replaced(looks, same, look) });
  else startWith([look]);
}

/** Search for somebody else: former judgements do not count any more. */
export function startWith(looks) {
  set({ looks, adding: false, confirmed: new Map(), rejected: new Map() });
}

/** A sighting of the index as a look. */
export const lookAtRow = (sighting) => ({
  kind: 'row',
  row: sighting.row,
  label: `Sighting, ${cameraName(sighting.camera)}, ${when(sighting)}, ${sighting.source}`,
  thumb: cropUrl(sighting.row),
});

/** How a look goes over the wire. */
export function bodyOf({ kind, picture, person, box, row }) {
  if (kind === 'row') return { row };
  return kind === 'person' ? { picture, person } : { picture, box };
}

const replaced = (looks, place, look) => looks.map((one, number) => (number === place ? look : one));

export function initLooks() {
  byId('add-look').addEventListener('click', () => {
    set({ adding: !get('adding') });
    if (get('adding')) byId('file').focus();
  });
  watch(['looks', 'confirmed', 'adding'], draw);
}

function draw() {
  const [looks, confirmed] = [get('looks'), get('confirmed')];
  const items = looks.map((look, number) =>
    item(look, () => set({ looks: looks.filter((_, other) => other !== number) })),
  );
  for (const sighting of confirmed.values()) {
    const look = lookAtRow(sighting);
    look.label = `Confirmed. ${look.label}`;
    items.push(item(look, () => unconfirm(sighting.row), 'confirmed'));
  }
  const focused = [...byId('looks').children].findIndex((one) => one.contains(document.activeElement));
  byId('looks').replaceChildren(...items);
  show(byId('looks-panel'), items.length > 0);
  if (focused >= 0) focusNear(items, focused);
  const adding = get('adding');
  byId('add-look').setAttribute('aria-pressed', String(adding));
  show(byId('adding-hint'), adding);
}

/** Whoever takes looks out by keyboard goes on from the next one, or gives another picture. */
function focusNear(items, place) {
  const near = items[Math.min(place, items.length - 1)];
  (near?.querySelector('button') ?? byId('file')).focus();
}

function unconfirm(row) {
  const confirmed = new Map(get('confirmed'));
  confirmed.delete(row);
  set({ confirmed });
}

function item(look, remove, kind = '') {
  return el(
    'li',
    { class: `look ${kind}` },
    el('img', { src: look.thumb, alt: look.label, title: look.label }),
    el(
      'button',
      { type: 'button', class: 'plain', 'aria-label': `Take out: ${look.label}`, onclick: remove },
      '×',
    ),
  );
}
