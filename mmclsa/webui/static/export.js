/** Saves the hits that are on the page. */

import { exportFile, isCancelled } from './api.js';
import { byId, el } from './dom.js';
import { Progress, announce, showProblem } from './messages.js';
import { get } from './state.js';

const TEXTS = { json: 'JSON', csv: 'table', zip: 'pictures and clips' };

export function initExport() {
  for (const format of Object.keys(TEXTS)) {
    byId(`export-${format}`).addEventListener('click', () => save(format));
  }
}

async function save(format) {
  const place = byId('export-status');
  const progress = new Progress(place, `Making the file (${TEXTS[format]})`);
  try {
    const file = await exportFile({ ...get('answer').body, format }, progress.signal);
    progress.end();
    download(file, `results.${format}`);
    announce(`results.${format} is saved.`);
  } catch (error) {
    progress.end();
    if (!isCancelled(error)) showProblem(place, error.message);
  }
}

function download(file, name) {
  const address = URL.createObjectURL(file);
  el('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
