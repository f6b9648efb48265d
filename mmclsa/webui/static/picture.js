/** The uploaded picture: each person in it is a button, and a box may be drawn by hand. */

import { personUrl, pictureUrl } from './api.js';
import { byId, el, placeBox, shape, show } from './dom.js';
import { announce } from './messages.js';
import { arrowsMove } from './focus.js';
import { counted } from './format.js';
import { choose } from './looks.js';
import { initDrawing, isDrawing, stopDrawing } from './drawing.js';
import { get, watch } from './state.js';

let shown = null;

/** @param {function(): void} search Starts a search, for a double click. */
export function initPicture(search) {
  const stage = byId('stage');
  arrowsMove(stage, '.person');
  stage.addEventListener('click', (event) => {
    if (!event.target.closest('.person, .own-box') && !isDrawing()) hint(besides());
  });
  stage.addEventListener('dblclick', (event) => {
    if (event.target.closest('.person')) search();
  });
  initDrawing(chooseBox, hint);
  watch(['picture', 'looks'], draw);
}

function draw() {
  const picture = get('picture');
  if (picture !== shown) {
    shown = picture;
    show(byId('picture-panel'), Boolean(picture));
    if (picture) fill(picture);
  }
  if (picture) mark(picture);
}

function fill(picture) {
  stopDrawing();
  byId('picture-name').textContent = picture.name;
  shape(byId('stage'), picture);
  const image = byId('shown-picture');
  image.src = pictureUrl(picture.picture);
  image.width = picture.width;
  image.height = picture.height;
  image.alt = `${picture.name}: ${counted(picture.people.length, 'person', 'people')} found`;
  const total = picture.people.length;
  byId('people-boxes').replaceChildren(
    ...bySize(picture.people).map((person) => button(picture, person, total)),
  );
  hint(greeting(picture));
  if (total === 1) chooseNumber(picture, 1);
}

/** The smallest last, so that it lies above those around it. */
function bySize(people) {
  const area = ({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1);
  return [...people].sort((one, other) => area(other) - area(one));
}

function greeting({ people, name }) {
  if (people.length === 0) {
    return `Nobody is found in ${name}: draw a box around the person, or try another picture.`;
  }
  if (people.length === 1) return 'One person is found and chosen.';
  return `${people.length} people are found: choose one.`;
}

const besides = () =>
  get('picture').people.length
    ? 'Nobody is marked there: choose a box, or draw one with the mouse.'
    : 'Nobody is marked there: draw a box around the person with the mouse.';

function button(picture, { number, box, score }, total) {
  const label = `Person ${number} of ${total}, found with a score of ${score.toFixed(2)}`;
  const made = el('button', {
    type: 'button',
    class: 'person',
    'aria-label': label,
    title: label,
    'data-number': number,
    onclick: () => chooseNumber(picture, number),
  });
  placeBox(made, box, picture);
  return made;
}

function chooseNumber(picture, number) {
  choose({
    kind: 'person',
    picture: picture.picture,
    person: number,
    label: `Person ${number} of ${picture.name}`,
    thumb: personUrl(picture.picture, number),
  });
  if (picture.people.length > 1) hint(`Person ${number} of ${picture.people.length} is chosen.`);
}

function chooseBox(box) {
  const picture = get('picture');
  choose({
    kind: 'box',
    picture: picture.picture,
    box,
    label: `Own box in ${picture.name}`,
    thumb: cut(byId('shown-picture'), box, picture),
  });
  hint('Your own box is chosen.');
}

/** What is inside of a box, as an address that an image may have. */
function cut(image, [x1, y1, x2, y2], picture) {
  const scale = image.naturalWidth / picture.width;
  const canvas = el('canvas', {});
  canvas.width = Math.max(1, Math.round((x2 - x1) * scale));
  canvas.height = Math.max(1, Math.round((y2 - y1) * scale));
  const place = [x1 * scale, y1 * scale, canvas.width, canvas.height];
  canvas.getContext('2d').drawImage(image, ...place, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/jpeg', 0.9);
}

function mark(picture) {
  const look = get('looks').find((one) => one.picture === picture.picture);
  for (const box of byId('people-boxes').children) {
    box.setAttribute('aria-pressed', String(look?.person === Number(box.dataset.number)));
  }
  byId('own-box').setAttribute('aria-pressed', String(look?.kind === 'box' && !isDrawing()));
  show(byId('own-box'), isDrawing() || look?.kind === 'box');
}

function hint(text) {
  byId('picture-hint').textContent = text;
  announce(text);
}
