/** Saves the hits that are on the page. */

import { exportFile, getIndex, isCancelled } from './api.js';
import { byId, el } from './dom.js';
import { Progress, announce, clear, showProblem, showWarnings } from './messages.js';
import { get } from './state.js';
import { tableOf } from './table.js';

const CHANGED =
  'The index has changed since this search. The ZIP is of a new search: its hits may be others.';

export function initExport() {
  byId('export-json').addEventListener('click', () => {
    const { hits, warnings, seconds, searched } = get('answer');
    const text = JSON.stringify({ hits, warnings, seconds, searched }, null, 2);
    saveText(`${text}\n`, 'application/json', 'results.json');
  });
  byId('export-csv').addEventListener('click', () =>
    saveText(tableOf(get('answer').hits), 'text/csv;charset=utf-8', 'results.csv'),
  );
  byId('export-zip').addEventListener('click', saveZip);
}

function saveText(text, type, name) {
  clear(byId('export-status'));
  download(new Blob([text], { type }), name);
}

/** Pictures and clips are with the server, which searches again for them. */
async function saveZip() {
  const place = byId('export-status');
  const { body, state } = get('answer');
  const progress = new Progress(place, 'Making the file (pictures and clips)');
  try {
    const file = await exportFile({ ...body, format: 'zip' }, progress.signal);
    progress.end();
    download(file, 'results.zip');
    if ((await getIndex()).growing !== state) showWarnings(place, [CHANGED]);
  } catch (error) {
    progress.end();
    if (!isCancelled(error)) showProblem(place, error.message);
  }
}

function download(file, name) {
  const address = URL.createObjectURL(file);
  el('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  announce(`${name} is saved.`);
}
