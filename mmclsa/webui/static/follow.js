/** Follows an index that still grows: tells of it, and changes nothing that is being looked at. */

import { getIndex } from './api.js';
import { byId, show } from './dom.js';
import { count, counted, moment, rowName, span } from './format.js';
import { clear, showProblem } from './messages.js';
import { get, set, watch } from './state.js';

const EVERY = 10_000; // milliseconds

let compared = null; // the answer that the index is known to be later than
let told = ''; // of the server; a mistake is read out once, and not each time that it is asked

/** Ask what is in the index now and from time to time, while somebody looks. */
export async function initFollow() {
  watch(['index', 'answer'], draw);
  watch(['answer'], lookAgain);
  await ask();
  setInterval(() => document.hidden || ask(), EVERY);
  document.addEventListener('visibilitychange', () => document.hidden || ask());
}

/** A search may have seen more than the page knows of: that is no news. */
function lookAgain() {
  const answer = get('answer');
  if (!answer || answer === compared) return;
  if (answer.state === get('index')?.growing) compared = answer;
  else ask();
}

async function ask() {
  const answer = get('answer');
  try {
    const index = await getIndex();
    tell('');
    compared = answer;
    if (index.growing !== get('index')?.growing) set({ index });
    else draw();
  } catch (error) {
    tell(error.message);
  }
}

function tell(text) {
  if (text === told) return;
  told = text;
  if (text) showProblem(byId('server-status'), text);
  else clear(byId('server-status'));
}

function draw() {
  const [index, answer] = [get('index'), get('answer')];
  if (!index) return;
  byId('summary').textContent = summaryOf(index);
  const changed = Boolean(answer) && answer === compared && answer.state !== index.growing;
  show(byId('grown'), changed);
  byId('grown-text').textContent = changed ? news(index, answer) : '';
}

function summaryOf(index) {
  if (!index.rows) return 'The index is empty so far.';
  const { rows, sources, cameras, clock } = index;
  const parts = [`${counted(rows, rowName(index))} in ${counted(sources, 'file')}`];
  parts.push(counted(cameras.length, 'camera'));
  const times = span(moment(index.time_from_text), moment(index.time_to_text));
  if (times && clock !== 'both') parts.push(clock === 'utc' ? `${times} UTC` : times);
  return parts.join(' · ');
}

function news(index, answer) {
  const more = index.rows - answer.searched;
  return more > 0
    ? `${count(more)} new ${rowName(index)}${more === 1 ? '' : 's'} since this search.`
    : 'The index has changed since this search.';
}
