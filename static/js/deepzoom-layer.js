// @ts-check
import { SnappedGridLayer } from './snapped-grid-layer.js';

/** @typedef {import('./types.d.ts').DeepZoomInfo} DeepZoomInfo */

const DEEP_ZOOM_NAMESPACE = 'http://schemas.microsoft.com/deepzoom/2008';
/** A tile that did not come is asked for again after these waits. */
const RETRY_WAITS_MS = [500, 2000, 8000];
/** Tiles are enlarged by 2^0.25 at most before the next sharper level is taken. */
const ENLARGE_ZOOMS = 0.25;

/**
 * What a .dzi says. Throws if it is no descriptor that this layer can show.
 * @param {string} xml
 * @param {string} url the address of the descriptor; the tiles lie beside it
 * @returns {DeepZoomInfo}
 */
export function parseDescriptor(xml, url) {
  const image = new DOMParser().parseFromString(xml, 'application/xml').documentElement;
  const size = image.getElementsByTagNameNS(DEEP_ZOOM_NAMESPACE, 'Size')[0];
  const [widthPx, heightPx] = ['Width', 'Height'].map(name => Number(size?.getAttribute(name)));
  const tileSizePx = Number(image.getAttribute('TileSize'));
  const format = image.getAttribute('Format') ?? '';
  if (!widthPx || !heightPx || !tileSizePx || !format || image.getAttribute('Overlap') !== '0') {
    throw new Error('The Deep Zoom descriptor is incomplete, or its tiles overlap.');
  }
  const maxLevel = Math.ceil(Math.log2(Math.max(widthPx, heightPx)));
  const tilesUrl = url.replace(/\.dzi$/, '_files');
  return { tilesUrl, tileSizePx, format, widthPx, heightPx, maxLevel };
}

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
      ...options,
    });
    this.info = info;
    /** Tiles that did not come, with what asks for them again. @type {Map<HTMLElement, () => void>} */
    this._failed = new Map();
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
    const image = new Image();
    image.alt = '';
    image.decoding = 'async';
    image.draggable = false;
    this._load(image, this.tileUrl(coords), done, 0);
    return image;
  }

  /**
   * Until a tile is decoded its coarser parents stay on the screen: nothing ever flashes.
   * @param {HTMLImageElement} image
   * @param {string} url
   * @param {L.DoneCallback} done
   * @param {number} tries
   */
  async _load(image, url, done, tries) {
    image.src = url;
    try {
      await image.decode();
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
    if (!image.hasAttribute('src')) return; // taken off the map meanwhile
    this.fire('tilemissing');
    const again = () => {
      window.clearTimeout(timer);
      this._failed.delete(image);
      if (image.hasAttribute('src')) this._load(image, url, done, tries + 1);
    };
    const timer =
      tries < RETRY_WAITS_MS.length ? window.setTimeout(again, RETRY_WAITS_MS[tries]) : 0;
    this._failed.set(image, again);
  }

  /** Ask again for every tile that did not come. */
  retryFailed() {
    for (const again of [...this._failed.values()]) again();
  }

  /** @param {string} key */
  _removeTile(key) {
    const image = this._tiles[key]?.el;
    if (image) this._failed.delete(image);
    image?.removeAttribute('src'); // stops a request under way
    super._removeTile(key);
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
 * @param {DeepZoomInfo} info
 */
export function backdropLayer(info) {
  const longest = Math.max(info.widthPx, info.heightPx);
  const zoom = -Math.max(0, Math.ceil(Math.log2(longest / 1024)));
  return new DeepZoomLayer(info, { minNativeZoom: zoom, maxNativeZoom: zoom, keepBuffer: 64 });
}
