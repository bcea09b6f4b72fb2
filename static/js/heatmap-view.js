// @ts-check
import { api } from './api.js';
import { HeatmapLayer } from './heatmap-layer.js';
import { HeatmapStore } from './heatmap-store.js';

/**
 * @typedef {import('./types.d.ts').HeatmapInfo} HeatmapInfo
 * @typedef {import('./types.d.ts').HeatmapChanges} HeatmapChanges
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
    places.overlay.subscribe(() => this._layer?.setSettings(places.overlay.settings));
    places.map.on('zoomend', () => this._showLevel());
  }

  get isOpen() {
    return this._layer !== null;
  }

  /** @param {HeatmapInfo} info */
  open(info) {
    const { map, slide, overlay, legend, overview, probe } = this._places;
    this._layer?.remove();
    overlay.setOperatingPoint(info.threshold);
    const store = new HeatmapStore(info, api.bytes);
    const size = { width: slide.widthPx, height: slide.heightPx };
    const layer = new HeatmapLayer(store, size, overlay.settings);
    this._layer = layer;
    store.onChange = () => {
      layer.repaint();
      overview.showHeat();
      probe.show();
    };
    map.addLayer(layer);
    legend.setModel(info);
    probe.setLayer(layer);
    void overview.setLayer(layer);
    this._showLevel();
  }

  /** @param {HeatmapChanges} changes */
  async update(changes) {
    await this._layer?.store.update(changes);
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
