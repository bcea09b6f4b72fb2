// @ts-check
import { LookAhead } from './look-ahead.js';
import { SnappedGridLayer } from './snapped-grid-layer.js';
import { abort, TilePictures } from './tile-pictures.js';

/** @typedef {import('./types.d.ts').DeepZoomInfo} DeepZoomInfo */

/** A tile that did not come is asked for again after these waits. */
const RETRY_WAITS_MS = [500, 2000, 8000];
/** Tiles are enlarged by 2^0.25 at most before the next sharper level is taken. */
const ENLARGE_ZOOMS = 0.25;

/** The slide: Deep Zoom tiles, each shown with its own width and height. */
export class DeepZoomLayer extends SnappedGridLayer {
  /**
   * @param {DeepZoomInfo} info
   * @param {L.GridLayerOptions} [options]
   */
  constructor(info, options = {}) {
    super({
      tileSize: info.tileSizePx,
      minNativeZoom: -info.maxLevel,
      maxNativeZoom: 0,
      keepBuffer: 3,
      lookAhead: true,
      ...options,
    });
    this.info = info;
    this._pictures = new TilePictures();
    this._ahead = new LookAhead(this, this._pictures);
    /** Tiles that did not come, with what asks for them again. @type {Map<HTMLElement, () => void>} */
    this._failed = new Map();
    /** Set once the slide is gone: nothing is asked for any more. */
    this._gaveUp = false;
    /** Set during a flight: only what is seen at its end is fetched. */
    this._flying = false;
    this.on('tileload', () => this._ahead.planSoon());
  }

  /** @param {L.Map} map */
  onAdd(map) {
    this._ahead.watch(map);
    return super.onAdd(map);
  }

  /** @param {number} zoom */
  levelFor(zoom) {
    return Math.ceil(zoom + Math.log2(window.devicePixelRatio) - ENLARGE_ZOOMS);
  }

  /**
   * The nearest zoom at which a tile covers a whole number of device pixels: there, rounding tile
   * edges moves nothing. The steps are so fine (half a percent) that zooming stays smooth.
   * @param {number} zoom
   */
  exactZoom(zoom) {
    const level = this._clampZoom(zoom);
    const nativePx = this.info.tileSizePx * window.devicePixelRatio;
    return level + Math.log2(Math.max(1, Math.round(nativePx * 2 ** (zoom - level))) / nativePx);
  }

  /** @param {number} zoom tile zoom, ≤ 0 */
  levelSize(zoom) {
    const factor = 2 ** -zoom;
    return {
      width: Math.ceil(this.info.widthPx / factor),
      height: Math.ceil(this.info.heightPx / factor),
    };
  }

  /** @param {L.Coords} coords */
  tileBox(coords) {
    const box = super.tileBox(coords);
    const level = this.levelSize(coords.z);
    return {
      ...box,
      right: Math.min(box.right, level.width),
      bottom: Math.min(box.bottom, level.height),
    };
  }

  /** @param {L.Coords} coords */
  _isValidTile(coords) {
    const size = this.info.tileSizePx;
    const { width, height } = this.levelSize(coords.z);
    const [x, y] = [coords.x * size, coords.y * size];
    return x >= 0 && y >= 0 && x < width && y < height;
  }

  /** @param {L.Coords} coords */
  tileUrl({ x, y, z }) {
    return `${this.info.tilesUrl}/${this.info.maxLevel + z}/${x}_${y}.${this.info.format}`;
  }

  /**
   * @param {L.Coords} coords
   * @param {L.DoneCallback} done
   */
  createTile(coords, done) {
    if (this._gaveUp) return new Image();
    const url = this.tileUrl(coords);
    const { image, ready } = this._pictures.take(url);
    void this._show(image, url, ready, done, 0);
    return image;
  }

