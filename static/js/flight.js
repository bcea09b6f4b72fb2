// @ts-check
/**
 * The way from one view to another: out as far as it takes to see both, across, and in again, at an
 * even perceived speed (van Wijk and Nuij, "Smooth and efficient zooming and panning", 2003).
 *
 * @typedef {{x: number, y: number, zoom: number}} View centre in level-0 px, zoom of the map
 * @typedef {{length: number, at: (share: number) => View}} Flight `length` grows with the way;
 *   `at` takes 0 (start) to 1 (end)
 */

/** How willingly the way zooms out; 1.42 is what people preferred in the paper. */
const RHO = 1.42;

/**
 * @param {View} from
 * @param {View} to
 * @param {number} view_px longer side of the map, CSS px
 * @returns {Flight}
 */
export function flight(from, to, view_px) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const distance = Math.hypot(dx, dy);
  const [wide, wideAtEnd] = [from, to].map(view => view_px / 2 ** view.zoom);
  const way = distance < wide * 1e-6 ? straight(wide, wideAtEnd) : arc(wide, wideAtEnd, distance);
  return {
    length: way.length,
    at: share => {
      if (share >= 1) return to;
      const { gone, width } = way.at(share * way.length);
      const part = distance ? gone / distance : 0;
      return { x: from.x + dx * part, y: from.y + dy * part, zoom: Math.log2(view_px / width) };
    },
  };
}

/**
 * In or out on the spot.
 * @param {number} wide width of the view at the start, level-0 px
 * @param {number} wideAtEnd
 */
function straight(wide, wideAtEnd) {
  const growth = Math.log(wideAtEnd / wide);
  return {
    length: Math.abs(growth) / RHO,
    at: (/** @type {number} */ s) => ({
      gone: 0,
      width: wide * Math.exp(Math.sign(growth) * RHO * s),
    }),
  };
}

/**
 * @param {number} wide
 * @param {number} wideAtEnd
 * @param {number} distance level-0 px
 */
function arc(wide, wideAtEnd, distance) {
  const spread = wideAtEnd ** 2 - wide ** 2;
  const reach = RHO ** 4 * distance ** 2;
  const start = -Math.asinh((spread + reach) / (2 * wide * RHO ** 2 * distance));
  const end = -Math.asinh((spread - reach) / (2 * wideAtEnd * RHO ** 2 * distance));
  const unit = wide / RHO ** 2;
  return {
    length: (end - start) / RHO,
    at: (/** @type {number} */ s) => ({
      gone: unit * (Math.cosh(start) * Math.tanh(RHO * s + start) - Math.sinh(start)),
      width: (wide * Math.cosh(start)) / Math.cosh(RHO * s + start),
    }),
  };
}
