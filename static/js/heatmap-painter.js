// @ts-check
/**
 * Paints cells on a canvas, pixel by pixel: each pixel shows the cell its centre lies in, nothing is
 * resampled. (Scaling a small picture of the cells would blur or shift their edges.)
 */

/**
 * @typedef {import('./types.d.ts').CellStore} CellStore
 * @typedef {import('./heatmap-grid.js').HeatmapGrid} HeatmapGrid
 * @typedef {{left: number, top: number, width: number, height: number, scale: number}} View
 *   device pixels from the slide's origin; `scale` device px per level-0 px
 * @typedef {{lut: Uint32Array, smooth: boolean, hatch: boolean}} Style
 */

const HATCH_PERIOD_PX = 9;
const HATCH_COLOUR = new Uint32Array(new Uint8ClampedArray([255, 255, 255, 200]).buffer)[0];

/**
 * The cell of each of `count` pixels along one axis; −1 outside the slide or the grid.
 * @param {number} first first pixel
 * @param {number} count
 * @param {number} scale pixels per level-0 px
 * @param {number} origin of the grid, level-0 px
 * @param {number} step of the cells, level-0 px
 * @param {number} cells
 * @param {number} length of the slide, level-0 px
 */
export function cellIndices(first, count, scale, origin, step, cells, length) {
  const indices = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const at = (first + i + 0.5) / scale;
    const index = Math.floor((at - origin) / step);
    indices[i] = at >= 0 && at < length && index >= 0 && index < cells ? index : -1;
  }
  return indices;
}

/**
 * @param {HeatmapGrid} grid
 * @param {number} level
 * @param {View} view
 */
function cellsOf(grid, level, view) {
  const { columns, rows } = grid.size(level);
  const { origin, slide } = grid;
  const step = grid.step(level);
  const { left, top, width, height, scale } = view;
  return {
    columns: cellIndices(left, width, scale, origin.x, step.x, columns, slide.width),
    rows: cellIndices(top, height, scale, origin.y, step.y, rows, slide.height),
  };
}

/**
 * The value tiles that a view needs, as [level, column, row].
 * @param {HeatmapGrid} grid
 * @param {number} level
 * @param {View} view
 * @param {number} tileCells
 * @returns {[number, number, number][]}
 */
export function tilesOf(grid, level, view, tileCells) {
  const { columns, rows } = cellsOf(grid, level, view);
  const tileIndices = (/** @type {Int32Array} */ cells) =>
    new Set([...cells].filter(cell => cell >= 0).map(cell => Math.floor(cell / tileCells)));
  const [across, down] = [tileIndices(columns), tileIndices(rows)];
  return [...down].flatMap(row =>
    [...across].map(column => /** @type {[number, number, number]} */ ([level, column, row])),
  );
}

/**
 * @param {CanvasRenderingContext2D} context of a canvas of view.width × view.height
 * @param {CellStore} store
 * @param {HeatmapGrid} grid
 * @param {number} level
 * @param {View} view
 * @param {Style} style
 */
export function paintCells(context, store, grid, level, view, style) {
  const image = context.createImageData(view.width, view.height);
  const pixels = new Uint32Array(image.data.buffer);
  const { columns, rows } = cellsOf(grid, level, view);
  const values = new Uint8Array(view.width);
  let painted = -2;
  for (let y = 0; y < view.height; y++) {
    const line = y * view.width;
    if (style.smooth) {
      smoothRow(values, store, grid, level, view, y);
    } else if (rows[y] !== painted) {
      cellRow(values, store, level, columns, rows[y]);
    } else if (!style.hatch) {
      pixels.copyWithin(line, line - view.width, line);
      continue;
    }
    painted = rows[y];
    for (let x = 0; x < view.width; x++) {
      pixels[line + x] = columns[x] < 0 || rows[y] < 0 ? 0 : style.lut[values[x]];
    }
    if (style.hatch && rows[y] >= 0) hatchRow(pixels, line, values, columns, view, y);
  }
  context.putImageData(image, 0, 0);
}

/**
 * @param {Uint8Array} values
 * @param {CellStore} store
 * @param {number} level
 * @param {Int32Array} columns
 * @param {number} row
 */
function cellRow(values, store, level, columns, row) {
  values.fill(0);
  if (row < 0) return;
  const size = store.tileCells;
  let tileColumn = -1;
  /** @type {import('./heatmap-store.js').Found | undefined} */
  let tile;
  for (let x = 0; x < columns.length; x++) {
    const column = columns[x];
    if (column < 0) continue;
    if (Math.floor(column / size) !== tileColumn) {
      tileColumn = Math.floor(column / size);
      tile = store.find(level, tileColumn, Math.floor(row / size));
    }
    if (!tile) continue;
    const [inRow, inColumn] = [(row >> tile.shift) % size, (column >> tile.shift) % size];
    values[x] = tile.values[inRow * tile.width + inColumn];
  }
}

/**
 * Bilinear between cell centres, for looks alone. A pixel of a cell that was not analysed stays
 * empty, and such cells lend nothing to their neighbours.
 * @param {Uint8Array} values
 * @param {CellStore} store
 * @param {HeatmapGrid} grid
 * @param {number} level
 * @param {View} view
 * @param {number} y
 */
function smoothRow(values, store, grid, level, view, y) {
  const step = grid.step(level);
  const at = (/** @type {number} */ column, /** @type {number} */ row) =>
    column < 0 || row < 0 ? 0 : (store.valueAt(level, column, row) ?? 0);
  const row = ((view.top + y + 0.5) / view.scale - grid.origin.y) / step.y;
  const above = Math.floor(row - 0.5);
  for (let x = 0; x < view.width; x++) {
    const column = ((view.left + x + 0.5) / view.scale - grid.origin.x) / step.x;
    const left = Math.floor(column - 0.5);
    values[x] = at(Math.floor(column), Math.floor(row))
      ? blend(
          [at(left, above), at(left + 1, above), at(left, above + 1), at(left + 1, above + 1)],
          column - 0.5 - left,
          row - 0.5 - above,
        )
      : 0;
  }
}

/**
 * @param {[number, number, number, number]} corners
 * @param {number} right share of the right corners
 * @param {number} low share of the lower corners
 */
function blend(corners, right, low) {
  const shares = [(1 - right) * (1 - low), right * (1 - low), (1 - right) * low, right * low];
  let [sum, weight] = [0, 0];
  for (const [i, value] of corners.entries()) {
    if (!value) continue;
    sum += value * shares[i];
    weight += shares[i];
  }
  return weight ? Math.round(sum / weight) : 0;
}

/**
 * Thin diagonal lines over cells that were not analysed; they run on from tile to tile.
 * @param {Uint32Array} pixels
 * @param {number} line
 * @param {Uint8Array} values
 * @param {Int32Array} columns
 * @param {View} view
 * @param {number} y
 */
function hatchRow(pixels, line, values, columns, view, y) {
  const period = Math.round(HATCH_PERIOD_PX * window.devicePixelRatio);
  for (let x = 0; x < view.width; x++) {
    const onLine = (view.left + x + view.top + y) % period < window.devicePixelRatio;
    if (onLine && values[x] === 0 && columns[x] >= 0) pixels[line + x] = HATCH_COLOUR;
  }
}
