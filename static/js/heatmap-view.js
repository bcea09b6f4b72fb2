// @ts-check
import { api } from './api.js';
import { DifferenceStore } from './difference-store.js';
import { HeatmapLayer } from './heatmap-layer.js';
import { HeatmapStore } from './heatmap-store.js';
import { DIFFERENCE, PROBABILITY } from './heatmap-styles.js';

/**
 * @typedef {import('./types.d.ts').HeatmapInfo} HeatmapInfo
 * @typedef {import('./types.d.ts').HeatmapChanges} HeatmapChanges
 *
 * @typedef {{shown: string, other: HeatmapStore}} Difference of the analysis `shown`, less the other
 *
 * @typedef {object} Places where one heat map is shown
 * @property {L.Map} map
 * @property {import('./types.d.ts').DeepZoomInfo} slide
 * @property {import('./overlay-state.js').OverlayState} overlay
 * @property {import('./legend.js').Legend} legend
 * @property {import('./overview.js').Overview} overview
 * @property {import('./probe.js').Probe} probe
 */

/** The heat map in all its places: over the slide, on the overview, in the legend, in the probe. */
export class HeatmapView {
  /** @param {Places} places */
  constructor(places) {
    this._places = places;
    /** @type {HeatmapLayer | null} */
    this._layer = null;
    /** @type {HeatmapStore | null} */
    this._store = null;
    /** @type {Difference | null} */
    this._difference = null;
    places.overlay.subscribe(() => this._layer?.setSettings(places.overlay.settings));
    places.map.on('zoomend', () => this._showLevel());
  }

  get isOpen() {
    return this._layer !== null;
  }

  /** @param {HeatmapInfo} info */
  open(info) {
    this._places.overlay.setOperatingPoint(info.threshold);
    this._places.legend.setModel(info);
    this._store = new HeatmapStore(info, api.bytes);
    this._show(this._store);
  }

  /**
   * Show how the heat map differs from another one with the same cells, or the heat map itself.
   * @param {Difference | null} difference ignored while another analysis is shown
   */
  setDifference(difference) {
    if (this._difference === difference) return;
    this._difference = difference;
    if (this._store) this._show(this._store);
  }

  /** @param {HeatmapStore} plain */
  _show(plain) {
    const { map, slide, overlay, legend, overview, probe } = this._places;
    const isShown = this._difference?.shown === plain.info.analysis_id;
    const other = isShown ? this._difference?.other : undefined;
    const store = other ? new DifferenceStore(plain, other) : plain;
    const size = { width: slide.widthPx, height: slide.heightPx };
    const style = other ? DIFFERENCE : PROBABILITY;
    const layer = new HeatmapLayer(store, size, overlay.settings, style);
    this._layer?.remove();
    this._layer = layer;
    store.onChange = () => {
      layer.repaint();
      overview.showHeat();
      probe.show();
    };
    map.addLayer(layer);
    overlay.hasRange = !other;
    legend.setDifference(other ? [plain.info.model, other.info.model] : null);
    probe.setLayer(layer);
    void overview.setLayer(layer);
    this._showLevel();
  }

  /** @param {HeatmapChanges} changes */
  async update(changes) {
    await this._store?.update(changes);
  }

  /** Ask again for what could not be had. */
  retry() {
    this._layer?.retry();
    void this._places.overview.refresh();
  }

  /** @param {boolean} peeking */
  setPeeking(peeking) {
    this._layer?.applyVisibility(peeking);
  }

  _showLevel() {
    if (this._layer) this._places.legend.setLevel(this._layer.shownLevel);
  }
}
