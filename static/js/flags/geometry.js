// @ts-check
/** Shapes of flags in level-0 pixels: measured, hit, moved, their vertices edited. */

/**
 * @typedef {import('./types.d.ts').Geometry} Geometry
 * @typedef {import('./types.d.ts').FlagKind} FlagKind
 * @typedef {import('./types.d.ts').Position} Position
 * @typedef {import('./types.d.ts').Bounds} Bounds
 * @typedef {import('./types.d.ts').Parts} Parts
 * @typedef {import('./types.d.ts').VertexPath} VertexPath
 */

const UM2_PER_MM2 = 1e6;

/** @param {number} value */
const rounded = value => Math.round(value * 100) / 100;

/**
 * @param {Geometry} geometry
 * @returns {Parts}
 */
export function toParts(geometry) {
  const { coordinates } = geometry;
  switch (geometry.type) {
    case 'Point':
      return [[[coordinates]]];
    case 'LineString':
      return [[coordinates]];
    case 'Polygon':
      return [coordinates.map(opened)];
    case 'MultiPolygon':
      return coordinates.map((/** @type {Position[][]} */ rings) => rings.map(opened));
  }
}

/**
 * @param {FlagKind} kind
 * @param {Parts} parts
 * @returns {Geometry}
 */
export function fromParts(kind, parts) {
  const exact = parts.map(rings =>
    rings.map(ring => ring.map(([x, y]) => /** @type {Position} */ ([rounded(x), rounded(y)]))),
  );
  if (kind === 'point') return { type: 'Point', coordinates: exact[0][0][0] };
  if (kind === 'ruler') return { type: 'LineString', coordinates: exact[0][0] };
  const closed = exact.map(rings => rings.map(ring => [...ring, ring[0]]));
  return closed.length === 1
    ? { type: 'Polygon', coordinates: closed[0] }
    : { type: 'MultiPolygon', coordinates: closed };
}

/** @param {Position[]} ring */
function opened(ring) {
  return ring.slice(0, -1);
}

/**
 * @param {Position} from
 * @param {Position} to
 * @returns {Position[]}
 */
export function boxRing([x0, y0], [x1, y1]) {
  const [left, right] = x0 < x1 ? [x0, x1] : [x1, x0];
  const [top, bottom] = y0 < y1 ? [y0, y1] : [y1, y0];
  return [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ];
}

/**
 * @param {Parts} parts
 * @returns {Bounds}
 */
export function boundsOf(parts) {
  /** @type {Bounds} */
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const ring of parts.flat()) {
    for (const [x, y] of ring) {
      if (x < box[0]) box[0] = x;
      if (y < box[1]) box[1] = y;
      if (x > box[2]) box[2] = x;
      if (y > box[3]) box[3] = y;
    }
  }
  return box;
}

/**
 * Holes left out; null for what has no area, and without resolution.
 * @param {FlagKind} kind
 * @param {Parts} parts
 * @param {{x: number, y: number} | null} mpp
 */
export function areaMm2(kind, parts, mpp) {
  if (!mpp || kind === 'point' || kind === 'ruler') return null;
  let px2 = 0;
  for (const [outline, ...holes] of parts) {
    px2 += Math.abs(shoelace(outline));
    for (const hole of holes) px2 -= Math.abs(shoelace(hole));
  }
  return (px2 * mpp.x * mpp.y) / UM2_PER_MM2;
}

/** @param {Position[]} ring */
function shoelace(ring) {
  let twice = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    twice += (ring[j][0] - ring[i][0]) * (ring[j][1] + ring[i][1]);
  }
  return twice / 2;
}

/**
 * @param {FlagKind} kind
 * @param {Parts} parts
 * @param {{x: number, y: number} | null} mpp
 */
export function lengthUm(kind, parts, mpp) {
  if (!mpp || kind !== 'ruler') return null;
  const line = parts[0][0];
  let length = 0;
  for (let i = 1; i < line.length; i += 1) {
    const [dx, dy] = [line[i][0] - line[i - 1][0], line[i][1] - line[i - 1][1]];
    length += Math.hypot(dx * mpp.x, dy * mpp.y);
  }
  return length;
}

/**
 * @param {Parts} parts
 * @param {number} dx
 * @param {number} dy
 * @returns {Parts}
 */
export function moved(parts, dx, dy) {
  return parts.map(rings => rings.map(ring => ring.map(([x, y]) => [x + dx, y + dy])));
}

/**
 * How far a point lies from a shape; 0 inside an area.
 * @param {FlagKind} kind
 * @param {Parts} parts
 * @param {Position} at
 */
