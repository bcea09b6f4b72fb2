// @ts-check
import { SnappedGridLayer } from '../snapped-grid-layer.js';
import { distanceTo, toParts } from './geometry.js';
import { clusterRadius, MARK_PX, markPlace, paintFlags } from './paint.js';
import { SIDE_PX } from './tiles.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').Cluster} Cluster
 * @typedef {import('./paint.js').View} View
 * @typedef {import('./store.js').FlagStore} FlagStore
 */

/** So near to a line a pointer hits it. */
const REACH_PX = 8;
/** Marks and lines reach so far out of their square. */
const OVERHANG_PX = 32;

/** All flags over the slide but the selected one, in canvases that pan with the slide. */
export class FlagLayer extends SnappedGridLayer {
  /**
   * @param {FlagStore} store
   * @param {{width: number, height: number}} slide_l0_px
   */
  constructor(store, slide_l0_px) {
    super({ tileSize: SIDE_PX, keepBuffer: 1, className: 'flag-layer', pane: 'flags' });
    this._store = store;
    this._slide = slide_l0_px;
    this._frame = 0;
    /** @type {Set<HTMLCanvasElement>} */
    this._dirty = new Set();
    /** @type {WeakMap<HTMLElement, {view: View, coords: L.Coords}>} */
    this._views = new WeakMap();
    store.tiles.addEventListener('square', event => {
      this._soilAround(/** @type {CustomEvent} */ (event).detail);
    });
    store.tiles.addEventListener('underway', () => this._tellWhileComing());
    store.tiles.addEventListener('stale', () => this._eachTile(coords => this._load(coords)));
    store.addEventListener('local', () => this._eachTile((_, canvas) => this._soil(canvas)));
  }

  /** @param {L.Coords} coords */
  _isValidTile(coords) {
    const { left, top, right, bottom } = this.tileBox(coords);
    const scale = 2 ** coords.z;
    const margin = 0.1 * Math.max(this._slide.width, this._slide.height) * scale;
    return (
      right > -margin &&
      bottom > -margin &&
      left < this._slide.width * scale + margin &&
      top < this._slide.height * scale + margin
    );
  }

  /**
   * @param {L.Coords} _coords
   * @param {L.DoneCallback} done
   */
  createTile(_coords, done) {
    const canvas = document.createElement('canvas');
    queueMicrotask(() => done(undefined, canvas));
    return canvas;
  }

  /**
   * @param {import('../leaflet-internals.d.ts').TileEntry} tile
   * @param {import('../snapped-grid-layer.js').Box} box
   * @param {number} scale
   */
  onTilePlaced(tile, box, scale) {
    const canvas = /** @type {HTMLCanvasElement} */ (tile.el);
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    canvas.width = width;
    canvas.height = height;
    this._views.set(canvas, {
      view: { left: box.left, top: box.top, width, height, scale },
      coords: tile.coords,
    });
    this._paint(canvas);
    this._load(tile.coords);
  }

  /** `aria-busy` while flags may be missing that are to come. */
  _tellWhileComing() {
    this._container?.setAttribute('aria-busy', String(this._store.tiles.underWay > 0));
  }

  /** @param {L.Coords} coords */
  _load({ z, x, y }) {
    void this._store.tiles.load(z, x, y);
  }

  /**
   * Paint a square that came, and those beside it that its marks hang over into.
   * @param {{z: number, x: number, y: number}} came
   */
  _soilAround(came) {
    this._eachTile((coords, canvas) => {
      if (coords.z !== came.z) return;
      const [dx, dy] = [Math.abs(coords.x - came.x), Math.abs(coords.y - came.y)];
      if ((!dx && !dy) || (dx <= 1 && dy <= 1 && this._hangsOver(came, coords, canvas))) {
        this._soil(canvas);
      }
    });
  }

  /**
   * Whether a square holds something that is to be drawn beside it and is not known there.
   * @param {{z: number, x: number, y: number}} came
   * @param {L.Coords} coords
   * @param {HTMLCanvasElement} canvas
   */
  _hangsOver(came, coords, canvas) {
    const square = this._store.tiles.get(came.z, came.x, came.y);
    const beside = this._store.tiles.get(coords.z, coords.x, coords.y);
    const placed = this._views.get(canvas);
    if (!square || !beside || !placed) return false; // painted when its own square comes
    const box = reach(placed.view);
    const known = new Set(beside.flags.map(flag => flag.id));
    return (
      square.clusters.some(({ x_l0_px: x, y_l0_px: y }) => meets([x, y, x, y], box)) ||
      square.flags.some(flag => !known.has(flag.id) && meets(flag.bbox_l0_px, box))
    );
  }

