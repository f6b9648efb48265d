/** Numbers, times and names as a reader wants them. */

const NUMBER = new Intl.NumberFormat('en');

/** 12345 -> "12,345" */
export const count = (number) => NUMBER.format(number);

/** (1, "sighting") -> "1 sighting", (3, "person", "people") -> "3 people" */
export const counted = (number, one, many = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : many}`;

/** 0.874 -> "87 %"; never "100 %", for nothing here is certain. */
export function percent(probability) {
  if (probability >= 0.995) return '> 99 %';
  if (probability < 0.005) return '< 1 %';
  return `${Math.round(100 * probability)} %`;
}

/** 0.0042 -> "4 ms", 1.27 -> "1.3 s" */
export const duration = (seconds) =>
  seconds < 0.1 ? `${Math.max(1, Math.round(1000 * seconds))} ms` : `${seconds.toFixed(1)} s`;

export const cosine = (similarity) => similarity.toFixed(3);

/** "2009-06-11T12:00:00Z" -> "2009-06-11 12:00:00"; times of a video stay as they are. */
export const moment = (text) => text.replace('T', ' ').replace(/Z$/, '');

/** From and to, the date only once. */
export function span(from, to) {
  const [start, end] = [moment(from), moment(to)];
  if (!start && !end) return '';
  if (start === end || !end) return start;
  const [day, time] = end.split(' ');
  return `${start} – ${time && start.startsWith(`${day} `) ? time : end}`;
}

/** When a sighting was, in words. */
export const when = (sighting) =>
  span(sighting.time_from_text, sighting.time_to_text) || 'time unknown';

export const cameraName = (camera) => camera || 'no camera';

/** What a row of the index is called. */
export const rowName = (index) => (index?.unit === 'detection' ? 'detection' : 'sighting');
