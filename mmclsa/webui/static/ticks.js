/** Where an axis of time has its ticks, and what they say. */

const EPOCH_FROM = 10 * 365 * 86400; // as mmclsa/utils/times.py
const STEPS = [
  ...[1, 2, 5, 10, 15, 30], // seconds
  ...[1, 2, 5, 10, 15, 30].map((minutes) => 60 * minutes),
  ...[1, 2, 3, 6, 12].map((hours) => 3600 * hours),
  ...[1, 2, 7, 14, 30, 91, 182, 365].map((days) => 86400 * days),
];

/** Whether seconds count from 1970 and not from the start of a video. */
export const isDate = (seconds) => seconds >= EPOCH_FROM;

/**
 * Choose ticks at round times.
 * @param {number} from Seconds.
 * @param {number} to Seconds.
 * @param {number} most So many at most.
 * @returns {{time: number, text: string}[]}
 */
export function ticksOf(from, to, most) {
  const last = STEPS[STEPS.length - 1];
  const step = STEPS.find((one) => (to - from) / one <= most) ?? Math.ceil((to - from) / most / last) * last;
  const ticks = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
    ticks.push({ time, text: isDate(from) ? dateText(time, step, from, to) : clockText(time) });
  }
  return ticks;
}

function clockText(seconds) {
  const two = (number) => String(number).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function dateText(seconds, step, from, to) {
  const [day, time] = new Date(1000 * seconds).toISOString().split('T');
  if (step >= 86400) return day;
  const short = step >= 60 ? time.slice(0, 5) : time.slice(0, 8);
  const sameDay = Math.floor(from / 86400) === Math.floor(to / 86400);
  return sameDay ? short : `${day.slice(5)} ${short}`;
}
