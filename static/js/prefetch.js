// @ts-check
/**
 * Which tiles may be looked at next. Pure arithmetic on ranges of tiles.
 *
 * @typedef {{x: number, y: number, z: number}} TileAt
 * @typedef {object} Look what is looked at, in tiles of level z
 * @property {number} z
 * @property {number} left first and last column and row, whole numbers
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 * @property {{x: number, y: number}} focus where the pointer is, or the middle; in tiles
 * @property {{x: number, y: number}} heading where the view is moving, −1 to 1 each; 0: at rest
 * @property {number} zooming above 0: in; below: out; 0: neither
 */

/** Rows and columns ahead of a view that moves. */
const AHEAD = 2;
/** Half the side of the finer square around the focus. */
const CLOSER = 2;
/** A component of the heading below this is a tremor. */
const CLEARLY = 0.35;

/**
 * Tiles in the order of likelihood; some may lie outside the slide.
 * @param {Look} look
 * @returns {TileAt[]}
 */
export function likelyTiles(look) {
  const parts =
    look.zooming < 0
      ? [wider(look), ahead(look), closer(look)]
      : look.heading.x || look.heading.y
        ? [ahead(look), wider(look), closer(look)]
        : [closer(look), wider(look), around(look)];
  return parts.flat();
}

/**
 * The rows and columns that a moving view reaches next, the nearest first.
 * @param {Look} look
 */
function ahead({ z, left, top, right, bottom, heading }) {
  /** @type {TileAt[]} */
  const tiles = [];
  const across = Math.abs(heading.x) > CLEARLY ? Math.sign(heading.x) : 0;
  const down = Math.abs(heading.y) > CLEARLY ? Math.sign(heading.y) : 0;
  for (let step = 1; step <= AHEAD; step++) {
    const column = across > 0 ? right + step : left - step;
    const row = down > 0 ? bottom + step : top - step;
    if (across) for (let y = top; y <= bottom; y++) tiles.push({ x: column, y, z });
    if (down) for (let x = left; x <= right; x++) tiles.push({ x, y: row, z });
    if (across && down) tiles.push({ x: column, y: row, z });
  }
  return tiles;
}

/**
 * What is seen one level further out: the view and half of it on each side.
 * @param {Look} look
 */
function wider({ z, left, top, right, bottom }) {
  const [width, height] = [right - left + 1, bottom - top + 1];
  return nearestFirst(
    { left: left - width / 2, right: right + width / 2 },
    { top: top - height / 2, bottom: bottom + height / 2 },
    z - 1,
  );
}

/**
 * What the next step in shows first: the finer tiles around the pointer.
 * @param {Look} look
 */
function closer({ z, focus }) {
  const [x, y] = [Math.floor(focus.x * 2), Math.floor(focus.y * 2)];
  /** @type {TileAt[]} */
  const tiles = [];
  for (let row = y - CLOSER; row < y + CLOSER; row++) {
    for (let column = x - CLOSER; column < x + CLOSER; column++) {
      tiles.push({ x: column, y: row, z: z + 1 });
    }
  }
  return sortByDistance(tiles, focus.x * 2 - 0.5, focus.y * 2 - 0.5);
}

/**
 * One tile around the view.
 * @param {Look} look
 */
function around({ z, left, top, right, bottom }) {
  /** @type {TileAt[]} */
  const tiles = [];
  for (let x = left - 1; x <= right + 1; x++)
    tiles.push({ x, y: top - 1, z }, { x, y: bottom + 1, z });
  for (let y = top; y <= bottom; y++) tiles.push({ x: left - 1, y, z }, { x: right + 1, y, z });
  return tiles;
}

/**
 * The tiles of a coarser level under a range of the finer one.
 * @param {{left: number, right: number}} columns
 * @param {{top: number, bottom: number}} rows
 * @param {number} z
 */
function nearestFirst({ left, right }, { top, bottom }, z) {
  /** @type {TileAt[]} */
  const tiles = [];
  for (let y = Math.floor(top / 2); y <= Math.floor(bottom / 2); y++) {
    for (let x = Math.floor(left / 2); x <= Math.floor(right / 2); x++) tiles.push({ x, y, z });
  }
  return sortByDistance(tiles, (left + right) / 4, (top + bottom) / 4);
}

/**
 * @param {TileAt[]} tiles
 * @param {number} x
 * @param {number} y
 */
function sortByDistance(tiles, x, y) {
  const far = (/** @type {TileAt} */ tile) => Math.hypot(tile.x - x, tile.y - y);
  return tiles.sort((a, b) => far(a) - far(b));
}
