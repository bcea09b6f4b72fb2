// @ts-check
import { COLORMAPS, cssGradient } from './colormaps.js';
import { byId, hideKeepingFocus, make, setText } from './dom.js';
import { differenceGradient } from './heatmap-styles.js';
import { TEXTS } from './texts.js';

/**
 * @typedef {import('./overlay-state.js').OverlayState} OverlayState
 * @typedef {import('./types.d.ts').HeatmapInfo} HeatmapInfo
 * @typedef {import('./types.d.ts').ModelInfo} ModelInfo
 */

/** The legend of the heat map and its controls: the colour bar is the slider of the two limits. */
export class Legend {
  /** @param {OverlayState} state */
  constructor(state) {
    this._state = state;
    this._lower = byId('heat-lower', HTMLInputElement);
    this._upper = byId('heat-upper', HTMLInputElement);
    this._opacity = byId('heat-opacity', HTMLInputElement);
    this._colormap = byId('heat-colormap', HTMLSelectElement);
    this._smooth = byId('heat-smooth', HTMLInputElement);
    this._hatch = byId('heat-hatch', HTMLInputElement);
    this._threshold = 0;
    this._maximum = TEXTS.heat.maximum;
    byId('difference-bar').style.backgroundImage = differenceGradient();
    this._colormap.append(...COLORMAPS.map(optionOf));
    this._listen();
    state.subscribe(() => this._show());
    this._show();
  }

  _listen() {
    const { _state: state } = this;
    this._lower.addEventListener('input', () =>
      state.set({ lower: Math.min(Number(this._lower.value), state.settings.upper) }),
    );
    this._upper.addEventListener('input', () =>
      state.set({ upper: Math.max(Number(this._upper.value), state.settings.lower) }),
    );
    this._opacity.addEventListener('input', () =>
      state.set({ opacity: Number(this._opacity.value) / 100 }),
    );
    this._colormap.addEventListener('change', () => state.set({ colormap: this._colormap.value }));
    this._smooth.addEventListener('change', () => state.set({ smooth: this._smooth.checked }));
    this._hatch.addEventListener('change', () => state.set({ hatch: this._hatch.checked }));
    byId('heat-reset').addEventListener('click', () =>
      state.set({ lower: this._threshold, upper: 1 }),
    );
  }

  /** @param {HeatmapInfo} info */
  setModel(info) {
    const { model, threshold } = info;
    this._threshold = threshold;
    byId('heat-controls').hidden = false;
    byId('heat-none').hidden = true;
    byId('heat-toggle').hidden = false;
    byId('heat-toggle').title = TEXTS.heat.toggleHint;
    setText(byId('model-name'), TEXTS.heat.model(model.name, model.version));
    const badge = byId('model-calibrated');
    setText(badge, model.calibrated ? TEXTS.calibrated : TEXTS.notCalibrated);
    badge.title = model.calibrated ? TEXTS.calibratedHint : TEXTS.notCalibratedHint;
    badge.classList.toggle('is-warning', !model.calibrated);
    const spacing = model.spacing_um_px;
    setText(byId('model-spacing'), spacing ? TEXTS.heat.spacing(spacing) : '');
    const mark = byId('heat-threshold');
    mark.style.left = percent(threshold);
    mark.title = TEXTS.heat.operatingPoint(threshold);
    setText(byId('heat-threshold-text'), TEXTS.heat.operatingPoint(threshold));
    this._show();
  }

  /**
   * Say that spots stand for several cells.
   * @param {number} level of the heat map that is shown
   */
  setLevel(level) {
    const note = byId('heat-maximum');
    note.hidden = level === 0;
    setText(note, this._maximum(2 ** level));
  }

  /**
   * Explain a difference instead of a heat map; the level is to be said anew then.
   * @param {[ModelInfo, ModelInfo] | null} models the shown one and the other
   */
  setDifference(models) {
    byId('heat-controls').classList.toggle('is-difference', !!models);
    this._maximum = models ? TEXTS.difference.maximum : TEXTS.heat.maximum;
    if (!models) return;
    const [mine, other] = models.map(({ name, version }) => TEXTS.heat.model(name, version));
    setText(byId('difference-higher'), TEXTS.difference.higher(mine));
    setText(byId('difference-lower'), TEXTS.difference.lower(other));
    byId('difference-uncalibrated').hidden = models.every(({ calibrated }) => calibrated);
  }

  /** @param {number | null} place on the bar of the value under the cursor, 0…1 */
  setProbe(place) {
    for (const mark of [byId('heat-probe'), byId('difference-probe')]) {
      mark.hidden = place === null;
      if (place !== null) mark.style.left = percent(place);
    }
  }

  _show() {
    const { lower, upper, opacity, colormap, smooth, hatch, shown } = this._state.settings;
    this._lower.value = String(lower);
    this._upper.value = String(upper);
    this._opacity.value = String(Math.round(opacity * 100));
    this._colormap.value = colormap;
    this._smooth.checked = smooth;
    this._hatch.checked = hatch;
    byId('heat-bar').style.backgroundImage = cssGradient(colormap);
    byId('heat-cut-low').style.width = percent(lower);
    byId('heat-cut-high').style.width = percent(1 - upper);
    setText(byId('heat-range'), TEXTS.heat.shown(lower, upper));
    setText(byId('heat-opacity-value'), `${Math.round(opacity * 100)} %`);
    byId('heat-toggle').setAttribute('aria-pressed', String(shown));
    const usual = lower === this._threshold && upper === 1;
    hideKeepingFocus(byId('heat-reset'), usual, this._lower);
  }
}

/** @param {string} name */
function optionOf(name) {
  const labels = /** @type {Record<string, string>} */ (TEXTS.heat.colormaps);
  const option = make('option', { text: labels[name] ?? name });
  option.value = name;
  return option;
}

/** @param {number} share */
function percent(share) {
  return `${(share * 100).toFixed(2)}%`;
}
