/** What is searched beside who: where and when, how many, and how sure. */

import { byId } from './dom.js';
import { readPercent, setProblem } from './fields.js';
import { count, counted } from './format.js';
import { get, watch } from './state.js';
import { Where } from './where.js';

let where = null;

/** @param {function(): void} changed Called when a filter is changed. */
export function initFilters(changed) {
  where = new Where(byId('where'));
  for (const event of ['input', 'change']) {
    byId('filters').addEventListener(event, ({ target }) => {
      if (['min-probability', 'topk'].includes(target.id)) setProblem(target.id, '');
      changed();
    });
  }
  byId('reset-filters').addEventListener('click', () => {
    where.reset();
    byId('min-probability').value = '';
    for (const name of ['min-probability', 'topk']) setProblem(name, '');
    changed();
  });
  byId('search-form').noValidate = true; // browsers' own bubbles say less than the server does
  watch(['index'], draw);
}

/** The filters as the interface takes them. */
export function readFilters() {
  const least = byId('min-probability').value.trim().replace(',', '.');
  return {
    ...where.read(),
    topk: Number(byId('topk').value),
    unit: byId('unit').value,
    min_probability: least ? Number(least) / 100 : null,
  };
}

/** Say what is wrong before anything is sent; gives whether nothing is. */
export function checkFilters() {
  where.forgive();
  setProblem('topk', '');
  if (readPercent('min-probability') !== undefined) return true;
  return lead('min-probability');
}

/**
 * Show a mistake beside its field.
 * @param {string} sentence What the server says.
 * @returns {boolean} Whether it is about a field.
 */
export function showFieldProblem(sentence) {
  if (where.showProblem(sentence)) return true;
  const name = fieldOf(sentence);
  if (!name) return false;
  setProblem(name, sentence);
  lead(name);
  return true;
}

function fieldOf(sentence) {
  if (/probability|probabilities/.test(sentence)) return 'min-probability';
  return /\btopk\b/.test(sentence) ? 'topk' : null;
}

function lead(name) {
  byId('filters').open = true;
  byId(name).focus();
  return false;
}

function draw() {
  const index = get('index');
  if (!index) return;
  where.draw(index);
  drawProbability(index);
  for (const option of byId('topk').options) option.disabled = option.value > index.max_hits;
}

function drawProbability({ calibration }) {
  byId('min-probability').disabled = !calibration;
  byId('probability-hint').textContent = calibration
    ? `Learnt from ${counted(calibration.num_same, 'pair')} of the same and ${count(calibration.num_different)} of different people of this footage.`
    : 'Not known: this footage has too few pairs to learn it from.';
}
