/** The dialog of a hit: its scene with the person in a box, and the seconds around it. */

import { cropUrl, getScene, isCancelled, sceneUrl } from './api.js';
import { byId, el, placeBox, shape, show } from './dom.js';
import { cameraName, cosine, counted, percent, when } from './format.js';
import { clear, showProblem } from './messages.js';
import { Player } from './player.js';
import { get, watch } from './state.js';
import { judge, markButtons, verdictButtons, verdictOf } from './verdicts.js';

let list = [];
let place = 0;
let player = null;
let ending = new AbortController();

export function initViewer() {
  const dialog = byId('viewer');
  byId('viewer-close').addEventListener('click', () => dialog.close());
  byId('viewer-before').addEventListener('click', () => go(-1));
  byId('viewer-next').addEventListener('click', () => go(1));
  byId('play').addEventListener('click', () => player?.toggle());
  byId('step-back').addEventListener('click', () => player?.step(-1));
  byId('step-on').addEventListener('click', () => player?.step(1));
  byId('seek').addEventListener('input', (event) => {
    player?.pause();
    player?.seek(Number(event.target.value));
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  dialog.addEventListener('keydown', byKey);
  dialog.addEventListener('close', leave);
  watch(['confirmed', 'rejected'], () => markButtons(byId('viewer-verdict')));
}

/**
 * Open the viewer; the focus comes back where it was when it is closed.
 * @param {object[]} sightings That one may go through.
 * @param {number} start Which of them.
 */
export function openViewer(sightings, start) {
  list = sightings;
  place = start;
  byId('viewer').showModal();
  draw();
}

function go(steps) {
  const next = place + steps;
  if (next < 0 || next >= list.length) return;
  place = next;
  draw();
}

function byKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const slider = event.target === byId('seek');
  const button = event.target.matches('button') && event.key === ' ';
  const actions = {
    ' ': () => player?.toggle(),
    ArrowLeft: () => player?.step(-1),
    ArrowRight: () => player?.step(1),
    PageUp: () => go(-1),
    PageDown: () => go(1),
  };
  const verdict = verdictOf(event.key);
  // A sighting that no search has found says nothing of the person who is searched for.
  if (verdict && list[place].rank) actions[event.key] = () => judge(list[place], verdict);
  if (!actions[event.key] || button || (slider && event.key.startsWith('Arrow'))) return;
  event.preventDefault();
  actions[event.key]();
}

async function draw() {
  leave();
  const hit = list[place];
  ending = new AbortController();
  const { signal } = ending;
  drawTexts(hit);
  const image = el('img', { src: sceneUrl(hit.row), alt: `Scene of ${hit.source}`, class: 'frame' });
  byId('scene').replaceChildren(image);
  show(byId('scene-box'), false);
  try {
    const scene = await getScene(hit.row, signal);
    shape(byId('viewer-stage'), scene);
    placeBox(byId('scene-box'), scene.box, scene);
    show(byId('scene-box'));
    player = new Player(hit.row, scene);
    await player.start(!matchMedia('(prefers-reduced-motion: reduce)').matches);
  } catch (error) {
    if (!signal.aborted && !isCancelled(error)) fail(error);
  }
}

function drawTexts(hit) {
  clear(byId('viewer-problem'));
  const name = hit.rank ? `Hit ${hit.rank} of ${list.length}` : `Sighting ${place + 1} of ${list.length}`;
  byId('viewer-title').textContent = name;
  byId('viewer-before').disabled = place === 0;
  byId('viewer-next').disabled = place === list.length - 1;
  const query = hit.rank ? (get('answer')?.looks ?? []) : [];
  byId('viewer-crops').replaceChildren(
    ...query.slice(0, 1).map((look) => figure(look.thumb, 'Query')),
    figure(cropUrl(hit.row), hit.rank ? `Hit ${hit.rank}` : 'Sighting'),
  );
  byId('viewer-facts').replaceChildren(...facts(hit));
  byId('viewer-verdict').replaceChildren(verdicts(hit));
  markButtons(byId('viewer-verdict'));
}

const figure = (src, text) =>
  el('figure', {}, el('img', { src, alt: '' }), el('figcaption', {}, text));

function verdicts(hit) {
  const buttons = verdictButtons(hit);
  buttons.querySelector('.from').addEventListener('click', () => byId('viewer').close());
  if (!hit.rank) buttons.querySelectorAll('.confirm, .reject').forEach((one) => one.remove());
  return buttons;
}

function facts(hit) {
  const known = hit.probability !== undefined && hit.probability !== null;
  const pairs = [
    ['Same person', known && percent(hit.probability)],
    ['Cosine', hit.similarity !== undefined && cosine(hit.similarity)],
    ['Camera', cameraName(hit.camera)],
    ['Seen', when(hit)],
    ['For', hit.num_frames > 1 && counted(hit.num_frames, 'frame')],
    ['File', `${hit.source}${hit.frame ? `, frame ${hit.frame}` : ''}`],
    ['Detection score', hit.score.toFixed(2)],
  ];
  return pairs
    .filter(([, value]) => value)
    .flatMap(([name, value]) => [el('dt', {}, name), el('dd', { dir: 'auto' }, value)]);
}

function fail(error) {
  if (!player) byId('scene').replaceChildren(el('p', { class: 'gone' }, 'No scene'));
  showProblem(byId('viewer-problem'), error.message);
}

function leave() {
  ending.abort();
  player?.end();
  player = null;
}
