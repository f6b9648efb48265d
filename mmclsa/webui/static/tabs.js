/** The views of the page: search, and people of the index. The address tells which is open. */

import { byId, show } from './dom.js';

const NAMES = ['search', 'people'];

/** @param {Object<string, function(): void>} opened What to do when a view is opened. */
export function initTabs(opened) {
  for (const name of NAMES) {
    byId(`tab-${name}`).addEventListener('click', () => {
      openTab(name);
    });
    byId(`tab-${name}`).addEventListener('keydown', (event) => {
      const next = NAMES.indexOf(name) + { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (NAMES[next]) {
        openTab(NAMES[next]);
        byId(`tab-${NAMES[next]}`).focus();
      }
    });
  }
  byId('skip').addEventListener('click', (event) => {
    event.preventDefault();
    document.querySelector('.view:not([hidden]) h2[tabindex]').focus();
  });
  const fromAddress = () => draw(location.hash.slice(1), opened);
  addEventListener('hashchange', fromAddress);
  fromAddress();
}

/** Open a view. */
export function openTab(name) {
  location.hash = name;
}

function draw(wanted, opened) {
  const name = NAMES.includes(wanted) ? wanted : NAMES[0];
  for (const one of NAMES) {
    const tab = byId(`tab-${one}`);
    tab.setAttribute('aria-selected', String(one === name));
    tab.tabIndex = one === name ? 0 : -1;
    show(byId(`view-${one}`), one === name);
  }
  opened[name]?.();
}