  /**
   * Until a tile is decoded its coarser parents stay on the screen: nothing ever flashes.
   * @param {HTMLImageElement} image
   * @param {string} url
   * @param {Promise<void>} ready
   * @param {L.DoneCallback} done
   * @param {number} tries
   */
  async _show(image, url, ready, done, tries) {
    try {
      await ready;
    } catch {
      this._retryLater(image, url, done, tries);
      return;
    }
    done(undefined, image);
  }

  /**
   * @param {HTMLImageElement} image
   * @param {string} url
   * @param {L.DoneCallback} done
   * @param {number} tries
   */
  _retryLater(image, url, done, tries) {
    if (!image.hasAttribute('src') || this._gaveUp) return; // taken off the map meanwhile
    this.fire('tilemissing');
    const again = () => {
      window.clearTimeout(timer);
      this._failed.delete(image);
      if (!image.hasAttribute('src') || this._gaveUp) return;
      image.src = url;
      void this._show(image, url, image.decode(), done, tries + 1);
    };
    const timer =
      tries < RETRY_WAITS_MS.length ? window.setTimeout(again, RETRY_WAITS_MS[tries]) : 0;
    this._failed.set(image, again);
  }

  /** Ask again for every tile that did not come. */
  retryFailed() {
    for (const again of [...this._failed.values()]) again();
  }

  /** The slide is gone: what is shown stays, nothing more is asked for. */
  giveUp() {
    this._gaveUp = true;
    this._failed.clear();
    this._pictures.fetchAhead([]);
    for (const tile of Object.values(this._tiles)) {
      if (!tile.loaded) abort(/** @type {HTMLImageElement} */ (tile.el));
    }
  }

  /** @param {string} key */
  _removeTile(key) {
    const tile = this._tiles[key];
    if (!tile) return;
    const image = /** @type {HTMLImageElement} */ (tile.el);
    this._failed.delete(image);
    super._removeTile(key);
    if (tile.loaded) this._pictures.keep(this.tileUrl(tile.coords), image);
    else abort(image);
  }

  /** @param {L.LatLng} [center] */
  _update(center) {
    if (!this._map || this._flying) return;
    super._update(center);
    this._dropUnseen(center);
    this._ahead.planSoon();
  }

  /**
   * Nobody waits for a tile that left the view before it came.
   * @param {L.LatLng} [center]
   */
  _dropUnseen(center = this._map.getCenter()) {
    const seen = this._pxBoundsToTileRange(this._getTiledPixelBounds(center));
    for (const [key, { coords, loaded }] of Object.entries(this._tiles)) {
      if (!loaded && !seen.contains(coords)) this._removeTile(key);
    }
  }

  /**
   * What covers a tile that is still to come stays, be it coarser or finer, as many levels away as it
   * may; everything else that is not looked at goes.
   */
  _pruneTiles() {
    if (!this._map) return;
    const tiles = Object.entries(this._tiles);
    const awaited = tiles
      .filter(([, { current, active }]) => current && !active)
      .map(([, { coords }]) => this._reach(coords));
    for (const [key, { coords, current, loaded }] of tiles) {
      if (current) continue;
      const reach = this._reach(coords);
      if (!loaded || !awaited.some(other => overlap(reach, other))) this._removeTile(key);
    }
  }

  /**
   * What a tile covers, in level-0 px.
   * @param {L.Coords} coords
   */
  _reach({ x, y, z }) {
    const side = this.info.tileSizePx / 2 ** z;
    return { left: x * side, top: y * side, right: (x + 1) * side, bottom: (y + 1) * side };
  }

  /** Whether everything that is looked at is here, and something may be fetched ahead. */
  get isContent() {
    if (!this.options.lookAhead || !this._map || this._gaveUp) return false;
    return Object.values(this._tiles).every(({ current, loaded }) => !current || loaded);
  }

  /** What is looked at, in tiles of its level; the far edges included. */
  get seen() {
    const range = this._pxBoundsToTileRange(this._getTiledPixelBounds(this._map.getCenter()));
    return { z: /** @type {number} */ (this._tileZoom), ...corners(range) };
  }

