// @ts-check
import { colorAt, toProbability } from './colormaps.js';
import { byId, setText } from './dom.js';
import { millimetres, probability, thousands } from './format.js';
import { toL0, toLatLng } from './plane.js';
import { TEXTS } from './texts.js';

/**
 * @typedef {import('./heatmap-layer.js').HeatmapLayer} HeatmapLayer
 * @typedef {import('./overlay-state.js').OverlayState} OverlayState
 * @typedef {{level: number, column: number, row: number}} Cell
 */

/** A cell smaller than this on the screen gets no outline. */
const SMALLEST_OUTLINE_PX = 5;

/**
 * Reads the heat map under the cursor, or at the centre of the view for who uses the keyboard:
 * always the value that is drawn there, at the level that is drawn.
 */
export class Probe {
  /**
   * @param {L.Map} map
   * @param {import('./scale.js').Scale} scale
   * @param {OverlayState} state
   * @param {(p: number | null) => void} onValue
   */
  constructor(map, scale, state, onValue) {
    this._map = map;
    this._scale = scale;
    this._state = state;
    this._onValue = onValue;
    /** @type {HeatmapLayer | null} */
    this._layer = null;
    /** @type {L.LatLng | null} */
    this._at = null;
    this._byKeyboard = false;
    this._outline = L.rectangle(map.getBounds(), { interactive: false, className: 'cell-outline' });
    this._listen();
    this.show();
  }

  /** @param {HeatmapLayer} layer */
  setLayer(layer) {
    this._layer = layer;
    this.show();
  }

  _listen() {
    this._map.on('mousemove', event => this._moveTo(event.latlng, false));
    this._map.on('click', event => this._moveTo(event.latlng, false)); // touch
    this._map.on('mouseout', () => this._moveTo(null, false));
    this._map.on('move zoomend', () => {
      if (this._byKeyboard) this._at = this._map.getCenter();
      this.show();
    });
    document.addEventListener('keydown', event => {
      const moves = event.target === this._map.getContainer() || event.target === document.body;
      if (moves && !event.ctrlKey && !event.metaKey) this._moveTo(this._map.getCenter(), true);
    });
  }

  /**
   * @param {L.LatLng | null} latLng
   * @param {boolean} byKeyboard
   */
  _moveTo(latLng, byKeyboard) {
    this._at = latLng;
    this._byKeyboard = byKeyboard;
    byId('crosshair').hidden = !byKeyboard;
    this.show();
  }

  show() {
    const cell = this._cell();
    const value = cell && this._layer?.store.valueAt(cell.level, cell.column, cell.row);
    const p = value ? toProbability(value) : null;
    this._showValue(cell, value, p);
    this._showOutline(cell);
    setText(byId('probe-place'), this._at ? this._place(toL0(this._at)) : '');
    byId('probe').hidden = !this._layer && !this._at;
    this._onValue(p);
  }

  /** @returns {Cell | undefined} */
  _cell() {
    if (!this._at || !this._layer) return undefined;
    return this._layer.grid.cellAt(this._layer.shownLevel, toL0(this._at));
  }

  /**
   * @param {Cell | undefined} cell
   * @param {number | undefined} value
   * @param {number | null} p
   */
  _showValue(cell, value, p) {
    const swatch = byId('probe-swatch');
    swatch.hidden = p === null;
    if (p !== null) {
      const rgb = colorAt(this._state.settings.colormap, p).join(' ');
      swatch.style.backgroundColor = `rgb(${rgb})`;
    }
    setText(byId('probe-value'), this._valueText(cell, value, p));
    const side = cell ? 2 ** cell.level : 1;
    setText(byId('probe-note'), p !== null && side > 1 ? TEXTS.probe.block(side) : '');
  }

  /**
   * @param {Cell | undefined} cell
   * @param {number | undefined} value
   * @param {number | null} p
   */
  _valueText(cell, value, p) {
    if (!this._layer) return '';
    if (!this._at) return TEXTS.probe.none;
    if (!cell) return TEXTS.probe.outside;
    if (p !== null) return probability(p);
    return value === 0 ? TEXTS.probe.notAnalysed : TEXTS.probe.loading;
  }

  /** @param {{x: number, y: number}} point */
  _place({ x, y }) {
    const mpp = this._scale.mpp;
    if (!mpp) return `${thousands(Math.round(x))}, ${thousands(Math.round(y))} px`;
    return `${millimetres((x * mpp.x) / 1000)}, ${millimetres((y * mpp.y) / 1000)} mm`;
  }

  /** @param {Cell | undefined} cell */
  _showOutline(cell) {
    const box = cell && this._layer?.grid.cellBox(cell);
    const sidePx = box ? (box.right - box.left) * 2 ** this._map.getZoom() : 0;
    if (!box || sidePx < SMALLEST_OUTLINE_PX) {
      this._outline.remove();
      return;
    }
    this._outline.setBounds(
      L.latLngBounds(toLatLng(box.left, box.top), toLatLng(box.right, box.bottom)),
    );
    this._outline.addTo(this._map);
  }
}
