// @ts-check
/** @typedef {import('./types.d.ts').Slide} Slide */

/** What wants attention first; slides with a result come before all of these. */
const STATE_ORDER = [
  'failed',
  'running',
  'cancelling',
  'queued',
  'cancelled',
  'done',
  'unanalysed',
  'unreadable',
];

/**
 * @param {Slide} a
 * @param {Slide} b
 */
export function byName(a, b) {
  return a.name.localeCompare(b.name, undefined, { numeric: true }) || a.id.localeCompare(b.id);
}

/**
 * Highest probability first, then the larger positive area, then what is still to come.
 * @param {Slide} a
 * @param {Slide} b
 */
export function bySuspicion(a, b) {
  const [peakA, peakB] = [a, b].map(({ analysis }) => analysis?.summary?.peak_probability ?? -1);
  const [areaA, areaB] = [a, b].map(({ analysis }) => analysis?.summary?.positive_area_mm2 ?? -1);
  const state = STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state);
  return peakB - peakA || areaB - areaA || state || byName(a, b);
}
