// @ts-check
/** @typedef {import('./types.d.ts').HeatmapInfo} HeatmapInfo */

/** Where the cells of a heat map lie; level k has cells of 2^k × 2^k cells of level 0. */
export class HeatmapGrid {
  /**
   * @param {HeatmapInfo} info
   * @param {{width: number, height: number}} slide_l0_px the cells at its edges reach beyond it
   */
  constructor(info, slide_l0_px) {
    this.geometry = info.geometry;
    this.levels = info.levels;
    this.slide = slide_l0_px;
  }

  /**
   * The finest level whose cells are at least one CSS pixel wide, or the coarsest there is.
   * @param {number} zoom
   */
  levelFor(zoom) {
    const { step_l0_x_px, step_l0_y_px } = this.geometry;
    const cellPx = Math.min(step_l0_x_px, step_l0_y_px) * 2 ** zoom;
    return Math.min(this.levels - 1, Math.max(0, Math.ceil(-Math.log2(cellPx))));
  }

  /** @param {number} level */
  size(level) {
    const side = 2 ** level;
    return {
      columns: Math.ceil(this.geometry.columns / side),
      rows: Math.ceil(this.geometry.rows / side),
    };
  }

  /** @param {number} level */
  step(level) {
    return {
      x: this.geometry.step_l0_x_px * 2 ** level,
      y: this.geometry.step_l0_y_px * 2 ** level,
    };
  }

  get origin() {
    return { x: this.geometry.origin_l0_x_px, y: this.geometry.origin_l0_y_px };
  }

  /** What the whole grid covers in level 0, inside the slide. */
  get extent() {
    const { columns, rows, step_l0_x_px, step_l0_y_px } = this.geometry;
    const { x, y } = this.origin;
    return {
      left: Math.max(0, x),
      top: Math.max(0, y),
      right: Math.min(this.slide.width, x + columns * step_l0_x_px),
      bottom: Math.min(this.slide.height, y + rows * step_l0_y_px),
    };
  }

  /**
   * The cell of a level at a point, or undefined outside the grid.
   * @param {number} level
   * @param {{x: number, y: number}} pointL0
   */
  cellAt(level, pointL0) {
    const step = this.step(level);
    const column = Math.floor((pointL0.x - this.origin.x) / step.x);
    const row = Math.floor((pointL0.y - this.origin.y) / step.y);
    const { columns, rows } = this.size(level);
    const inside = column >= 0 && row >= 0 && column < columns && row < rows;
    return inside ? { level, column, row } : undefined;
  }

  /**
   * What a cell covers in level 0, cut at the edges of slide and grid.
   * @param {{level: number, column: number, row: number}} cell
   */
  cellBox({ level, column, row }) {
    const step = this.step(level);
    const { right, bottom } = this.extent;
    const [left, top] = [this.origin.x + column * step.x, this.origin.y + row * step.y];
    return {
      left: Math.max(0, left),
      top: Math.max(0, top),
      right: Math.min(left + step.x, right),
      bottom: Math.min(top + step.y, bottom),
    };
  }
}
