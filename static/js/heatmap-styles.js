// @ts-check
/**
 * What values of cells look like on the slide, and what the probe says of them.
 *
 * Differences run from blue over nothing to orange, fading towards 0 so that the tissue stays in
 * sight. Measured at 50 % opacity over eight colours of H&E, the two ends differ from tissue by 28
 * and 36 (mean ΔE2000; at worst blue by 13 for the red-blind, orange by 16 for the blue-blind) and
 * from each other by 44 to 56, with and without one kind of cone.
 */
import { colorAt, lookupTable, toProbability } from './colormaps.js';
import { toDifference } from './difference-store.js';
import { TEXTS } from './texts.js';

/**
 * @typedef {import('./types.d.ts').OverlaySettings} OverlaySettings
 *
 * @typedef {object} HeatmapStyle
 * @property {(settings: OverlaySettings) => Uint32Array} table the canvas pixel of each value
 * @property {boolean} alwaysHatched what was not analysed would else look like a value
 * @property {(value: number, settings: OverlaySettings) => string} colour CSS, of a value 1…255
 * @property {(probabilities: (number | null)[]) => string} words null: not analysed
 * @property {(side: number) => string} block said of a spot of side × side cells
 */

const LOWER = [0, 160, 255];
const HIGHER = [255, 165, 0];
/** Below 1, so that middling differences are seen; 0.05 still leaves nine tenths of the tissue. */
const FADING = 0.75;

/** @type {HeatmapStyle} */
export const PROBABILITY = {
  table: lookupTable,
  alwaysHatched: false,
  colour: (value, { colormap }) => `rgb(${colorAt(colormap, toProbability(value)).join(' ')})`,
  words: ([p]) => TEXTS.probe.value(p),
  block: TEXTS.probe.block,
};

/** @type {HeatmapStyle} */
export const DIFFERENCE = {
  table: differenceTable,
  alwaysHatched: true,
  colour: value => onWhite(toDifference(value)),
  words: ([mine, other]) => TEXTS.difference.values(mine, other),
  block: TEXTS.difference.block,
};

/** @param {number} difference −1…+1 */
function inkOf(difference) {
  return { rgb: difference < 0 ? LOWER : HIGHER, share: Math.abs(difference) ** FADING };
}

function differenceTable() {
  const bytes = new Uint8ClampedArray(256 * 4);
  for (let value = 1; value < 256; value++) {
    const { rgb, share } = inkOf(toDifference(value));
    bytes.set([...rgb, Math.round(share * 255)], value * 4);
  }
  return new Uint32Array(bytes.buffer);
}

/** @param {number} difference */
function onWhite(difference) {
  const { rgb, share } = inkOf(difference);
  return `rgb(${rgb.map(c => Math.round(255 + (c - 255) * share)).join(' ')})`;
}

/** A CSS gradient of all differences, −1 on the left. */
export function differenceGradient() {
  const stops = Array.from({ length: 33 }, (_, i) => onWhite(i / 16 - 1));
  return `linear-gradient(to right, ${stops.join(', ')})`;
}
