/** What the page knows, and who wants to hear of changes. */

/**
 * A look at the person who is searched for: somebody of a picture, a box drawn by hand,
 * or a sighting of the index.
 * @typedef {{kind: 'person'|'box'|'row', picture?: string, person?: number, box?: number[],
 *   row?: number, label: string, thumb: string}} Look
 */

const state = {
  /** What `api/index` says. */
  index: null,
  /** The uploaded picture that is shown, with its people. */
  picture: null,
  /** @type {Look[]} Who is searched for. */
  looks: [],
  /** Whether the next choice is a further look and not another person. */
  adding: false,
  /** Rows that were judged, with their sightings. */
  confirmed: new Map(),
  rejected: new Map(),
  /** The last answer, with the request that it belongs to. */
  answer: null,
};

const listeners = new Map();

/** Give the present value of a name. */
export function get(name) {
  return state[name];
}

/** Change values; each listener of any of them is called once. */
export function set(changes) {
  const called = new Set();
  for (const [name, value] of Object.entries(changes)) {
    if (!(name in state)) throw new Error(`the page knows no ${name}`);
    state[name] = value;
    for (const listener of listeners.get(name) ?? []) called.add(listener);
  }
  for (const listener of called) listener();
}

/** Call a function when any of the names changes, and once now. */
export function watch(names, listener) {
  for (const name of names) listeners.set(name, [...(listeners.get(name) ?? []), listener]);
  listener();
}
