/** The REST interface. Addresses are relative, so that a proxy may serve the page below a path. */

/** What went wrong, as a sentence for the visitor. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Whether an error only says that the visitor has cancelled. */
export function isCancelled(error) {
  return error?.name === 'AbortError';
}

const HINTS = {
  0: 'The server does not answer: is it still running?',
  401: 'You are not signed in any more: reload the page.',
  413: 'The file is too large for this server.',
};

async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (isCancelled(error)) throw error;
    throw new ApiError(HINTS[0], 0);
  }
  if (!answer.ok) throw problem(answer.status, await answer.text());
  return answer;
}

function problem(status, text) {
  let detail = '';
  try {
    detail = JSON.parse(text).detail;
  } catch {
    // A proxy in between answers with pages of its own.
  }
  const known = typeof detail === 'string' && detail !== '';
  return new ApiError(known ? detail : HINTS[status] ?? `The server answered ${status}.`, status);
}

const asJson = (body, signal) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
  signal,
});

export const getIndex = async () => (await request('api/index')).json();
export const getRow = async (row, signal) => (await request(`api/rows/${row}`, { signal })).json();
export const getScene = async (row, signal) =>
  (await request(`api/rows/${row}/scene.json`, { signal })).json();
export const getClip = async (row, signal) =>
  (await request(`api/rows/${row}/clip`, { signal })).json();
export const getPicture = async (path, signal) => (await request(path, { signal })).blob();
export const search = async (body, signal) =>
  (await request('api/search', asJson(body, signal))).json();
export const exportFile = async (body, signal) =>
  (await request('api/export', asJson(body, signal))).blob();

/** @param {Object<string, *>} limits Null is left out, lists are repeated. */
export async function getPeople(limits, signal) {
  const given = Object.entries(limits).filter(([, value]) => value !== null);
  const query = new URLSearchParams(given.flatMap(([name, value]) => [value].flat().map((one) => [name, one])));
  return (await request(`api/people?${query}`, { signal })).json();
}

export const pictureUrl = (picture) => `api/pictures/${encodeURIComponent(picture)}`;
export const personUrl = (picture, number) => `${pictureUrl(picture)}/people/${number}`;
export const cropUrl = (row) => `api/rows/${row}/crop`;
export const sceneUrl = (row) => `api/rows/${row}/scene`;
export const frameUrl = (row, frame) => `api/rows/${row}/frames/${frame}`;

/**
 * Send a picture. `fetch` tells nothing of how far an upload is, so this does not use it.
 * @param {File|Blob} file
 * @param {function(number): void} onProgress Called with the part that is sent, 0 to 1.
 * @param {AbortSignal} signal
 */
export function upload(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    const form = new FormData();
    form.append('file', file, file.name || 'pasted picture');
    call.open('POST', 'api/pictures');
    call.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    call.onload = () => {
      if (call.status === 200) resolve(JSON.parse(call.responseText));
      else reject(problem(call.status, call.responseText));
    };
    call.onerror = () => reject(new ApiError(HINTS[0], 0));
    call.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
    signal.addEventListener('abort', () => call.abort());
    call.send(form);
  });
}
