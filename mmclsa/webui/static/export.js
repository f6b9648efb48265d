/** Saves the hits that are on the page. */

import { exportFile, isCancelled } from './api.js';
import { byId, el } from './dom.js';
import { Progress, announce, clear, showProblem } from './messages.js';
import { get } from './state.js';
import { tableOf } from './table.js';

export function initExport() {
  byId('export-json').addEventListener('click', () => {
    saveText(`${JSON.stringify(shown(), null, 2)}\n`, 'application/json', 'results.json');
  });
  byId('export-csv').addEventListener('click', () =>
    saveText(tableOf(get('answer').hits), 'text/csv;charset=utf-8', 'results.csv'),
  );
  byId('export-zip').addEventListener('click', saveZip);
}

/** The answer as the server gave it. */
function shown() {
  const { hits, warnings, seconds, searched, growing } = get('answer');
  return { hits, warnings, seconds, searched, growing };
}

function saveText(text, type, name) {
  clear(byId('export-status'));
  download(new Blob([text], { type }), name);
}

/** Pictures and clips are with the server. */
async function saveZip() {
  const place = byId('export-status');
  const progress = new Progress(place, 'Making the file (pictures and clips)');
  try {
    const file = await exportFile({ ...get('answer').body, answer: shown(), format: 'zip' }, progress.signal);
    progress.end();
    download(file, 'results.zip');
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