  /**
   * The addresses of those that lie on the slide and are not on the map.
   * @param {import('./prefetch.js').TileAt[]} tiles
   */
  urlsOf(tiles) {
    return tiles
      .map(({ x, y, z }) => /** @type {L.Coords} */ (Object.assign(L.point(x, y), { z })))
      .filter(({ z }) => z <= 0 && z >= -this.info.maxLevel)
      .filter(at => this._isValidTile(at) && !this._tiles[this._tileCoordsToKey(at)])
      .map(at => this.tileUrl(at));
  }

  /**
   * The view flies there: what is seen on arrival is fetched, and nothing on the way.
   * @param {{x: number, y: number, zoom: number} | null} goal null: the flight has ended
   */
  headFor(goal) {
    this._flying = goal !== null;
    this._ahead.paused = this._flying;
    if (!goal || this._gaveUp) return;
    const z = this._clampZoom(goal.zoom);
    const half = this._map.getSize().divideBy(2 * 2 ** (goal.zoom - z));
    const middle = L.point(goal.x, goal.y).multiplyBy(2 ** z);
    const seen = L.bounds(middle.subtract(half), middle.add(half));
    const { left, top, right, bottom } = corners(this._pxBoundsToTileRange(seen));
    const tiles = [];
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) tiles.push({ x, y, z });
    }
    this._pictures.fetchAhead(this.urlsOf(tiles), 'high');
  }

  /**
   * Only edges that two tiles share are rounded.
   * @param {L.Coords} coords
   * @param {number} scale device px per pixel of the level
   */
  snappedBox(coords, scale) {
    const box = this.tileBox(coords);
    const { width, height } = this.levelSize(coords.z);
    const snapped = super.snappedBox(coords, scale);
    if (box.right === width) snapped.right = width * scale;
    if (box.bottom === height) snapped.bottom = height * scale;
    return snapped;
  }

  /**
   * The last pixel of a coarse level reaches beyond the slide; that part is cut off. (Not exactly at
   * the other edges: a cut is soft, and neighbours meet there.)
   * @param {import('./leaflet-internals.d.ts').TileEntry} tile
   * @param {import('./snapped-grid-layer.js').Box} box
   * @param {number} scale
   */
  onTilePlaced(tile, box, scale) {
    const right = Math.max(0, box.right - this.info.widthPx * scale);
    const bottom = Math.max(0, box.bottom - this.info.heightPx * scale);
    const ratio = window.devicePixelRatio;
    tile.el.style.clipPath =
      right || bottom ? `inset(-1px ${right / ratio}px ${bottom / ratio}px -1px)` : '';
  }
}

/**
 * The whole slide in a few tiles of one coarse level, below the others: what a fast pan shows first.
 */
class Backdrop extends DeepZoomLayer {
  /** All of it, wherever the view is. */
  _getTiledPixelBounds() {
    const { width, height } = this.levelSize(/** @type {number} */ (this._tileZoom));
    return L.bounds(L.point(0, 0), L.point(width, height));
  }
}

/** @param {DeepZoomInfo} info */
export function backdropLayer(info) {
  const longest = Math.max(info.widthPx, info.heightPx);
  const zoom = -Math.max(0, Math.ceil(Math.log2(longest / 1024)));
  const options = { minNativeZoom: zoom, maxNativeZoom: zoom, lookAhead: false };
  return new Backdrop(info, options);
}

/**
 * @param {import('./snapped-grid-layer.js').Box} a
 * @param {import('./snapped-grid-layer.js').Box} b
 */
function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** @param {L.Bounds} range of tiles */
function corners(range) {
  const [min, max] = [/** @type {L.Point} */ (range.min), /** @type {L.Point} */ (range.max)];
  return { left: min.x, top: min.y, right: max.x, bottom: max.y };
}
