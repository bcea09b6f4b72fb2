// @ts-check
import { decodeGreyPng } from './png-grey.js';

/**
 * @typedef {import('./types.d.ts').HeatmapInfo} HeatmapInfo
 * @typedef {import('./png-grey.js').GreyImage} GreyImage
 * @typedef {{values: Uint8Array, width: number, shift: number}} Found
 */

const TILES_KEPT = 512; // 64 KB each

/**
 * The values of one heat map, fetched tile by tile as somebody looks at them. Level k holds the
 * maximum of 2^k × 2^k cells. While the analysis runs, changed tiles are replaced in place.
 */
export class HeatmapStore {
  /**
   * @param {HeatmapInfo} info
   * @param {(url: string) => Promise<ArrayBuffer>} fetchBytes
   */
  constructor(info, fetchBytes) {
    this.info = info;
    this.revision = info.revision;
    /** Called with the level of a tile that came or changed. @type {(level: number) => void} */
    this.onChange = () => {};
    this._fetchBytes = fetchBytes;
    /** @type {Map<string, GreyImage>} */
    this._tiles = new Map();
    /** The newest request of each tile; older ones come to nothing. @type {Map<string, Promise<unknown>>} */
    this._pending = new Map();
  }

  /** Side of a value tile in cells. */
  get tileCells() {
    return this.info.tile_size_cells;
  }

  /**
   * A tile, if it is at hand.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  tile(level, column, row) {
    return this._tiles.get(keyOf(level, column, row));
  }

  /**
   * The values of a tile, or of a coarser one that covers it (`shift` levels up), if at hand.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   * @returns {Found | undefined}
   */
  find(level, column, row) {
    for (let shift = 0; level + shift < this.info.levels; shift++) {
      const tile = this.tile(level + shift, column >> shift, row >> shift);
      if (tile) return { values: tile.values, width: tile.width, shift };
    }
    return undefined;
  }

  /**
   * Fetch a tile unless it is at hand. Resolves when it is; rejects when it cannot be had.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  async load(level, column, row) {
    const key = keyOf(level, column, row);
    const tile = this._tiles.get(key);
    if (tile) {
      this._tiles.delete(key); // moves to the end: the tiles used last are kept
      this._tiles.set(key, tile);
      return;
    }
    await (this._pending.get(key) ?? this._fetch(level, column, row));
  }

  /**
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  async _fetch(level, column, row) {
    const key = keyOf(level, column, row);
    const work = this._read(level, column, row);
    /** @type {Promise<unknown>} */
    const outcome = work.then(
      tile => this._pending.get(key) === outcome && this._keep(key, tile, level),
    );
    this._pending.set(key, outcome);
    try {
      await outcome;
    } finally {
      if (this._pending.get(key) === outcome) this._pending.delete(key);
    }
  }

  /**
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  async _read(level, column, row) {
    const path = this.info.tile_url
      .replace('{level}', String(level))
      .replace('{column}', String(column))
      .replace('{row}', String(row));
    const url = `${path}?r=${encodeURIComponent(this.revision)}`;
    return decodeGreyPng(await this._fetchBytes(url));
  }

  /**
   * @param {string} key
   * @param {GreyImage} tile
   * @param {number} level
   */
  _keep(key, tile, level) {
    this._tiles.set(key, tile);
    for (const oldest of this._tiles.keys()) {
      if (this._tiles.size <= TILES_KEPT) break;
      this._tiles.delete(oldest);
    }
    this.onChange(level);
  }

  /**
   * Take in what the server says has changed: tiles at hand or under way are fetched anew, their
   * old values stay on the screen until the new ones are here.
   * @param {import('./types.d.ts').HeatmapChanges} changes
   */
  async update({ revision, tiles }) {
    this.revision = revision;
    const wanted = tiles.filter(([level, column, row]) => {
      const key = keyOf(level, column, row);
      return this._tiles.has(key) || this._pending.has(key);
    });
    await Promise.all(wanted.map(([level, column, row]) => this._fetch(level, column, row)));
  }

  /**
   * The stored value of a cell of a level: 1…255, 0 'not analysed', undefined 'not loaded yet'.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  valueAt(level, column, row) {
    const size = this.tileCells;
    const tile = this.tile(level, Math.floor(column / size), Math.floor(row / size));
    return tile?.values[(row % size) * tile.width + (column % size)];
  }

  /**
   * What the probe reads of a cell: of one heat map one value.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  valuesAt(level, column, row) {
    return [this.valueAt(level, column, row)];
  }
}

/**
 * @param {number} level
 * @param {number} column
 * @param {number} row
 */
function keyOf(level, column, row) {
  return `${level}/${column}/${row}`;
}
