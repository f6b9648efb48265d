/** The list of keys. */

import { byId } from './dom.js';

export function initHelp() {
  const dialog = byId('help');
  byId('help-open').addEventListener('click', () => dialog.showModal());
  byId('help-close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  addEventListener('keydown', (event) => {
    const writing = event.target.matches?.('input, select, textarea');
    if (event.key === '?' && !writing && !document.querySelector('dialog[open]')) dialog.showModal();
  });
}
