// @ts-check
import { reducedMotion } from '../dom.js';
import { toLatLng } from '../plane.js';
import { TEXTS } from '../texts.js';
import {
  boundsOf,
  distanceTo,
  fromParts,
  moved,
  toParts,
  verticesOf,
  withNewVertex,
  withoutVertex,
  withVertex,
} from './geometry.js';
import { markPlace, MARK_PX } from './paint.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').FlagKind} FlagKind
 * @typedef {import('./types.d.ts').Position} Position
 * @typedef {import('./types.d.ts').Parts} Parts
 * @typedef {import('./types.d.ts').VertexPath} VertexPath
 * @typedef {import('./store.js').FlagStore} FlagStore
 */

const BORDER_PX = 7;
/** How far a key moves a corner or a flag, in CSS px. */
const STEP_PX = 2;
const FAR_STEP_PX = 20;
/** @type {Record<string, Position | undefined>} */
const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** @param {FlagKind} kind */
export function isArea(kind) {
  return kind !== 'point' && kind !== 'ruler';
}

/** Changes the outline of the selected flag, by pointer and by keys. */
export class Editor {
  /**
   * @param {L.Map} map
   * @param {FlagStore} store
   * @param {import('./sketch.js').SketchLayer} sketch
   * @param {{width: number, height: number}} slide_l0_px
   * @param {{announce: (text: string) => void, changed: () => void}} page
   */
  constructor(map, store, sketch, slide_l0_px, page) {
    this._map = map;
    this._store = store;
    this._sketch = sketch;
    this._slide = slide_l0_px;
    this._page = page;
    /** @type {VertexPath | null} the corner that keys move */
    this.active = null;
    /** @type {{from: Position, parts: Parts, path?: VertexPath} | null} */
    this._held = null;
    /** @type {Parts | null} the outline while it is dragged */
    this.now = null;
    /** @type {string | undefined} */
    this._id = undefined;
    store.addEventListener('selected', () => {
      if (store.selected?.id === this._id) return;
      this._id = store.selected?.id;
      this.active = null;
    });
  }

  get _scale() {
    return 2 ** this._map.getZoom();
  }

  // ---- pointer -------------------------------------------------------------------------------

  /**
   * Take hold of a handle, or of the border or mark of the selected flag; false elsewhere.
   * @param {L.Point} point CSS px of the map
   * @param {Position} at
   * @param {boolean} byTouch
   */
  grab(point, at, byTouch) {
    const { selected } = this._store;
    if (!selected) return false;
    const parts = toParts(selected.geometry);
    const handle = this._sketch.handleAt(point, byTouch);
    if (handle) {
      const whole = handle.between ? withNewVertex(parts, handle.path, handle.at) : parts;
      this.active = handle.path;
      this._held = { from: at, parts: whole, path: handle.path };
    } else if (this.isOnBorder(selected, at)) {
      this._held = { from: at, parts };
    } else {
      return false;
    }
    this._store.editing = true;
    return true;
  }

  /** @param {Position} at */
  drag(at) {
    const { selected } = this._store;
    const held = this._held;
    if (!selected || !held) return;
    const [dx, dy] = [at[0] - held.from[0], at[1] - held.from[1]];
    this.now = held.path
      ? withVertex(selected.kind, held.parts, held.path, at)
      : this._movedWithin(held.parts, dx, dy);
  }

  /** Let go: what was dragged is kept. */
  drop() {
    const { selected } = this._store;
    const { now } = this;
    this.letGo();
    if (selected && now) this._keep(selected, now);
  }

  /** Let go: the outline stays as it was. */
  letGo() {
    this._held = null;
    this.now = null;
    this._store.editing = false;
  }

  /**
   * Of an area the border and the mark alone: inside it the slide is panned.
   * @param {Flag} flag
   * @param {Position} at
   */
  isOnBorder(flag, at) {
    const [x, y] = markPlace(flag);
    if (Math.hypot(x - at[0], y - at[1]) * this._scale <= MARK_PX / 2 + 4) return true;
    const parts = toParts(flag.geometry);
    if (!isArea(flag.kind)) return distanceTo(flag.kind, parts, at) * this._scale <= BORDER_PX;
    const borders = parts.map(rings => rings.map(ring => [...ring, ring[0]]));
    return distanceTo('ruler', borders, at) * this._scale <= BORDER_PX;
  }

