// @ts-check
/**
 * @typedef {import('./types.d.ts').HeatmapInfo} HeatmapInfo
 * @typedef {import('./heatmap-store.js').HeatmapStore} HeatmapStore
 * @typedef {import('./png-grey.js').GreyImage} GreyImage
 * @typedef {keyof import('./types.d.ts').HeatmapGeometry} Place
 */

/** The value of two cells that say the same. */
const EQUAL = 128;

/** What places the cells; the server compares two heat maps by the same fields. */
const PLACES = /** @type {const} */ ([
  'columns',
  'rows',
  'origin_l0_x_px',
  'origin_l0_y_px',
  'step_l0_x_px',
  'step_l0_y_px',
]);

/**
 * Whether two heat maps have the same cells, in the same levels and tiles.
 * @param {HeatmapInfo} one
 * @param {HeatmapInfo} two
 * @returns {{size: boolean, place: boolean, extent: boolean}} what differs
 */
export function differingCells(one, two) {
  const differ = (/** @type {Place} */ name) => one.geometry[name] !== two.geometry[name];
  const [columns, rows, originX, originY, stepX, stepY] = PLACES.map(differ);
  const tiling = one.levels !== two.levels || one.tile_size_cells !== two.tile_size_cells;
  return { size: stepX || stepY, place: originX || originY, extent: columns || rows || tiling };
}

/**
 * The value of a difference, 1…255 for −1…+1: half as fine as the values it is made of. 0 where one
 * of the two was not analysed, which is no difference of 0.
 * @param {number} mine
 * @param {number} other
 */
function combine(mine, other) {
  return mine && other ? EQUAL + Math.trunc((mine - other) / 2) : 0;
}

/** −1…+1 of a value 1…255. @param {number} value */
export function toDifference(value) {
  return (value - EQUAL) / (EQUAL - 1);
}

/**
 * One heat map minus another one with the same cells, to be painted and read like one. A cell of a
 * coarser level is the difference of two maxima, which may lie in different cells.
 */
export class DifferenceStore {
  /**
   * @param {HeatmapStore} mine
   * @param {HeatmapStore} other
   */
  constructor(mine, other) {
    this.info = mine.info;
    this._mine = mine;
    this._other = other;
    /** @type {(level: number) => void} */
    this.onChange = () => {};
    for (const store of [mine, other]) store.onChange = level => this.onChange(level);
    /** By the values it was made of, so that it goes when they do. @type {WeakMap<Uint8Array, {other: Uint8Array, values: Uint8Array}>} */
    this._combined = new WeakMap();
  }

  get tileCells() {
    return this._mine.tileCells;
  }

  /**
   * As of one heat map; both tiles of a level must be at hand.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   * @returns {import('./heatmap-store.js').Found | undefined}
   */
  find(level, column, row) {
    for (let shift = 0; level + shift < this.info.levels; shift++) {
      const at = /** @type {const} */ ([level + shift, column >> shift, row >> shift]);
      const [mine, other] = [this._mine.tile(...at), this._other.tile(...at)];
      if (mine && other) return { values: this._combine(mine, other), width: mine.width, shift };
    }
    return undefined;
  }

  /**
   * @param {GreyImage} mine
   * @param {GreyImage} other
   */
  _combine(mine, other) {
    const known = this._combined.get(mine.values);
    if (known?.other === other.values) return known.values;
    const values = mine.values.map((value, i) => combine(value, other.values[i]));
    this._combined.set(mine.values, { other: other.values, values });
    return values;
  }

  /**
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  async load(level, column, row) {
    await Promise.all([this._mine.load(level, column, row), this._other.load(level, column, row)]);
  }

  /**
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  valueAt(level, column, row) {
    const [mine, other] = this.valuesAt(level, column, row);
    return mine === undefined || other === undefined ? undefined : combine(mine, other);
  }

  /**
   * What both heat maps hold for a cell.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  valuesAt(level, column, row) {
    return [this._mine, this._other].map(store => store.valueAt(level, column, row));
  }
}
