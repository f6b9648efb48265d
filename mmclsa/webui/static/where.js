/** Cameras and times as limits: shows which there are, and marks the field that is wrong. */

import { byId, el, show } from './dom.js';
import { problemPlace, setProblem } from './fields.js';
import { cameraName, count, counted, moment, rowName } from './format.js';

const MANY = 8; // cameras from which on a search field helps

/** The limits of one form; two forms of a page have two. */
export class Where {
  /**
   * @param {HTMLElement} place Where they are put.
   * @param {string} prefix Of their ids and of the name of the boxes.
   */
  constructor(place, prefix = '') {
    this._id = (name) => `${prefix}${name}`;
    this._drawnFor = null;
    place.replaceChildren(this._cameras(), this._times());
    place.addEventListener('input', (event) => this._clearField(event.target));
    this._part('camera-search').addEventListener('input', (event) => {
      event.stopPropagation();
      this._narrow(event.target.value);
    });
  }

  /** The limits as the interface takes them. */
  read() {
    const text = (name) => this._part(name).value.trim() || null;
    const cameras = this._chosen();
    return {
      cameras: cameras.length ? cameras : null,
      time_from: text('time-from'),
      time_to: text('time-to'),
    };
  }

  /** Whether there is any. */
  get limited() {
    return Object.values(this.read()).some((limit) => limit !== null);
  }

  reset() {
    for (const box of this._boxes()) box.checked = false;
    for (const name of ['time-from', 'time-to']) this._part(name).value = '';
    this.forgive();
  }

  /** Take back what was said of mistakes. */
  forgive() {
    for (const name of ['cameras', 'time-from', 'time-to']) setProblem(this._id(name), '');
  }

  /**
   * Show a mistake beside its field.
   * @param {string} sentence What the server says.
   * @returns {boolean} Whether it is about one of these.
   */
  showProblem(sentence) {
    const name = this._fieldOf(sentence);
    if (!name) return false;
    setProblem(this._id(name), sentence);
    this._part(name).closest('details').open = true;
    (name === 'cameras' ? this._boxes()[0] : this._part(name))?.focus();
    return true;
  }

  /** Show what there is in the index, if it has changed. */
  draw(index) {
    if (!index || index.growing === this._drawnFor) return;
    this._drawnFor = index.growing;
    this._drawCameras(index);
    this._drawTimes(index);
  }

  _part(name) {
    return byId(this._id(name));
  }

  _boxes() {
    return [...this._part('camera-list').querySelectorAll('input')];
  }

  _chosen() {
    return this._boxes().filter((box) => box.checked).map((box) => box.value);
  }

  _cameras() {
    const problem = problemPlace(this._id('cameras'));
    const find = 'Find a camera';
    const narrow = { type: 'search', placeholder: find, 'aria-label': find, hidden: true };
    return el(
      'fieldset',
      { id: this._id('cameras'), 'aria-describedby': problem.id },
      el('legend', {}, 'Cameras ', el('span', { class: 'muted' }, '(none chosen: all)')),
      el('input', { ...narrow, id: this._id('camera-search') }),
      el('div', { id: this._id('camera-list'), class: 'camera-list' }),
      problem,
    );
  }

  _times() {
    const hint = el('p', { id: this._id('time-hint'), class: 'muted' });
    const time = (name, label) => {
      const id = this._id(name);
      const about = { 'aria-describedby': `${id}-problem ${hint.id}` };
      const field = { id, type: 'text', autocomplete: 'off', spellcheck: 'false', ...about };
      const named = el('p', { class: 'field' }, el('label', { for: id }, label), el('input', field));
      return el('div', {}, named, problemPlace(id));
    };
    const both = [time('time-from', 'From'), time('time-to', 'To')];
    return el('div', {}, el('div', { class: 'two times' }, ...both), hint);
  }

  _fieldOf(sentence) {
    const said = (name) => this.read()[name] && sentence.includes(this.read()[name]);
    if (/^("to"|time_to\b)/.test(sentence)) return 'time-to';
    if (/^("from"|time_from\b)/.test(sentence)) return 'time-from';
    if (/^a time /i.test(sentence)) return said('time_from') ? 'time-from' : 'time-to';
    return /\bcameras?\b/.test(sentence) ? 'cameras' : null;
  }

  _clearField(target) {
    const name = target.matches('.camera input') ? this._id('cameras') : target.id;
    if (byId(`${name}-problem`)) setProblem(name, '');
  }

  _drawCameras(index) {
    const chosen = new Set(this._chosen());
    const focused = this._boxes().find((box) => box === document.activeElement)?.value;
    const known = new Set(index.cameras.map(({ name }) => name));
    const gone = [...chosen].filter((name) => !known.has(name)).map((name) => ({ name, count: 0 }));
    this._part('camera-list').replaceChildren(
      ...[...index.cameras, ...gone].map((camera) => this._item(camera, chosen, rowName(index))),
    );
    this._boxes().find((box) => box.value === focused)?.focus();
    const search = this._part('camera-search');
    show(search, index.cameras.length > MANY);
    this._narrow(search.value);
  }

  _item({ name, count: number }, chosen, unit) {
    const box = el('input', { type: 'checkbox', name: this._id('camera'), value: name });
    box.checked = chosen.has(name);
    return el(
      'label',
      { class: 'camera' },
      box,
      el('span', { class: 'name', dir: 'auto' }, cameraName(name)),
      el('span', { class: 'muted', title: counted(number, unit) }, count(number)),
    );
  }

  _narrow(text) {
    const wanted = text.trim().toLocaleLowerCase();
    for (const item of this._part('camera-list').children) {
      const name = item.querySelector('.name').textContent.toLocaleLowerCase();
      show(item, name.includes(wanted) || item.querySelector('input').checked);
    }
  }

  _drawTimes({ clock, time_from_text: first, time_to_text: last }) {
    const texts = {
      utc: `Footage from ${moment(first)} to ${moment(last)} (UTC).`,
      video: `Times since the start of each video, ${first} to ${last}.`,
      both: `Dates (UTC) up to ${moment(last)}, or times since the start of a video.`,
      none: 'No time is known of this footage.',
    };
    this._part('time-hint').textContent = texts[clock];
    // Of two clocks the first time and the last are no limits that go together.
    this._part('time-from').placeholder = clock === 'both' ? '' : moment(first);
    this._part('time-to').placeholder = clock === 'both' ? '' : moment(last);
    for (const name of ['time-from', 'time-to']) this._part(name).disabled = clock === 'none';
  }
}
