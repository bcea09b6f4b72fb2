// @ts-check
import { viewRect } from '../plane.js';
import { MARK_PX, markPicture } from './paint.js';
import { boundsOf, verticesOf } from './geometry.js';

/**
 * @typedef {import('./types.d.ts').Sketch} Sketch
 * @typedef {import('./types.d.ts').Position} Position
 * @typedef {import('./types.d.ts').VertexPath} VertexPath
 * @typedef {{path: VertexPath, at: Position, between: boolean}} Handle
 */

const HANDLE_PX = 9;
const BETWEEN_PX = 6;
const GRAB_PX = 11;
const GRAB_BY_TOUCH_PX = 20;
/** Handles nearer to each other are not shown: they could not be told apart. */
const APART_PX = 14;
const BETWEEN_FROM_PX = 44;
const MOST_HANDLES = 600;

/** The selected flag, or the one being drawn, with its handles: one canvas over the view. */
export class SketchLayer extends L.Layer {
  /** @param {import('./labels.js').Labels} labels */
  constructor(labels) {
    super({ pane: 'sketch' });
    this._labels = labels;
    this._canvas = document.createElement('canvas');
    this._canvas.className = 'flag-sketch leaflet-zoom-animated';
    /** @type {Sketch | null} */
    this._sketch = null;
    /** @type {VertexPath | null} */
    this._active = null;
    this._text = '';
    this._editable = false;
    /** @type {Handle[]} those that are shown */
    this._handles = [];
    this._frame = 0;
  }

  /**
   * @param {Sketch | null} sketch
   * @param {{editable?: boolean, active?: VertexPath | null, text?: string}} [more]
   */
  show(sketch, { editable = false, active = null, text = '' } = {}) {
    this._sketch = sketch;
    this._editable = editable;
    this._active = active;
    this._text = text;
    this._soon();
  }

  /** @param {L.Map} map */
  onAdd(map) {
    this.getPane()?.append(this._canvas);
    this._map = map;
    this._draw();
    return this;
  }

  onRemove() {
    this._canvas.remove();
    return this;
  }

  getEvents() {
    const draw = () => this._draw();
    return {
      move: draw,
      zoom: draw,
      viewreset: draw,
      zoomend: draw,
      moveend: draw,
      resize: draw,
      zoomanim: () => this._canvas.style.setProperty('visibility', 'hidden'),
    };
  }

