/** The hits: large crops beside the query's, and what one does with each. */

import { cropImage } from './crops.js';
import { byId, el, show } from './dom.js';
import { arrowsMove } from './focus.js';
import { cameraName, cosine, count, counted, duration, percent, rowName, when } from './format.js';
import { get, watch } from './state.js';
import { forgetVerdicts, judge, markButtons, verdictButtons, verdictOf } from './verdicts.js';
import { openViewer } from './viewer.js';

let drawn = null;

export function initHits() {
  const list = byId('hits');
  arrowsMove(list, '.open');
  list.addEventListener('keydown', judgeByKey);
  byId('verdict-clear').addEventListener('click', () => {
    forgetVerdicts();
    byId('results-title').focus({ preventScroll: true }); // the button is hidden now
  });
  watch(['answer', 'confirmed', 'rejected'], draw);
}

function draw() {
  const answer = get('answer');
  show(byId('found'), answer !== null);
  show(byId('no-search'), answer === null);
  if (!answer) return;
  if (answer !== drawn) {
    drawn = answer;
    drawHead(answer);
    byId('query-crops').replaceChildren(
      ...answer.looks.map((look) => el('img', { src: look.thumb, alt: `Query: ${look.label}` })),
    );
    byId('hits').replaceChildren(...answer.hits.map((hit, place) => card(hit, place, answer.hits)));
  }
  markVerdicts(answer.hits);
}

function drawHead({ hits, seconds, searched, body }) {
  const found = hits.length ? counted(hits.length, 'hit') : 'Nobody is found';
  const rows = rowName(get('index'));
  byId('results-title').textContent = found;
  byId('results-detail').textContent = `among ${counted(searched, rows)}, in ${duration(seconds)}`;
  show(byId('export'), hits.length > 0);
  const largest = Math.min(get('index')?.max_hits ?? Infinity, 200);
  show(byId('more'), hits.length === body.topk && body.topk < largest);
}

function card(hit, place, hits) {
  const name = `Hit ${hit.rank}, ${likeness(hit)}, ${cameraName(hit.camera)}, ${when(hit)}, ${hit.source}`;
  return el(
    'li',
    { class: 'hit', 'data-row': hit.row },
    el(
      'button',
      { type: 'button', class: 'open', 'aria-label': name, onclick: () => openViewer(hits, place) },
      cropImage(hit),
      el('span', { class: 'rank' }, hit.rank),
    ),
    facts(hit),
    verdictButtons(hit),
  );
}

/** How sure it is: the probability where the footage gives one, and the cosine. */
function likeness(hit) {
  const similar = `cosine ${cosine(hit.similarity)}`;
  return hit.probability === null ? similar : `${percent(hit.probability)}, ${similar}`;
}

function facts(hit) {
  const known = hit.probability !== null;
  return el(
    'div',
    { class: 'facts' },
    el(
      'p',
      { class: 'sure' },
      known && el('strong', { title: 'Probability of being the same person' }, percent(hit.probability)),
      el('span', { class: known ? 'muted' : 'strong', title: 'Cosine similarity' },
        known ? cosine(hit.similarity) : `cosine ${cosine(hit.similarity)}`),
    ),
    el('p', { class: 'camera', dir: 'auto' }, cameraName(hit.camera)),
    el('p', { class: 'when' }, when(hit)),
    el('p', { class: 'source muted', dir: 'auto' }, hit.source),
  );
}

function judgeByKey(event) {
  const verdict = verdictOf(event.key);
  const row = Number(event.target.closest('.hit')?.dataset.row);
  const hit = get('answer')?.hits.find((one) => one.row === row);
  if (verdict && hit && !event.ctrlKey && !event.metaKey && !event.altKey) judge(hit, verdict);
}

function markVerdicts(hits) {
  const [confirmed, rejected] = [get('confirmed'), get('rejected')];
  for (const item of byId('hits').children) {
    const row = Number(item.dataset.row);
    item.classList.toggle('is-confirmed', confirmed.has(row));
    item.classList.toggle('is-rejected', rejected.has(row));
  }
  markButtons(byId('hits'));
  const judged = hits.filter(({ row }) => confirmed.has(row) || rejected.has(row)).length;
  byId('hits').setAttribute('aria-label', `Hits, best first; ${count(judged)} judged`);
}
