// @ts-check
/** Numbers as people read them. */

/** @param {number} p */
export function probability(p) {
  return p.toFixed(2);
}

/** @param {number} mm2 */
export function area(mm2) {
  if (mm2 > 0 && mm2 < 0.01) return '< 0.01 mm²';
  return `${mm2.toFixed(mm2 < 10 ? 2 : mm2 < 100 ? 1 : 0)} mm²`;
}

/** @param {number} mm */
export function millimetres(mm) {
  return mm.toFixed(mm < 10 ? 2 : 1);
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 55) return `${Math.max(1, Math.round(seconds / 5) * 5)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/**
 * @param {number} n
 * @param {string} noun
 */
export function count(n, noun) {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** @param {number} n */
export function thousands(n) {
  return n.toLocaleString('en', { useGrouping: true }).replaceAll(',', '\u202f');
}

/** @param {number} mpp µm per pixel */
export function micrometres(mpp) {
  return Number(mpp.toFixed(4)).toString();
}

/** @param {string} iso */
export function day(iso) {
  return new Date(iso).toLocaleDateString('en-GB', { dateStyle: 'medium' });
}

/** @param {string} iso */
export function moment(iso) {
  return new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

/** @param {number} um a length as it is read best */
export function micrometresOrMillimetres(um) {
  return um < 1000 ? `${Math.round(um)} µm` : `${(um / 1000).toFixed(um < 10_000 ? 2 : 1)} mm`;
}