  _soon() {
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      this._draw();
    });
  }

  _draw() {
    if (!this._map) return;
    const size = this._map.getSize();
    const ratio = window.devicePixelRatio;
    const canvas = this._canvas;
    canvas.style.visibility = this._sketch ? 'visible' : 'hidden';
    if (!this._sketch) {
      this._handles = [];
      return;
    }
    L.DomUtil.setPosition(canvas, this._map.containerPointToLayerPoint([0, 0]));
    canvas.style.width = `${size.x}px`;
    canvas.style.height = `${size.y}px`;
    canvas.width = Math.round(size.x * ratio);
    canvas.height = Math.round(size.y * ratio);
    const context = canvas.getContext('2d');
    if (!context) return;
    context.scale(ratio, ratio);
    context.lineJoin = 'round';
    this._view = { ...viewRect(this._map), scale: 2 ** this._map.getZoom() };
    this._drawShape(context, this._sketch);
    this._handles = this._editable ? this._findHandles(this._sketch) : [];
    for (const handle of this._handles) this._drawHandle(context, handle);
    this._drawMark(context, this._sketch);
    if (this._text) this._drawText(context, this._sketch);
  }

  /**
   * @param {Position} at
   * @returns {Position} CSS px of the map
   */
  _place([x, y]) {
    const { left, top, scale } = /** @type {{left: number, top: number, scale: number}} */ (
      this._view
    );
    return [(x - left) * scale, (y - top) * scale];
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Sketch} sketch
   */
  _drawShape(context, sketch) {
    const path = new Path2D();
    const isLine = sketch.kind === 'ruler';
    for (const ring of sketch.parts.flat()) {
      if (ring.length < 2) continue;
      ring.forEach((at, i) => path[i ? 'lineTo' : 'moveTo'](...this._place(at)));
      if (!isLine && !sketch.open) path.closePath();
    }
    const colour = this._labels.colourOf(sketch.label);
    if (!isLine) {
      context.globalAlpha = 0.12;
      context.fillStyle = colour;
      context.fill(path, 'evenodd');
      context.globalAlpha = 1;
    }
    for (const [style, width] of /** @type {[string, number][]} */ ([
      ['#000', 7],
      ['#fff', 5],
      [colour, 2.5],
    ])) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.stroke(path);
    }
  }

  /** @param {Sketch} sketch */
  _findHandles(sketch) {
    if (sketch.kind === 'point') return [];
    const { x: width, y: height } = this._map.getSize();
    /** @type {Handle[]} */
    const handles = [];
    /** @type {Position | null} */
    let last = null;
    for (const { path, at } of verticesOf(sketch.parts)) {
      const [x, y] = this._place(at);
      const inView = x > -GRAB_PX && y > -GRAB_PX && x < width + GRAB_PX && y < height + GRAB_PX;
      const isActive = this._active?.join() === path.join();
      if (!isActive && (!inView || (last && near(last, [x, y], APART_PX)))) continue;
      if (handles.length >= MOST_HANDLES) break;
      handles.push({ path, at, between: false });
      last = [x, y];
      this._addBetween(sketch, path, handles);
    }
    return handles;
  }

  /**
   * A handle in the middle of a long stretch: dragging it makes a vertex.
   * @param {Sketch} sketch
   * @param {VertexPath} path
   * @param {Handle[]} handles
   */
  _addBetween(sketch, [part, ring, vertex], handles) {
    if (sketch.kind === 'box' || sketch.kind === 'ruler') return;
    const line = sketch.parts[part][ring];
    const [from, to] = [line[vertex], line[(vertex + 1) % line.length]];
    if (near(this._place(from), this._place(to), BETWEEN_FROM_PX)) return;
    const at = /** @type {Position} */ ([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]);
    handles.push({ path: [part, ring, vertex + 1], at, between: true });
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Handle} handle
   */
  _drawHandle(context, { path, at, between }) {
    const [x, y] = this._place(at);
    const isActive = !between && this._active?.join() === path.join();
    const size = isActive ? HANDLE_PX + 6 : between ? BETWEEN_PX : HANDLE_PX;
    context.beginPath();
    if (between) context.arc(x, y, size / 2, 0, 2 * Math.PI);
    else context.rect(x - size / 2, y - size / 2, size, size);
    context.fillStyle = isActive ? '#1456d8' : '#fff';
    context.fill();
    context.lineWidth = isActive ? 2.5 : 1.5;
    context.strokeStyle = isActive ? '#fff' : '#000';
    context.stroke();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Sketch} sketch
   */
  _drawMark(context, sketch) {
    if (sketch.open || !sketch.parts[0]?.[0]?.length) return;
    const [x, y] = this._place(sketch.parts[0][0][0]);
    const picture = markPicture(
      this._labels.colourOf(sketch.label),
      this._labels.markOf(sketch.label),
      sketch.state,
    );
    const side = picture.width / window.devicePixelRatio;
    context.beginPath();
    context.arc(x, y, MARK_PX / 2 + 5, 0, 2 * Math.PI);
    context.lineWidth = 5;
    context.strokeStyle = '#000';
    context.stroke();
    context.lineWidth = 3;
    context.strokeStyle = '#fff';
    context.stroke();
    context.drawImage(picture, x - side / 2, y - side / 2, side, side);
  }

  /**
   * What was measured, beside the end of the line or below the shape.
   * @param {CanvasRenderingContext2D} context
   * @param {Sketch} sketch
   */
  _drawText(context, sketch) {
    const size = this._map.getSize();
    const ring = sketch.parts.at(-1)?.at(-1) ?? [];
    const [, , right, bottom] = boundsOf(sketch.parts);
    const end = sketch.open || sketch.kind === 'ruler' ? ring.at(-1) : undefined;
    const [x, y] = this._place(end ?? [right, bottom]);
    context.font = '600 13px system-ui, sans-serif';
    const width = context.measureText(this._text).width + 14;
    const left = Math.min(size.x - width - 6, Math.max(6, x + 12));
    const top = Math.min(size.y - 32, Math.max(6, y + 12));
    context.fillStyle = 'rgb(24 25 27 / 90%)';
    context.beginPath();
    context.roundRect(left, top, width, 24, 5);
    context.fill();
    context.fillStyle = '#fff';
    context.textBaseline = 'middle';
    context.fillText(this._text, left + 7, top + 12.5);
  }

  /**
   * The handle a pointer can grab.
   * @param {L.Point} point CSS px of the map
   * @param {boolean} byTouch
   */
  handleAt(point, byTouch) {
    const reach = byTouch ? GRAB_BY_TOUCH_PX : GRAB_PX;
    const at = /** @type {Position} */ ([point.x, point.y]);
    const corner = this._handles.find(
      handle => !handle.between && near(this._place(handle.at), at, reach),
    );
    return corner ?? this._handles.find(handle => near(this._place(handle.at), at, reach)) ?? null;
  }
}

/**
 * @param {Position} a
 * @param {Position} b
 * @param {number} reach
 */
function near(a, b, reach) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]) <= reach;
}
