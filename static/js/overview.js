// @ts-check
import { byId } from './dom.js';
import { paintCells } from './heatmap-painter.js';
import { toLatLng, viewRect } from './plane.js';

/**
 * @typedef {import('./heatmap-layer.js').HeatmapLayer} HeatmapLayer
 * @typedef {import('./overlay-state.js').OverlayState} OverlayState
 */

/** A frame below this is drawn so large, with a cross that shows where to look for it. */
const SMALLEST_FRAME_PX = 14;

/** The whole slide in small, with its heat map and the frame of what the map shows. */
export class Overview {
  /**
   * @param {L.Map} map
   * @param {string} thumbnailUrl
   * @param {import('./types.d.ts').DeepZoomInfo} info
   * @param {OverlayState} state
   */
  constructor(map, thumbnailUrl, info, state) {
    this._map = map;
    this._info = info;
    this._state = state;
    this._box = byId('overview');
    this._frame = byId('overview-frame');
    this._canvas = byId('overview-heat', HTMLCanvasElement);
    /** @type {HeatmapLayer | null} */
    this._layer = null;
    byId('overview-image', HTMLImageElement).src = thumbnailUrl;
    this._box.style.aspectRatio = `${info.widthPx} / ${info.heightPx}`;
    this._box.style.setProperty('--aspect', String(info.widthPx / info.heightPx));
    this._listen();
  }

  _listen() {
    this._map.on('move zoom zoomend resize', () => this._showFrame());
    this._state.subscribe(() => this.showHeat());
    new ResizeObserver(() => this._resize()).observe(this._box);
    this._box.addEventListener('pointerdown', event => {
      this._box.setPointerCapture(event.pointerId);
      this._moveTo(event);
    });
    this._box.addEventListener('pointermove', event => {
      if (this._box.hasPointerCapture(event.pointerId)) this._moveTo(event);
    });
  }

  /** CSS px of the overview per level-0 px. */
  get _scale() {
    return this._box.clientWidth / this._info.widthPx;
  }

  /** @param {PointerEvent} event */
  _moveTo(event) {
    const { left, top } = this._box.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / this._scale, (event.clientY - top) / this._scale];
    this._map.panTo(toLatLng(x, y), { animate: false });
  }

  _showFrame() {
    const { left, top, right, bottom } = viewRect(this._map);
    const scale = this._scale;
    const [trueWidth, trueHeight] = [(right - left) * scale, (bottom - top) * scale];
    const width = Math.max(SMALLEST_FRAME_PX, trueWidth);
    const height = Math.max(SMALLEST_FRAME_PX, trueHeight);
    this._frame.classList.toggle('is-small', trueWidth < width && trueHeight < height);
    const x = ((left + right) / 2) * scale - width / 2;
    const y = ((top + bottom) / 2) * scale - height / 2;
    this._frame.style.transform = `translate(${x}px, ${y}px)`;
    this._frame.style.width = `${width}px`;
    this._frame.style.height = `${height}px`;
  }

  _resize() {
    this._canvas.width = Math.round(this._box.clientWidth * window.devicePixelRatio);
    this._canvas.height = Math.round(this._box.clientHeight * window.devicePixelRatio);
    this._showFrame();
    this.showHeat();
  }

  /** @param {HeatmapLayer} layer */
  async setLayer(layer) {
    this._layer = layer;
    await this.refresh();
  }

  /** Fetch what the overview shows: the coarsest level, one tile. */
  async refresh() {
    if (!this._layer) return;
    await this._layer.store.load(this._layer.grid.levels - 1, 0, 0).catch(() => {
      // the connection is gone; `refresh` is called again when it is back
    });
    this.showHeat();
  }

  showHeat() {
    const { shown, opacity } = this._state.settings;
    this._canvas.style.opacity = String(opacity);
    this._canvas.hidden = !shown || !this._layer;
    const context = this._canvas.getContext('2d');
    const { width, height } = this._canvas;
    if (!context || !this._layer || !width || !height) return;
    const { store, grid, style } = this._layer;
    const view = { left: 0, top: 0, width, height, scale: width / this._info.widthPx };
    const lut = style.table(this._state.settings);
    const look = { lut, smooth: false, hatch: style.alwaysHatched };
    paintCells(context, store, grid, grid.levels - 1, view, look);
  }
}
