/** A box drawn by hand: dragged with the mouse or a finger, or moved by arrow keys. */

import { byId, placeBox, show } from './dom.js';
import { get } from './state.js';

const SMALLEST = 6; // pixels of the screen; less is a click that trembled
const STEP = 0.02; // of the picture, for an arrow key

let box = null;
let drawing = false;

/** Whether the visitor wants to draw. */
export const isDrawing = () => drawing;

/**
 * @param {function(number[]): void} take Called with a box in pixels of the picture.
 * @param {function(string): void} hint Says something about the picture.
 */
export function initDrawing(take, hint) {
  byId('draw-box').addEventListener('click', () => {
    if (drawing) return backToTaken();
    startDrawing(hint);
    return byId('own-box').focus();
  });
  const finish = () => {
    setDrawing(false);
    take(box.map((value) => Math.round(value * 10) / 10));
  };
  byId('own-box').addEventListener('click', finish);
  byId('own-box').addEventListener('keydown', (event) => moveByKey(event, hint));
  byId('stage').addEventListener('pointerdown', (event) => startDrag(event, finish));
}

/** Forget the box, for another picture comes. */
export function stopDrawing() {
  setDrawing(false);
  box = null;
  show(byId('own-box'), false);
}

function startDrawing(hint) {
  setDrawing(true);
  box ??= middle(get('picture'));
  redraw();
  hint(
    'Drag a box around the person. By keyboard: arrows move it, Shift and arrows size it, Enter takes it.',
  );
}

/** End without a new box: what is seen is again the box that is searched for, if there is one. */
function backToTaken() {
  const name = get('picture').picture;
  const taken = get('looks').find((look) => look.kind === 'box' && look.picture === name)?.box;
  if (!taken) {
    if (document.activeElement === byId('own-box')) byId('draw-box').focus(); // the box is hidden
    return stopDrawing();
  }
  setDrawing(false);
  box = taken;
  byId('own-box').setAttribute('aria-pressed', 'true');
  return redraw();
}

function setDrawing(wanted) {
  drawing = wanted;
  if (wanted) byId('own-box').setAttribute('aria-pressed', 'false'); // until it is taken
  byId('stage').classList.toggle('drawing', wanted);
  byId('draw-box').setAttribute('aria-pressed', String(wanted));
}

const middle = ({ width, height }) => [0.4 * width, 0.25 * height, 0.6 * width, 0.75 * height];

function redraw() {
  placeBox(byId('own-box'), box, get('picture'));
  show(byId('own-box'));
}

function moveByKey(event, hint) {
  const along = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === 'Escape' && drawing) backToTaken();
  if (!along[event.key]) return;
  event.preventDefault();
  if (!drawing) startDrawing(hint); // it is no longer the box that was taken
  const { width, height } = get('picture');
  const [dx, dy] = [along[event.key][0] * STEP * width, along[event.key][1] * STEP * height];
  let [x1, y1, x2, y2] = box;
  if (event.shiftKey) {
    x2 = within(x2 + dx, x1 + STEP * width, width);
    y2 = within(y2 + dy, y1 + STEP * height, height);
  } else {
    const [sx, sy] = [within(x1 + dx, 0, width - (x2 - x1)) - x1, within(y1 + dy, 0, height - (y2 - y1)) - y1];
    [x1, y1, x2, y2] = [x1 + sx, y1 + sy, x2 + sx, y2 + sy];
  }
  box = [x1, y1, x2, y2];
  redraw();
}

const within = (value, least, most) => Math.min(Math.max(value, least), most);

/** A finger scrolls the page unless the visitor has said that a box is to be drawn. */
function startDrag(event, finish) {
  if (event.button !== 0 || (event.pointerType !== 'mouse' && !drawing)) return;
  const stage = byId('stage');
  const start = pointOf(event);
  const [x, y] = [event.clientX, event.clientY];
  let moved = false;
  const follow = (move) => {
    moved ||= Math.hypot(move.clientX - x, move.clientY - y) > SMALLEST;
    if (!moved) return;
    move.preventDefault();
    box = sorted(start, pointOf(move));
    redraw();
  };
  const end = (up) => {
    stage.removeEventListener('pointermove', follow);
    removeEventListener('pointerup', end);
    removeEventListener('pointercancel', end);
    if (!moved) return;
    if (up.type !== 'pointercancel') swallowClick();
    if (up.type !== 'pointercancel' && box[2] > box[0] && box[3] > box[1]) finish();
    else if (!drawing) backToTaken();
  };
  stage.addEventListener('pointermove', follow);
  addEventListener('pointerup', end);
  addEventListener('pointercancel', end);
}

function pointOf(event) {
  const area = byId('shown-picture').getBoundingClientRect();
  const { width, height } = get('picture');
  return [
    within((event.clientX - area.left) / area.width, 0, 1) * width,
    within((event.clientY - area.top) / area.height, 0, 1) * height,
  ];
}

const sorted = ([x1, y1], [x2, y2]) => [
  Math.min(x1, x2),
  Math.min(y1, y2),
  Math.max(x1, x2),
  Math.max(y1, y2),
];

/** The click at the end of a drag chooses nobody. */
function swallowClick() {
  const swallow = (event) => {
    event.stopPropagation();
    event.preventDefault();
  };
  const stage = byId('stage');
  stage.addEventListener('click', swallow, { capture: true, once: true });
  setTimeout(() => stage.removeEventListener('click', swallow, { capture: true }), 0);
}
