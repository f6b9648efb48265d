/** Says beside a field what is wrong with it. */

import { byId, el, show } from './dom.js';

/** Mark a field and say why; an empty sentence takes both back. */
export function setProblem(id, sentence) {
  const place = byId(`${id}-problem`);
  place.textContent = sentence;
  show(place, Boolean(sentence));
  if (sentence) byId(id).setAttribute('aria-invalid', 'true');
  else byId(id).removeAttribute('aria-invalid');
}

/** Where {@link setProblem} says it. */
export const problemPlace = (id) =>
  el('p', { id: `${id}-problem`, class: 'field-problem', role: 'alert', hidden: true });

/** A probability as a visitor writes it: a part of 1, null for none, undefined for a mistake. */
export function readPercent(id) {
  const text = byId(id).value.trim().replace(',', '.');
  const part = text ? Number(text) / 100 : null;
  const right = part === null || (part >= 0 && part <= 1);
  setProblem(id, right ? '' : 'The probability must be a number from 0 to 100 %.');
  return right ? part : undefined;
}
