/** Puts the parts of the page together. */

import { byId } from './dom.js';
import { initExport } from './export.js';
import { initFilters } from './filters.js';
import { initFollow } from './follow.js';
import { initHelp } from './help.js';
import { initHits } from './hits.js';
import { initLooks } from './looks.js';
import { clear } from './messages.js';
import { initPeople, openPeople } from './people.js';
import { initPicture } from './picture.js';
import { initSearch, search, showStale } from './search.js';
import { get, watch } from './state.js';
import { initTabs, openTab } from './tabs.js';
import { drawTimeline, initTimeline } from './timeline.js';
import { initUploading } from './uploading.js';
import { initVerdicts } from './verdicts.js';
import { initViewer, openViewer } from './viewer.js';

const searchFromHit = () => {
  openTab('search');
  search();
};

function initHitTimeline() {
  const place = byId('timeline');
  initTimeline(place);
  let drawn = null;
  watch(['answer'], () => {
    const answer = get('answer');
    if (!answer || answer === drawn) return;
    drawn = answer;
    drawTimeline(place, answer.hits, (number) => openViewer(answer.hits, number));
  });
}

// Where there is room for it; on a phone the results come first.
byId('filters').open = matchMedia('(min-width: 801px)').matches;

initUploading(() => openTab('search'));
initPicture(search);
initLooks();
initFilters(showStale);
initViewer();
initVerdicts(searchFromHit);
initHits();
initHitTimeline();
initSearch();
initExport();
initPeople();
initHelp();
initTabs({ people: openPeople });
watch(['looks'], () => get('looks').length && clear(byId('search-status')));
byId('grown-search').addEventListener('click', search);
initFollow();
