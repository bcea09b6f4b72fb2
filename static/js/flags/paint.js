// @ts-check
/**
 * Flags on a canvas. Colour is never the only sign: a mark with the label's letters, whose form tells
 * the state, stands at each flag that is large enough, and lines are dashed by state.
 */
import { inkOn } from './labels.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').Cluster} Cluster
 * @typedef {import('./types.d.ts').FlagState} FlagState
 * @typedef {import('./types.d.ts').Position} Position
 * @typedef {import('./labels.js').Labels} Labels
 *
 * @typedef {object} View
 * @property {number} left device px from the slide's origin
 * @property {number} top
 * @property {number} width
 * @property {number} height
 * @property {number} scale device px per level-0 px
 */

export const MARK_PX = 20;
/** Smaller outlines get no mark of their own; there would be more marks than slide. */
const MARKED_FROM_PX = 30;
/** Vertices nearer than this to the one before are not drawn. */
const FINEST_PX = 0.75;
const FILL_ALPHA = 0.14;
const HALO = 'rgb(255 255 255 / 85%)';
/** @type {Record<FlagState, number[]>} */
const DASHES = { open: [], agreed: [], disagreed: [7, 4], resolved: [2, 3] };
const CLUSTER_INK = '#fff';
const CLUSTER_GROUND = 'rgb(24 25 27 / 92%)';

/** @param {number} count */
export function clusterRadius(count) {
  return 12 + Math.min(12, 3 * Math.log10(count));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Iterable<Flag>} flags
 * @param {Iterable<Cluster>} clusters
 * @param {Labels} labels
 */
export function paintFlags(context, view, flags, clusters, labels) {
  context.clearRect(0, 0, view.width, view.height);
  context.lineJoin = 'round';
  /** @type {Flag[]} */
  const marked = [];
  for (const batch of batchesOf(flags).values()) {
    paintBatch(context, view, batch, labels);
    marked.push(...batch.filter(flag => isMarked(flag, view)));
  }
  for (const flag of marked) paintMark(context, view, flag, labels);
  for (const cluster of clusters) paintCluster(context, view, cluster, labels);
}

/**
 * Flags that look alike are one path: a stroke for each would cost most of the time.
 * @param {Iterable<Flag>} flags
 */
function batchesOf(flags) {
  /** @type {Map<string, Flag[]>} */
  const batches = new Map();
  for (const flag of flags) {
    const key = `${flag.label}|${flag.state}`;
    const batch = batches.get(key);
    if (batch) batch.push(flag);
    else batches.set(key, [flag]);
  }
  return batches;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Flag[]} batch
 * @param {Labels} labels
 */
function paintBatch(context, view, batch, labels) {
  const ratio = window.devicePixelRatio;
  const areas = new Path2D();
  const lines = new Path2D();
  for (const { geometry } of batch) {
    if (geometry.type === 'LineString') trace(lines, geometry.coordinates, view, false);
    else if (geometry.type === 'Polygon') traceRings(areas, geometry.coordinates, view);
    else if (geometry.type === 'MultiPolygon') {
      for (const rings of geometry.coordinates) traceRings(areas, rings, view);
    }
  }
  const colour = labels.colourOf(batch[0].label);
  context.setLineDash([]);
  context.strokeStyle = HALO;
  context.lineWidth = 4 * ratio;
  context.stroke(areas);
  context.stroke(lines);
  if (labels.isFilled(batch[0].label)) {
    context.globalAlpha = FILL_ALPHA;
    context.fillStyle = colour;
    context.fill(areas, 'evenodd');
    context.globalAlpha = 1;
  }
  context.strokeStyle = colour;
  context.lineWidth = 2 * ratio;
  context.setLineDash(DASHES[batch[0].state].map(px => px * ratio));
  context.stroke(areas);
  context.stroke(lines);
  context.setLineDash([]);
}

/**
 * @param {Path2D} path
 * @param {Position[][]} rings
 * @param {View} view
 */
function traceRings(path, rings, view) {
  for (const ring of rings) trace(path, ring, view, true);
}

/**
 * @param {Path2D} path
 * @param {Position[]} line
 * @param {View} view
 * @param {boolean} closed
 */
function trace(path, line, { left, top, scale }, closed) {
  let [lastX, lastY] = [line[0][0] * scale - left, line[0][1] * scale - top];
  path.moveTo(lastX, lastY);
  const end = line.length - 1;
  for (let i = 1; i <= end; i += 1) {
    const [x, y] = [line[i][0] * scale - left, line[i][1] * scale - top];
    if (i < end && Math.abs(x - lastX) < FINEST_PX && Math.abs(y - lastY) < FINEST_PX) continue;
    path.lineTo(x, y);
    [lastX, lastY] = [x, y];
  }
  if (closed) path.closePath();
}

