/** Searches, and knows whether the hits on the page still belong to what is chosen. */

import * as api from './api.js';
import { byId, show } from './dom.js';
import { checkFilters, readFilters, showFieldProblem } from './filters.js';
import { count, counted, rowName } from './format.js';
import { bodyOf } from './looks.js';
import { Progress, announce, clear, showProblem, showWarnings } from './messages.js';
import { get, set, watch } from './state.js';

let running = null;

export function initSearch() {
  byId('search-form').addEventListener('submit', (event) => {
    event.preventDefault();
    search();
  });
  byId('search-form').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.ctrlKey) search();
  });
  for (const name of ['stale-search', 'verdict-search']) byId(name).addEventListener('click', search);
  byId('more').addEventListener('click', searchMore);
  watch(['looks', 'confirmed', 'rejected', 'answer'], showStale);
}

/** The request for what is chosen now. */
function currentBody() {
  return {
    query: get('looks').map(bodyOf),
    confirmed: [...get('confirmed').keys()],
    rejected: [...get('rejected').keys()],
    ...readFilters(),
  };
}

/** Search for who is chosen; what is on the page stays until there is an answer. */
export async function search() {
  const place = byId('search-status');
  running?.cancel();
  if (!get('looks').length) {
    showProblem(place, missing());
    return;
  }
  if (!checkFilters()) return;
  const body = currentBody();
  const progress = new Progress(place, `Searching ${searched()}`);
  running = progress;
  byId('results').setAttribute('aria-busy', 'true');
  try {
    const answer = await api.search(body, progress.signal);
    progress.end();
    take(body, answer);
  } catch (error) {
    progress.end();
    if (running === progress && !api.isCancelled(error)) fail(place, error);
    if (running === progress && api.isCancelled(error)) announce('The search is cancelled.');
  } finally {
    if (running === progress) byId('results').removeAttribute('aria-busy');
  }
}

function missing() {
  return get('picture')
    ? 'Nobody is chosen: choose a person in the picture first.'
    : 'Nobody is chosen: give a picture of the person first.';
}

function searched() {
  const index = get('index');
  return index ? counted(index.rows, rowName(index)) : 'the index';
}

function take(body, answer) {
  const looks = get('looks');
  set({ answer: { ...answer, body, looks, state: answer.growing ?? get('index')?.growing } });
  showWarnings(byId('warnings'), answer.warnings);
  const found = answer.hits.length ? counted(answer.hits.length, 'hit') : 'Nobody is found';
  announce(`${found}. ${answer.warnings.join('. ')}`);
  const title = byId('results-title');
  title.focus({ preventScroll: true });
  const { top, bottom } = title.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight / 2) byId('results').scrollIntoView({ block: 'start' });
}

function fail(place, error) {
  clear(place);
  if (error.status === 422 && showFieldProblem(error.message)) return;
  showProblem(place, error.message);
}

function searchMore() {
  const options = [...byId('topk').options].filter((option) => !option.disabled);
  const larger = options.find((option) => Number(option.value) > get('answer').body.topk);
  if (!larger) return;
  byId('topk').value = larger.value;
  search();
}

/** Mark the hits if they are those of another question. */
export function showStale() {
  const answer = get('answer');
  const reason = answer ? staleReason(answer.body, currentBody()) : '';
  show(byId('stale'), Boolean(reason));
  byId('stale-text').textContent = reason;
  byId('found').classList.toggle('stale', reason === ANOTHER);
  byId('found').inert = reason === ANOTHER; // a judgement would count for the new person
  byId('stale-search').disabled = !get('looks').length;
  drawVerdicts(answer);
}

/** How much was judged; once it was searched with that, there is nothing to do but to forget it. */
function drawVerdicts(answer) {
  const [yes, no] = [get('confirmed').size, get('rejected').size];
  show(byId('verdicts'), answer !== null && yes + no > 0);
  const used = answer !== null && !differ(answer.body, currentBody(), VERDICTS);
  const counts = `${count(yes)} confirmed, ${count(no)} rejected`;
  byId('verdict-count').textContent = used ? `Searched with ${counts}` : counts;
  show(byId('verdict-search'), !used);
}

const ANOTHER = 'Somebody else is chosen since: these hits are of the former search.';

const VERDICTS = ['confirmed', 'rejected'];
const FILTERS = ['cameras', 'time_from', 'time_to', 'topk', 'unit', 'min_probability'];

const differ = (before, now, names) =>
  names.some((name) => written(before[name]) !== written(now[name]));

/** Lists say the same in any order. */
const written = (value) => JSON.stringify(Array.isArray(value) ? [...value].sort() : value);

function staleReason(before, now) {
  if (isAnother(before.query, now.query)) return ANOTHER;
  if (differ(before, now, ['query'])) return 'Another look was added or taken out: search again to use it.';
  if (differ(before, now, FILTERS)) return 'The filters have changed since this search.';
  const forgotten = VERDICTS.every((name) => !now[name].length);
  if (forgotten && differ(before, now, VERDICTS)) {
    return 'What was confirmed and rejected was forgotten since this search.';
  }
  return '';
}

/** More or fewer looks are still the same person; none in common is another one. */
function isAnother(before, now) {
  const known = new Set(before.map((look) => JSON.stringify(look)));
  return !now.some((look) => known.has(JSON.stringify(look)));
}
