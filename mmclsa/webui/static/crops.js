/** The picture of a sighting. */

import { cropUrl } from './api.js';
import { el } from './dom.js';

/** A crop that says so if its file is gone. */
export function cropImage(sighting) {
  const image = el('img', { src: cropUrl(sighting.row), alt: '', loading: 'lazy', class: 'crop' });
  image.addEventListener('error', () =>
    image.replaceWith(el('span', { class: 'crop gone' }, 'The picture is no longer there')),
  );
  return image;
}
