/** Lays marks of one camera beside each other where their times overlap. */

/**
 * Give each interval a lane; those of a lane do not overlap as long as there are lanes.
 * @param {{start: number, end: number}[]} intervals
 * @param {number} most Lanes at most.
 * @returns {number[]} The lane of each, from 0.
 */
export function lanesOf(intervals, most) {
  const order = intervals.map((_, number) => number);
  order.sort((one, other) => intervals[one].start - intervals[other].start);
  const ends = [];
  const lanes = new Array(intervals.length);
  for (const number of order) {
    const { start, end } = intervals[number];
    let lane = ends.findIndex((before) => before <= start);
    if (lane < 0) lane = ends.length < most ? ends.length : ends.indexOf(Math.min(...ends));
    ends[lane] = Math.max(end, ends[lane] ?? end);
    lanes[number] = lane;
  }
  return lanes;
}
