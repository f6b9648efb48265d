/** Says things without taking anything away: notes, mistakes, and what is going on. */

import { byId, el } from './dom.js';

/** Say something to those who hear the page; it is read out when there is time. */
export function announce(text) {
  byId('live').textContent = text;
}

/** Put a mistake where it happened; it stays until the next try or until it is dismissed. */
export function showProblem(place, text) {
  place.replaceChildren(
    el('p', { class: 'problem', role: 'alert' }, el('span', {}, text), dismissing(place)),
  );
}

/** Put warnings in a place; none empties it. */
export function showWarnings(place, texts) {
  const items = texts.map((text) => el('li', {}, text));
  place.replaceChildren(
    ...(items.length ? [el('div', { class: 'warning' }, el('ul', {}, ...items), dismissing(place))] : []),
  );
}

export function clear(place) {
  place.replaceChildren();
}

function dismissing(place) {
  return el(
    'button',
    { type: 'button', class: 'plain', 'aria-label': 'Dismiss', onclick: () => clear(place) },
    '×',
  );
}

/** What goes on in a place, with a button that ends it. */
export class Progress {
  /**
   * @param {HTMLElement} place
   * @param {string} text What is done.
   */
  constructor(place, text) {
    this._place = place;
    this._cancelling = new AbortController();
    this.signal = this._cancelling.signal;
    this._began = performance.now();
    this._text = el('span', {}, text);
    this._seconds = el('span', { class: 'muted', 'aria-hidden': 'true' });
    this._bar = el('progress', { 'aria-label': text });
    const cancel = el(
      'button',
      { type: 'button', class: 'cancel', onclick: () => this.cancel() },
      'Cancel',
    );
    place.replaceChildren(
      el('div', { class: 'progress' }, this._text, this._seconds, this._bar, cancel),
    );
    announce(text);
    this._clock = setInterval(() => this._tick(), 500);
  }

  /** Say what is done now. @param {number} [part] Of it, 0 to 1; left out if nobody knows. */
  tell(text, part) {
    this._text.textContent = text;
    if (part === undefined) this._bar.removeAttribute('value');
    else this._bar.value = part;
  }

  cancel() {
    this._cancelling.abort();
  }

  /** Take it off the page. */
  end() {
    clearInterval(this._clock);
    if (this._place.contains(this._bar)) clear(this._place);
  }

  _tick() {
    this._seconds.textContent = `${Math.round((performance.now() - this._began) / 1000)} s`;
  }
}