  /** @param {HTMLCanvasElement} canvas painted anew with the next frame */
  _soil(canvas) {
    this._dirty.add(canvas);
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      for (const soiled of this._dirty) this._paint(soiled);
      this._dirty.clear();
    });
  }

  /** @param {HTMLCanvasElement} canvas */
  _paint(canvas) {
    const placed = this._views.get(canvas);
    const context = canvas.getContext('2d');
    if (!placed?.view.width || !placed.view.height || !context) return;
    const { view, coords } = placed;
    const { flags, clusters } = this._around(coords, view);
    const isEmpty = !flags.length && !clusters.length;
    // An empty canvas would be put together with the others all the same.
    canvas.style.display = isEmpty ? 'none' : '';
    if (!isEmpty) paintFlags(context, view, flags, clusters, this._store.labels);
  }

  /**
   * What is to be drawn in a square: its own and what hangs over from its neighbours.
   * @param {{x: number, y: number, z: number}} coords
   * @param {View} view
   */
  _around(coords, view) {
    const box = reach(view);
    /** @type {Map<string, Flag>} */
    const flags = new Map();
    /** @type {Cluster[]} */
    const clusters = [];
    for (let dx = -1; dx <= 1; dx += 1) {
      for (let dy = -1; dy <= 1; dy += 1) {
        const square = this._store.tiles.get(coords.z, coords.x + dx, coords.y + dy);
        if (!square) continue;
        for (const flag of square.flags) {
          if (meets(flag.bbox_l0_px, box) && !this._store.replaces(flag.id, square.epoch)) {
            flags.set(flag.id, flag);
          }
        }
        for (const cluster of square.clusters) {
          const { x_l0_px: x, y_l0_px: y } = cluster;
          if (meets([x, y, x, y], box)) clusters.push(cluster);
        }
      }
    }
    const epoch = this._store.tiles.get(coords.z, coords.x, coords.y)?.epoch ?? -1;
    for (const flag of this._store.localFlags(epoch)) {
      if (meets(flag.bbox_l0_px, box)) flags.set(flag.id, flag);
    }
    return { flags: [...flags.values()], clusters };
  }

  /**
   * What lies under a point of the map: the smallest flag there, or a cluster.
   * @param {L.LatLng} latLng
   * @returns {{flag?: Flag, cluster?: Cluster}}
   */
  at(latLng) {
    const scale = 2 ** this._map.getZoom();
    const z = this._tileZoom ?? Math.round(this._map.getZoom());
    const side = SIDE_PX / 2 ** z;
    const [x, y] = [latLng.lng, latLng.lat];
    const coords = { x: Math.floor(x / side), y: Math.floor(y / side), z };
    const ratio = window.devicePixelRatio;
    const [width, height] = [2 * ratio, 2 * ratio];
    const view = { left: x * scale * ratio, top: y * scale * ratio, width, height };
    const { flags, clusters } = this._around(coords, { ...view, scale: scale * ratio });
    const cluster = clusters.find(
      found =>
        Math.hypot(found.x_l0_px - x, found.y_l0_px - y) * scale <= clusterRadius(found.count),
    );
    const hit = flags.filter(flag => this._isHit(flag, x, y, scale));
    const size = (/** @type {Flag} */ { bbox_l0_px: [l, t, r, b] }) => (r - l) * (b - t);
    hit.sort((a, b) => size(a) - size(b));
    return hit.length ? { flag: hit[0] } : { cluster };
  }

  /**
   * @param {Flag} flag
   * @param {number} x
   * @param {number} y
   * @param {number} scale
   */
  _isHit(flag, x, y, scale) {
    const [markX, markY] = markPlace(flag);
    if (Math.hypot(markX - x, markY - y) * scale <= MARK_PX / 2 + 2) return true;
    return distanceTo(flag.kind, toParts(flag.geometry), [x, y]) * scale <= REACH_PX;
  }

  /** @param {(coords: L.Coords, canvas: HTMLCanvasElement) => void} act */
  _eachTile(act) {
    for (const tile of Object.values(this._tiles ?? {})) {
      act(tile.coords, /** @type {HTMLCanvasElement} */ (tile.el));
    }
  }
}

/**
 * @param {import('./types.d.ts').Bounds} bounds
 * @param {import('../snapped-grid-layer.js').Box} box
 */
function meets([left, top, right, bottom], box) {
  return left <= box.right && right >= box.left && top <= box.bottom && bottom >= box.top;
}

/**
 * What is to be drawn in a view: its part of level 0, and as much around as marks hang over.
 * @param {View} view
 */
function reach({ left, top, width, height, scale }) {
  const overhang = OVERHANG_PX * window.devicePixelRatio;
  return {
    left: (left - overhang) / scale,
    top: (top - overhang) / scale,
    right: (left + width + overhang) / scale,
    bottom: (top + height + overhang) / scale,
  };
}
