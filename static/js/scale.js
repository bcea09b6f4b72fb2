// @ts-check
/** @typedef {import('./types.d.ts').Slide} Slide */

const OBJECTIVES = [1, 1.25, 2, 2.5, 4, 5, 10, 20, 40, 60, 80, 100];
/** A scanner's 40× lies between 0.22 and 0.28 µm/px: one objective, one name. */
const SNAP = 1.2;
export const MAGNIFICATIONS = [1.25, 2.5, 5, 10, 20, 40];
const PERCENTAGES = [3.125, 6.25, 12.5, 25, 50, 100];
/** How far beyond the scan one may zoom: 2^2 = fourfold. */
export const DIGITAL_ZOOMS = 2;

/**
 * 10 / mpp, called by the name of the objective when it is close to one.
 * @param {number} mpp µm per pixel
 */
export function nativeMagnification(mpp) {
  const exact = 10 / mpp;
  const off = (/** @type {number} */ power) => Math.abs(Math.log(power / exact));
  const nearest = OBJECTIVES.reduce((best, power) => (off(power) < off(best) ? power : best));
  return off(nearest) <= Math.log(SNAP) ? nearest : exact;
}

/**
 * What the zoom of the map means on this slide: a magnification when its resolution is known, else
 * a percentage of its pixels (never a guess from the objective that a file names).
 */
export class Scale {
  /** @param {Pick<Slide, 'mpp_x' | 'mpp_y'>} slide */
  constructor({ mpp_x, mpp_y }) {
    this.mpp = mpp_x && mpp_y ? { x: mpp_x, y: mpp_y } : null;
    this.native = this.mpp ? nativeMagnification(Math.sqrt(this.mpp.x * this.mpp.y)) : 100;
    this.unit = this.mpp ? '×' : ' %';
  }

  /** The steps of the buttons and of the keys 1–6, those beyond the scan included. */
  get steps() {
    return this.mpp ? MAGNIFICATIONS : PERCENTAGES;
  }

  /** @param {number} step */
  has(step) {
    return step <= this.native * 1.001;
  }

  /** @param {number} step */
  zoomOf(step) {
    return Math.log2(step / this.native);
  }

  /** @param {number} zoom */
  valueAt(zoom) {
    return this.native * 2 ** zoom;
  }

  /** @param {number} value */
  label(value) {
    const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
    return `${Number(value.toFixed(digits))}${this.unit}`;
  }

  /** @param {number} step the full figure of a button: 1.25×, 3.125 % */
  stepLabel(step) {
    return `${step}${this.unit}`;
  }
}
