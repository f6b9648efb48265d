/** Hits as a table for a spreadsheet, the same as the server writes. */

const COLUMNS = [
  ...['rank', 'row', 'similarity', 'probability', 'source', 'camera', 'frame', 'time', 'time_text'],
  ...['time_from_text', 'time_to_text', 'num_frames', 'x1', 'y1', 'x2', 'y2', 'score', 'track_id'],
];
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Write hits as CSV. It begins with a byte-order mark, by which Excel knows UTF-8.
 * @param {object[]} hits As an answer has them.
 * @returns {string}
 */
export function tableOf(hits) {
  const lines = hits.map((hit) => {
    const [x1, y1, x2, y2] = hit.box;
    const cells = { ...hit, x1, y1, x2, y2 };
    return COLUMNS.map((name) => cell(cells[name])).join(',');
  });
  return `\ufeff${[COLUMNS.join(','), ...lines].map((line) => `${line}\r\n`).join('')}`;
}

/** Text that a spreadsheet would take for a formula gets an apostrophe in front. */
function cell(value) {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
