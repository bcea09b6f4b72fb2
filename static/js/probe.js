// @ts-check
import { toProbability } from './colormaps.js';
import { byId, setText } from './dom.js';
import { millimetres, thousands } from './format.js';
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
   * @param {(place: number | null) => void} onPlace where the value stands on the colour bar, 0…1
   */
  constructor(map, scale, state, onPlace) {
    this._map = map;
    this._scale = scale;
    this._state = state;
    this._onPlace = onPlace;
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
    this._showValue(cell, value);
    this._showOutline(cell);
    setText(byId('probe-place'), this._at ? this._place(toL0(this._at)) : '');
    byId('probe').hidden = !this._layer && !this._at;
    this._onPlace(value ? toProbability(value) : null);
  }

  /** @returns {Cell | undefined} */
  _cell() {
    if (!this._at || !this._layer) return undefined;
    return this._layer.grid.cellAt(this._layer.shownLevel, toL0(this._at));
  }

  /**
   * @param {Cell | undefined} cell
   * @param {number | undefined} value
   */
  _showValue(cell, value) {
    const style = value ? this._layer?.style : undefined;
    const swatch = byId('probe-swatch');
    swatch.hidden = !style;
    if (style && value) {
      swatch.style.backgroundColor = style.colour(value, this._state.settings);
    }
    setText(byId('probe-value'), this._valueText(cell, value));
    const side = cell ? 2 ** cell.level : 1;
    setText(byId('probe-note'), style && side > 1 ? style.block(side) : '');
  }

  /**
   * @param {Cell | undefined} cell
   * @param {number | undefined} value
   */
  _valueText(cell, value) {
    if (!this._layer) return '';
    if (!this._at) return TEXTS.probe.none;
    if (!cell) return TEXTS.probe.outside;
    if (value === undefined) return TEXTS.probe.loading;
    const { store, style } = this._layer;
    const values = store.valuesAt(cell.level, cell.column, cell.row);
    return style.words(values.map(each => (each ? toProbability(each) : null)));
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
