// @ts-check
import { HeatmapGrid } from './heatmap-grid.js';
import { paintCells, tilesOf } from './heatmap-painter.js';
import { PROBABILITY } from './heatmap-styles.js';
import { SnappedGridLayer } from './snapped-grid-layer.js';

/**
 * @typedef {import('./types.d.ts').CellStore} CellStore
 * @typedef {import('./types.d.ts').OverlaySettings} OverlaySettings
 */

/** The heat map over the slide. Its colours come from the browser: no setting asks the server. */
export class HeatmapLayer extends SnappedGridLayer {
  /**
   * @param {CellStore} store
   * @param {{width: number, height: number}} slide_l0_px
   * @param {OverlaySettings} settings
   * @param {import('./heatmap-styles.js').HeatmapStyle} [style]
   */
  constructor(store, slide_l0_px, settings, style = PROBABILITY) {
    super({ tileSize: 256, keepBuffer: 1, className: 'heatmap-layer' });
    this.store = store;
    this.style = style;
    this.grid = new HeatmapGrid(store.info, slide_l0_px);
    this._repaintFrame = 0;
    /** Canvases that wait for values. */
    this._waiting = 0;
    this._settings = settings;
    this._lut = style.table(settings);
  }

  /** The level of the heat map that is shown at the map's zoom. */
  get shownLevel() {
    return this.grid.levelFor(this._map.getZoom());
  }

  /** @param {OverlaySettings} settings */
  setSettings(settings) {
    this._settings = settings;
    this._lut = this.style.table(settings);
    this.applyVisibility();
    this.repaint();
  }

  /** @param {boolean} [peeking] the raw tissue is looked at for a moment */
  applyVisibility(peeking = false) {
    if (!this._container) return;
    this._container.style.opacity = String(this._settings.opacity);
    this._container.style.visibility = this._settings.shown && !peeking ? 'visible' : 'hidden';
  }

  /** @param {L.Map} map */
  onAdd(map) {
    super.onAdd(map);
    this.applyVisibility();
    return this;
  }

  /** @param {L.Coords} coords */
  _isValidTile(coords) {
    const { left, top, right, bottom } = this.grid.extent;
    const box = this.tileBox(coords);
    const scale = 2 ** coords.z;
    const across = box.right > left * scale && box.left < right * scale;
    return across && box.bottom > top * scale && box.top < bottom * scale;
  }

  /**
   * @param {L.Coords} _coords
   * @param {L.DoneCallback} done
   */
  createTile(_coords, done) {
    const canvas = document.createElement('canvas');
    this._whenPlaced.set(canvas, done);
    return canvas;
  }

  /** Tiles that were made but not placed yet. @type {WeakMap<HTMLElement, L.DoneCallback>} */
  _whenPlaced = new WeakMap();
  /** What each canvas shows. @type {WeakMap<HTMLElement, import('./heatmap-painter.js').View>} */
  _views = new WeakMap();

  /**
   * @param {import('./leaflet-internals.d.ts').TileEntry} tile
   * @param {import('./snapped-grid-layer.js').Box} box
   * @param {number} scale
   */
  onTilePlaced(tile, box, scale) {
    const canvas = /** @type {HTMLCanvasElement} */ (tile.el);
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    this._views.set(canvas, { left: box.left, top: box.top, width, height, scale });
    canvas.width = width;
    canvas.height = height;
    this._paint(canvas);
    const done = this._whenPlaced.get(canvas);
    this._whenPlaced.delete(canvas);
    this._fetchFor(canvas).then(() => done?.(undefined, canvas));
  }

  /**
   * Fetch what a canvas needs. A tile that cannot be had now is asked for again with `retry`.
   * @param {HTMLCanvasElement} canvas
   */
  async _fetchFor(canvas) {
    const view = this._views.get(canvas);
    if (!view) return;
    const level = this._levelOf(view);
    const tiles = tilesOf(this.grid, level, view, this.store.tileCells);
    this._wait(1);
    await Promise.allSettled(tiles.map(tile => this.store.load(...tile)));
    this._wait(-1);
  }

  /**
   * `aria-busy` while coarser values, or none, stand for some that are to come.
   * @param {1 | -1} more
   */
  _wait(more) {
    this._waiting += more;
    this._container?.setAttribute('aria-busy', String(this._waiting > 0));
  }

  /** @param {import('./heatmap-painter.js').View} view */
  _levelOf(view) {
    return this.grid.levelFor(Math.log2(view.scale / window.devicePixelRatio));
  }

  /** @param {HTMLCanvasElement} canvas */
  _paint(canvas) {
    const view = this._views.get(canvas);
    const context = canvas.getContext('2d');
    if (!view?.width || !view.height || !context) return;
    const { smooth, hatch } = this._settings;
    const style = { lut: this._lut, smooth, hatch: hatch || this.style.alwaysHatched };
    paintCells(context, this.store, this.grid, this._levelOf(view), view, style);
  }

  /** Paint all tiles anew, once per frame at most. */
  repaint() {
    if (this._repaintFrame) return;
    this._repaintFrame = requestAnimationFrame(() => {
      this._repaintFrame = 0;
      this._eachCanvas(canvas => this._paint(canvas));
    });
  }

  /** Ask again for what could not be had. */
  retry() {
    this._eachCanvas(canvas => this._fetchFor(canvas));
  }

  /** @param {(canvas: HTMLCanvasElement) => void} act */
  _eachCanvas(act) {
    for (const tile of Object.values(this._tiles ?? {})) {
      act(/** @type {HTMLCanvasElement} */ (tile.el));
    }
  }
}
