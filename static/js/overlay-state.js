// @ts-check
import { COLORMAPS, DEFAULT_COLORMAP } from './colormaps.js';
import { recall, remember } from './dom.js';

/** @typedef {import('./types.d.ts').OverlaySettings} OverlaySettings */

const STEP = 0.05;

/** How the heat map is shown, and who wants to know when that changes. */
export class OverlayState {
  /** @param {Partial<OverlaySettings>} fromLink */
  constructor(fromLink) {
    /** @type {OverlaySettings} */
    this.settings = {
      shown: true,
      opacity: 0.5,
      lower: 0.5,
      upper: 1,
      smooth: false,
      hatch: false,
      ...remembered(),
      ...fromLink,
    };
    if (this.settings.lower > this.settings.upper) this.settings.lower = this.settings.upper;
    this._lowerIsChosen = fromLink.lower !== undefined;
    /** Before the model is known, the lower limit is a stand-in that no link may carry on. */
    this.lowerIsKnown = this._lowerIsChosen;
    this._hatchIsChosen = false;
    /** Whether what is shown has the two limits: keys change none that nobody sees. */
    this.hasRange = true;
    /** @type {(() => void)[]} */
    this._listeners = [];
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this._listeners.push(listener);
  }

  /** @param {Partial<OverlaySettings>} change */
  set(change) {
    this.settings = { ...this.settings, ...change };
    if (change.lower !== undefined) {
      this._lowerIsChosen = true;
      this.lowerIsKnown = true;
    }
    if (change.hatch !== undefined) this._hatchIsChosen = true;
    if (change.opacity !== undefined) remember('opacity', String(change.opacity));
    if (change.colormap !== undefined) remember('colormap', change.colormap);
    for (const listener of this._listeners) listener();
  }

  /**
   * The model's own threshold is the lower limit until somebody chooses another.
   * @param {number} threshold
   */
  setOperatingPoint(threshold) {
    if (this._lowerIsChosen) return;
    this.set({ lower: Math.min(threshold, this.settings.upper) });
    this._lowerIsChosen = false;
  }

  /**
   * What was not analysed is hatched while the analysis runs, until somebody chooses.
   * @param {boolean} active
   */
  setRunning(active) {
    if (this._hatchIsChosen || this.settings.hatch === active) return;
    this.set({ hatch: active });
    this._hatchIsChosen = false;
  }

  /** @param {1 | -1} direction */
  stepLower(direction) {
    if (!this.hasRange) return;
    const next = Math.round(this.settings.lower / STEP + direction) * STEP;
    this.set({ lower: Math.min(this.settings.upper, Math.max(0, Number(next.toFixed(2)))) });
  }
}

function remembered() {
  const opacity = Number(recall('opacity') ?? Number.NaN);
  const colormap = recall('colormap') ?? '';
  return {
    ...(opacity >= 0 && opacity <= 1 ? { opacity } : {}),
    colormap: COLORMAPS.includes(colormap) ? colormap : DEFAULT_COLORMAP,
  };
}