  // ---- keys ----------------------------------------------------------------------------------

  /**
   * A key for the selected flag; false when it means nothing here.
   * @param {KeyboardEvent} event
   */
  key(event) {
    const { selected } = this._store;
    if (!selected) return false;
    const arrow = ARROWS[event.key];
    if (arrow && (this.active || event.ctrlKey)) {
      const px = (event.shiftKey ? FAR_STEP_PX : STEP_PX) / this._scale;
      this._nudge(selected, arrow[0] * px, arrow[1] * px, event.ctrlKey);
      return true;
    }
    if (event.ctrlKey || event.metaKey) return false;
    switch (event.key) {
      case 'Escape':
        if (this.active) this.active = null;
        else this._store.select(null);
        this._page.changed();
        return true;
      case 'Delete':
      case 'Backspace':
        this._delete(selected);
        return true;
      case ',':
      case '.':
        this._stepCorner(selected, event.key === '.' ? 1 : -1);
        return true;
      case ' ':
        if (!this.active) return false;
        this._addAfterActive(selected);
        return true;
    }
    return false;
  }

  /**
   * The corner in hand, else the flag.
   * @param {Flag} flag
   */
  _delete(flag) {
    const corner = flag.kind === 'box' ? null : this.active;
    if (!corner) {
      this._store.remove(flag);
      this._page.announce(TEXTS.flags.deleted);
      return;
    }
    const left = withoutVertex(flag.kind, toParts(flag.geometry), corner);
    if (!left) {
      this._page.announce(TEXTS.flags.tooFew);
      return;
    }
    this.active = null;
    this._keep(flag, left);
  }

  /**
   * @param {Flag} flag
   * @param {number} dx
   * @param {number} dy
   * @param {boolean} whole
   */
  _nudge(flag, dx, dy, whole) {
    const parts = toParts(flag.geometry);
    if (whole || !this.active) {
      this._keep(flag, this._movedWithin(parts, dx, dy));
      return;
    }
    const [part, ring, vertex] = this.active;
    const [x, y] = parts[part][ring][vertex];
    this._keep(flag, withVertex(flag.kind, parts, this.active, [x + dx, y + dy]));
  }

  /**
   * @param {Flag} flag
   * @param {1 | -1} direction
   */
  _stepCorner(flag, direction) {
    if (flag.kind === 'point') return;
    const all = verticesOf(toParts(flag.geometry));
    const now = all.findIndex(({ path }) => path.join() === this.active?.join());
    const next = now < 0 ? 0 : (now + direction + all.length) % all.length;
    this.active = all[next].path;
    const at = toLatLng(...all[next].at);
    if (!this._map.getBounds().pad(-0.1).contains(at)) {
      this._map.panTo(at, { animate: !reducedMotion() });
    }
    this._page.announce(TEXTS.flags.vertex(next + 1, all.length));
    this._page.changed();
  }

  /** @param {Flag} flag */
  _addAfterActive(flag) {
    if (!this.active || flag.kind === 'box') return;
    const parts = toParts(flag.geometry);
    const [part, ring, vertex] = this.active;
    const line = parts[part][ring];
    const [from, to] = [line[vertex], line[(vertex + 1) % line.length]];
    this.active = [part, ring, vertex + 1];
    const middle = /** @type {Position} */ ([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]);
    this._keep(flag, withNewVertex(parts, this.active, middle));
  }

  // ---- inside --------------------------------------------------------------------------------

  /**
   * Moved as far as the flag stays on the slide.
   * @param {Parts} parts
   * @param {number} dx
   * @param {number} dy
   */
  _movedWithin(parts, dx, dy) {
    const [left, top, right, bottom] = boundsOf(parts);
    const x = Math.max(-Math.max(0, left), Math.min(Math.max(0, this._slide.width - right), dx));
    const y = Math.max(-Math.max(0, top), Math.min(Math.max(0, this._slide.height - bottom), dy));
    return moved(parts, x, y);
  }

  /**
   * @param {Flag} flag
   * @param {Parts} parts
   */
  _keep(flag, parts) {
    this._store.edit(flag, { geometry: fromParts(flag.kind, parts) });
    this._page.changed();
  }
}
