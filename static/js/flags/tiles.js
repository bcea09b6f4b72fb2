// @ts-check
/**
 * What the server tells of the flags of a slide, square by square, for the zoom that is shown. At a
 * square of zoom z a side is 1024 CSS px; flags shorter than a few px there come as clusters.
 */
import { ApiError, ConnectionLost, json } from '../api.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').Cluster} Cluster
 * @typedef {import('./types.d.ts').FlagList} FlagList
 * @typedef {{flags: Flag[], clusters: Cluster[], epoch: number}} Square
 */

export const SIDE_PX = 1024;
const SMALLEST_PX = 6;
/** From this zoom on (one level-0 px on half a CSS px) every flag is drawn by itself. */
const ALL_FROM_ZOOM = -1;
const MOST_KEPT = 160;

export class FlagTiles extends EventTarget {
  /** @param {string} slideId */
  constructor(slideId) {
    super();
    this._url = `/api/v1/slides/${slideId}/flags`;
    /** Grows whenever what was fetched may be out of date. */
    this.epoch = 0;
    /** @type {Map<string, Square>} */
    this._squares = new Map();
    /** @type {Map<string, number>} the epoch each was asked for at */
    this._asked = new Map();
    /** How many squares are on their way. */
    this.underWay = 0;
    /** The oldest state of the flags that squares here were fetched in; see `FlagStore`. */
    this.onState = (/** @type {string | null} */ _touchedAt) => {};
  }

  /**
   * @param {number} z
   * @param {number} x
   * @param {number} y
   */
  get(z, x, y) {
    return this._squares.get(keyOf(z, x, y));
  }

  /** Fetch a square, unless it is there or under way. Tells 'square' with its place when it came. */
  async load(/** @type {number} */ z, /** @type {number} */ x, /** @type {number} */ y) {
    const key = keyOf(z, x, y);
    const epoch = this.epoch;
    if ((this._asked.get(key) ?? -1) >= epoch) return;
    this._asked.set(key, epoch);
    this._count(1);
    try {
      /** @type {FlagList} */
      const { items, clusters, touched_at } = await json(`${this._url}?${query(z, x, y)}`);
      if ((this._squares.get(key)?.epoch ?? -1) > epoch) return; // a newer answer was quicker
      this.onState(touched_at);
      this._squares.delete(key);
      this._squares.set(key, { flags: items, clusters, epoch });
      this._forget();
      this.dispatchEvent(new CustomEvent('square', { detail: { z, x, y } }));
    } catch (error) {
      this._asked.delete(key); // `refresh` asks again when the server is back
      if (!(error instanceof ApiError || error instanceof ConnectionLost)) throw error;
    } finally {
      this._count(-1);
    }
  }

  /** @param {1 | -1} more */
  _count(more) {
    this.underWay += more;
    this.dispatchEvent(new Event('underway'));
  }

  /** Everything may have changed: squares are fetched anew, the old ones stay until then. */
  refresh() {
    this.epoch += 1;
    this.dispatchEvent(new Event('stale'));
  }

  _forget() {
    for (const key of this._squares.keys()) {
      if (this._squares.size <= MOST_KEPT) return;
      this._squares.delete(key);
      this._asked.delete(key);
    }
  }
}

/**
 * @param {number} z
 * @param {number} x
 * @param {number} y
 */
function keyOf(z, x, y) {
  return `${z}/${x}/${y}`;
}

/**
 * @param {number} z
 * @param {number} x
 * @param {number} y
 */
function query(z, x, y) {
  const side = SIDE_PX / 2 ** z;
  const box = [x * side, y * side, (x + 1) * side, (y + 1) * side];
  const smallest = z >= ALL_FROM_ZOOM ? 0 : SMALLEST_PX / 2 ** z;
  return new URLSearchParams({
    bbox: box.map(value => String(value)).join(','),
    min_size_l0_px: String(smallest),
  });
}