/**
 * @param {Flag} flag
 * @param {View} view
 */
function isMarked(flag, { scale }) {
  if (flag.kind === 'point') return true;
  const [left, top, right, bottom] = flag.bbox_l0_px;
  return Math.max(right - left, bottom - top) * scale >= MARKED_FROM_PX * window.devicePixelRatio;
}

/**
 * Where the mark of a flag stands: at its first vertex.
 * @param {Pick<Flag, 'geometry'>} flag
 * @returns {Position}
 */
export function markPlace({ geometry: { type, coordinates } }) {
  if (type === 'Point') return coordinates;
  if (type === 'LineString') return coordinates[0];
  return type === 'Polygon' ? coordinates[0][0] : coordinates[0][0][0];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Flag} flag
 * @param {Labels} labels
 */
function paintMark(context, { left, top, scale }, flag, labels) {
  const picture = markPicture(labels.colourOf(flag.label), labels.markOf(flag.label), flag.state);
  const [x, y] = markPlace(flag);
  const half = picture.width / 2;
  context.drawImage(
    picture,
    Math.round(x * scale - left - half),
    Math.round(y * scale - top - half),
  );
}

/** @type {Map<string, HTMLCanvasElement>} */
const pictures = new Map();

/**
 * The mark of a label in a state: a disc is open, a square agreed, a diamond disagreed; resolved is
 * hollow. Drawn once.
 * @param {string} colour
 * @param {string} mark
 * @param {FlagState} state
 */
export function markPicture(colour, mark, state) {
  const ratio = window.devicePixelRatio;
  const key = `${colour}|${mark}|${state}|${ratio}`;
  const known = pictures.get(key);
  if (known) return known;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = Math.round((MARK_PX + 4) * ratio);
  const context = canvas.getContext('2d');
  if (context) {
    context.scale(ratio, ratio);
    context.translate(MARK_PX / 2 + 2, MARK_PX / 2 + 2);
    drawMark(context, colour, mark, state);
  }
  pictures.set(key, canvas);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} colour
 * @param {string} mark
 * @param {FlagState} state
 */
function drawMark(context, colour, mark, state) {
  const r = MARK_PX / 2;
  context.beginPath();
  if (state === 'agreed') context.roundRect(-r + 1, -r + 1, 2 * r - 2, 2 * r - 2, 3);
  else if (state === 'disagreed') {
    context.moveTo(0, -r - 1);
    context.lineTo(r + 1, 0);
    context.lineTo(0, r + 1);
    context.lineTo(-r - 1, 0);
    context.closePath();
  } else context.arc(0, 0, r - 1, 0, 2 * Math.PI);
  const hollow = state === 'resolved';
  context.fillStyle = hollow ? '#fff' : colour;
  context.fill();
  context.lineWidth = hollow ? 3 : 1.5;
  context.strokeStyle = hollow ? colour : '#fff';
  context.stroke();
  context.fillStyle = hollow ? '#16181c' : inkOn(colour);
  context.font = `600 ${mark.length > 1 ? 9 : 12}px system-ui, sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText(mark, 0, 0.5);
}

/**
 * A number in a ring that shows the shares of the labels.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Cluster} cluster
 * @param {Labels} labels
 */
function paintCluster(context, { left, top, scale }, cluster, labels) {
  const ratio = window.devicePixelRatio;
  const [x, y] = [cluster.x_l0_px * scale - left, cluster.y_l0_px * scale - top];
  const radius = clusterRadius(cluster.count) * ratio;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = CLUSTER_GROUND;
  context.fill();
  context.lineWidth = 4 * ratio;
  let angle = -Math.PI / 2;
  for (const [name, count] of Object.entries(cluster.labels)) {
    const to = angle + (count / cluster.count) * 2 * Math.PI;
    context.beginPath();
    context.arc(x, y, radius - 2 * ratio, angle, to);
    context.strokeStyle = labels.colourOf(name || null);
    context.stroke();
    angle = to;
  }
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = 1.5 * ratio;
  context.strokeStyle = '#fff';
  context.stroke();
  context.fillStyle = CLUSTER_INK;
  context.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText(shortCount(cluster.count), x, y + 0.5 * ratio);
}

/** @param {number} count */
function shortCount(count) {
  return count < 10_000 ? String(count) : `${Math.round(count / 1000)}k`;
}
