/** Pictures come by drop, by the file button and from the clipboard. */

import { isCancelled, upload } from './api.js';
import { byId } from './dom.js';
import { Progress, clear, showProblem, showWarnings } from './messages.js';
import { get, set } from './state.js';

const MB = 1_000_000;

let running = null;

/** @param {function(): void} onTake Called when a picture comes, such as to show where it goes. */
export function initUploading(onTake) {
  const file = byId('file');
  file.addEventListener('change', () => {
    take([...file.files], onTake);
    file.value = ''; // the same file may be chosen again
  });
  addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files, onTake);
  });
  initDropping(onTake);
}

/** The whole page takes what is dropped: a browser would leave the page for the picture. */
function initDropping(onTake) {
  const hasFiles = (event) => [...event.dataTransfer.types].includes('Files');
  addEventListener('dragover', (event) => {
    event.preventDefault();
    byId('drop').classList.toggle('over', hasFiles(event));
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) byId('drop').classList.remove('over');
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    byId('drop').classList.remove('over');
    const files = [...event.dataTransfer.files];
    if (files.length) take(files, onTake);
    else showProblem(byId('upload-status'), 'Drop a file: what came is none. Save the picture first.');
  });
}

async function take([file, ...others], onTake) {
  if (!file) return;
  running?.cancel();
  running = null;
  onTake();
  const place = byId('upload-status');
  const limit = get('index')?.max_upload_mb;
  if (limit && file.size > limit * MB) {
    const size = (file.size / MB).toFixed(1);
    showProblem(place, `${file.name} has ${size} MB, but at most ${limit} MB are taken.`);
    return;
  }
  const progress = new Progress(place, `Sending ${file.name}`);
  running = progress;
  try {
    const picture = await upload(file, (part) => tell(progress, file.name, part), progress.signal);
    progress.end();
    if (others.length) showWarnings(place, [onlyOne(file.name, others.length)]);
    set({ picture, ...(get('adding') ? {} : forgotten()) });
  } catch (error) {
    progress.end();
    if (running === progress) {
      if (isCancelled(error)) clear(place);
      else showProblem(place, error.message);
    }
  }
}

function tell(progress, name, part) {
  if (part < 1) progress.tell(`Sending ${name}`, part);
  else progress.tell(`Looking for people in ${name}`);
}

const onlyOne = (name, more) =>
  more === 1
    ? `Only ${name} was taken: add the other one as a further look.`
    : `Only ${name} was taken: add the other ${more} one by one as further looks.`;

const forgotten = () => ({ looks: [], confirmed: new Map(), rejected: new Map() });