export function distanceTo(kind, parts, at) {
  const isArea = kind !== 'point' && kind !== 'ruler';
  let nearest = Infinity;
  for (const rings of parts) {
    if (isArea && rings.filter(ring => isInside(ring, at)).length === 1) return 0;
    for (const ring of rings) nearest = Math.min(nearest, distanceToLine(ring, at, isArea));
  }
  return nearest;
}

/**
 * @param {Position[]} ring
 * @param {Position} at
 */
export function isInside(ring, [x, y]) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    const [[xi, yi], [xj, yj]] = [ring[i], ring[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/**
 * @param {Position[]} line
 * @param {Position} at
 * @param {boolean} closed
 */
function distanceToLine(line, at, closed) {
  if (line.length === 1) return Math.hypot(line[0][0] - at[0], line[0][1] - at[1]);
  let nearest = Infinity;
  for (let i = closed ? 0 : 1; i < line.length; i += 1) {
    const from = line[(i || line.length) - 1];
    nearest = Math.min(nearest, distanceToStretch(from, line[i], at));
  }
  return nearest;
}

/**
 * @param {Position} from
 * @param {Position} to
 * @param {Position} at
 */
export function distanceToStretch([x0, y0], [x1, y1], [x, y]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const share = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1);
  const along = Math.min(1, Math.max(0, share));
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}

/**
 * Fewer vertices, none further from the line as drawn than `tolerance` (Douglas and Peucker 1973).
 * @param {Position[]} line
 * @param {number} tolerance
 * @returns {Position[]}
 */
export function simplified(line, tolerance) {
  if (line.length < 3) return line;
  const keep = new Uint8Array(line.length);
  keep[0] = keep[line.length - 1] = 1;
  const stretches = [[0, line.length - 1]];
  for (let stretch = stretches.pop(); stretch; stretch = stretches.pop()) {
    const [first, last] = stretch;
    let [furthest, distance] = [-1, tolerance];
    for (let i = first + 1; i < last; i += 1) {
      const off = distanceToStretch(line[first], line[last], line[i]);
      if (off > distance) [furthest, distance] = [i, off];
    }
    if (furthest < 0) continue;
    keep[furthest] = 1;
    stretches.push([first, furthest], [furthest, last]);
  }
  return line.filter((_, i) => keep[i]);
}

/**
 * A vertex somewhere else; the other corners of a box follow.
 * @param {FlagKind} kind
 * @param {Parts} parts
 * @param {VertexPath} path
 * @param {Position} to
 * @returns {Parts}
 */
export function withVertex(kind, parts, [part, ring, vertex], to) {
  if (kind === 'box') return [[boxRing(parts[0][0][(vertex + 2) % 4], to)]];
  return changed(parts, part, ring, line => line.with(vertex, to));
}

/**
 * @param {Parts} parts
 * @param {VertexPath} path where the new one comes to stand
 * @param {Position} at
 * @returns {Parts}
 */
export function withNewVertex(parts, [part, ring, vertex], at) {
  return changed(parts, part, ring, line => line.toSpliced(vertex, 0, at));
}

/**
 * Without a vertex; a hole of too few vertices goes with it. Null where the shape would be none.
 * @param {FlagKind} kind
 * @param {Parts} parts
 * @param {VertexPath} path
 * @returns {Parts | null}
 */
export function withoutVertex(kind, parts, [part, ring, vertex]) {
  const fewest = kind === 'ruler' ? 2 : kind === 'point' ? 1 : 3;
  if (parts[part][ring].length > fewest) {
    return changed(parts, part, ring, line => line.toSpliced(vertex, 1));
  }
  if (ring > 0) return parts.with(part, parts[part].toSpliced(ring, 1));
  return parts.length > 1 ? parts.toSpliced(part, 1) : null;
}

/**
 * With a hole in the part that holds its first vertex, else in the first part.
 * @param {Parts} parts
 * @param {Position[]} hole
 * @returns {Parts}
 */
export function withHole(parts, hole) {
  const found = parts.findIndex(([outline]) => isInside(outline, hole[0]));
  const part = Math.max(0, found);
  return parts.with(part, [...parts[part], hole]);
}

/**
 * @param {Parts} parts
 * @param {number} part
 * @param {number} ring
 * @param {(line: Position[]) => Position[]} change
 * @returns {Parts}
 */
function changed(parts, part, ring, change) {
  return parts.with(part, parts[part].with(ring, change(parts[part][ring])));
}

/**
 * All vertices, with where they stand.
 * @param {Parts} parts
 * @returns {{path: VertexPath, at: Position}[]}
 */
export function verticesOf(parts) {
  return parts.flatMap((rings, part) =>
    rings.flatMap((line, ring) =>
      line.map((at, vertex) => ({ path: /** @type {VertexPath} */ ([part, ring, vertex]), at })),
    ),
  );
}
