// @ts-check
import { byId } from '../dom.js';
import { area as areaText } from '../format.js';
import { toL0 } from '../plane.js';
import { TEXTS } from '../texts.js';
import { Drawing } from './drawing.js';
import { Editor, isArea } from './editor.js';
import { areaMm2, fromParts, lengthUm, toParts, withHole } from './geometry.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').FlagKind} FlagKind
 * @typedef {import('./types.d.ts').Position} Position
 * @typedef {import('./types.d.ts').Parts} Parts
 * @typedef {import('./store.js').FlagStore} FlagStore
 *
 * @typedef {object} Surroundings what the tools ask the page
 * @property {(text: string) => void} announce
 * @property {() => string | null} label of the next flag
 * @property {(bounds: import('./types.d.ts').Bounds) => void} zoomTo
 * @property {{width: number, height: number}} slide_l0_px
 */

const CLICK_PX = 4;
const DOUBLE_CLICK_PX = 12;
const AFTER_DRAG_MS = 50;
const OPEN = /** @type {const} */ ('open');

/** The tool in hand, and whatever pointer and keys do on the map with it or without one. */
export class Tools extends EventTarget {
  /**
   * @param {L.Map} map
   * @param {FlagStore} store
   * @param {import('./layer.js').FlagLayer} layer
   * @param {import('./sketch.js').SketchLayer} sketch
   * @param {Surroundings} page
   */
  constructor(map, store, layer, sketch, page) {
    super();
    this._map = map;
    this._store = store;
    this._layer = layer;
    this._sketch = sketch;
    this._page = page;
    this._editor = new Editor(map, store, sketch, page.slide_l0_px, {
      announce: page.announce,
      changed: () => this._changed(),
    });
    /** @type {Drawing | null} */
    this._drawing = null;
    this._cutting = false;
    /** The pointer that is down and drags something. @type {{id: number, start: L.Point, moved: boolean} | null} */
    this._pointer = null;
    this._byKeyboard = false;
    this._ignoreClick = false;
    /** The last two clicks, CSS px of the map. @type {L.Point[]} */
    this._clicks = [];
    this._listen();
    store.addEventListener('selected', () => this._changed());
  }

  /** @returns {FlagKind | null} */
  get tool() {
    return this._drawing?.kind ?? null;
  }

  get cutting() {
    return this._cutting;
  }

  // ---- tools ---------------------------------------------------------------------------------

  /**
   * Take a tool up, or lay it down when it is in hand.
   * @param {FlagKind} kind
   * @param {{byKeyboard?: boolean}} [options]
   */
  take(kind, { byKeyboard = false } = {}) {
    if (this.tool === kind && !this._cutting) {
      this.layDown();
      return;
    }
    this._cutting = false;
    this._store.select(null);
    this._begin(kind, byKeyboard);
    this._page.announce(TEXTS.flags.hints[kind]);
  }

  /** The next outline is cut out of the selected flag. */
  cut(byKeyboard = false) {
    const { selected } = this._store;
    if (!selected || !isArea(selected.kind)) {
      this._page.announce(TEXTS.flags.cutWhat);
      return;
    }
    this._begin('polygon', byKeyboard);
    this._cutting = true;
    this._page.announce(TEXTS.flags.hints.cut);
    this._changed();
  }

  layDown() {
    this._pointer = null;
    this._drawing = null;
    this._cutting = false;
    this._letLeaflet(true);
    this._changed();
  }

  /**
   * @param {FlagKind} kind
   * @param {boolean} byKeyboard
   */
  _begin(kind, byKeyboard) {
    this._pointer = null;
    this._editor.letGo();
    this._editor.active = null;
    this._drawing = new Drawing(kind);
    this._byKeyboard = byKeyboard;
    this._letLeaflet(false);
    this._changed();
  }

  /** @param {boolean} on what Leaflet does by itself with clicks and drags */
  _letLeaflet(on) {
    const { dragging, boxZoom } = this._map;
    // Boxes and strokes are drawn by dragging: there the slide must not pan along.
    const pans = on || (this.tool !== 'box' && this.tool !== 'freehand');
    dragging[pans ? 'enable' : 'disable']();
    boxZoom[on ? 'enable' : 'disable']();
  }

  // ---- placing -------------------------------------------------------------------------------

  /** @param {Position} at */
  _place(at) {
    const drawing = this._drawing;
    if (!drawing) return;
    const completes = drawing.completesWithNext;
    drawing.place(at);
    if (completes && drawing.isWhole) this._finish();
    else this._changed();
  }

  /** Enter: what is whole is finished, what is not goes on at the centre of the view. */
  _finishOrPlace() {
    const drawing = this._drawing;
    if (!drawing) return;
    if (drawing.penDown || (drawing.isWhole && !drawing.completesWithNext)) this._finish();
    else this._placeAtCenter();
  }

  _placeAtCenter() {
    const drawing = this._drawing;
    if (!drawing) return;
    this._byKeyboard = true;
    if (drawing.kind !== 'freehand') {
      this._place(this._center());
    } else if (drawing.penDown) {
      this._finish();
    } else {
      drawing.penDown = true;
      drawing.trace(this._center(), this._scale);
      this._page.announce(TEXTS.flags.hints.pen);
      this._changed();
    }
  }

  _finish() {
    const drawing = this._drawing;
    if (!drawing) return;
    if (!drawing.isWhole) {
      this._page.announce(TEXTS.flags.tooFew);
      return;
    }
    const parts = drawing.finished(this._scale);
    const { selected } = this._store;
    const cutting = this._cutting;
    this.layDown();
    if (cutting && selected) this._cutOut(selected, parts[0][0]);
    else this._create(drawing.kind, parts);
  }

  /**
   * @param {FlagKind} kind
   * @param {Parts} parts
   */
  _create(kind, parts) {
    const geometry = fromParts(kind, parts);
    const words = { label: this._page.label(), name: null, reason: '', assignee: null };
    const flag = this._store.create({ kind, geometry, ...words, state: OPEN });
    this._store.select(flag);
    this._page.announce(TEXTS.flags.made(TEXTS.flags.kinds[kind]));
  }

  /**
   * @param {Flag} flag
   * @param {Position[]} hole
   */
  _cutOut(flag, hole) {
    const kind = flag.kind === 'box' ? 'polygon' : flag.kind;
    const parts = withHole(toParts(flag.geometry), hole);
    this._store.edit(flag, { kind, geometry: fromParts(kind, parts) });
  }

  // ---- pointer -------------------------------------------------------------------------------

  _listen() {
    const container = this._map.getContainer();
    const capture = { capture: true };
    container.addEventListener('pointerdown', event => this._down(event), capture);
    container.addEventListener('pointermove', event => this._move(event), capture);
    container.addEventListener('pointerup', event => this._up(event), capture);
    container.addEventListener('pointercancel', () => this._drop(), capture);
    this._map.on('click', event => this._click(event));
    this._map.on('dblclick', () => this._doubleClick());
    this._map.on('move', () => this._followCenter());
  }

  /** @param {PointerEvent} event */
  _down(event) {
    if (!event.isPrimary) {
      this._drop(); // a second finger: the slide is pinched, nothing is drawn
      return;
    }
    if (event.button !== 0) return;
    this._ignoreClick = false; // whatever was dragged before, this is another press
    this._byKeyboard = false;
    const start = this._map.mouseEventToContainerPoint(event);
    const byTouch = event.pointerType === 'touch';
    const strokes = this.tool === 'freehand' || this.tool === 'box';
    const holds = this._drawing
      ? strokes && this._drawing.isEmpty
      : this._editor.grab(start, this._at(event), byTouch);
    if (!holds) return;
    this._pointer = { id: event.pointerId, start, moved: false };
    this._map.getContainer().setPointerCapture(event.pointerId);
    this._map.dragging.disable();
    this._changed();
  }

  /** @param {PointerEvent} event */
  _move(event) {
    const pointer = this._pointer;
    if (!pointer || pointer.id !== event.pointerId) {
      this._hover(event);
      return;
    }
    const point = this._map.mouseEventToContainerPoint(event);
    if (!pointer.moved && point.distanceTo(pointer.start) < CLICK_PX) return;
    if (this._drawing) this._stroke(this._drawing, pointer, event);
    else this._editor.drag(this._at(event));
    pointer.moved = true;
    this._changed();
  }

  /** @param {PointerEvent} event */
  _hover(event) {
    if (!this._drawing || event.pointerType === 'touch') return;
    this._byKeyboard = false;
    this._drawing.hover = this._at(event);
    this._changed();
  }

  /**
   * @param {Drawing} drawing
   * @param {{start: L.Point, moved: boolean}} pointer
   * @param {PointerEvent} event
   */
  _stroke(drawing, pointer, event) {
    if (!pointer.moved)
      drawing.place(this._onSlide(this._map.containerPointToLatLng(pointer.start)));
    if (drawing.kind === 'box') {
      drawing.hover = this._at(event);
      return;
    }
    drawing.penDown = true;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) drawing.trace(this._at(one), this._scale);
  }

  /** @param {PointerEvent} event */
  _up(event) {
    const pointer = this._pointer;
    if (!pointer || pointer.id !== event.pointerId) return;
    this._pointer = null;
    // The click that follows a drag means nothing.
    this._ignoreClick = pointer.moved || !this._drawing;
    window.setTimeout(() => (this._ignoreClick = false), AFTER_DRAG_MS);
    if (!this._drawing) {
      this._map.dragging.enable();
      this._editor.drop();
    } else if (pointer.moved) {
      this._endStroke(this._drawing, event);
    }
    this._changed();
  }

  /**
   * @param {Drawing} drawing
   * @param {PointerEvent} event
   */
  _endStroke(drawing, event) {
    if (drawing.kind === 'box') drawing.place(this._at(event));
    drawing.penDown = false;
    if (drawing.isWhole) this._finish();
    else this._drawing = new Drawing(drawing.kind);
  }

  /** What is dragged falls back to where it was. */
  _drop() {
    if (!this._pointer) return;
    this._pointer = null;
    if (this._drawing) this._drawing = new Drawing(this._drawing.kind);
    else this._map.dragging.enable();
    this._editor.letGo();
    this._changed();
  }

  /** @param {L.LeafletMouseEvent} event */
  _click(event) {
    if (this._ignoreClick) return;
    const at = this._onSlide(event.latlng);
    if (this._drawing) {
      this._clicks = [...this._clicks.slice(-1), event.containerPoint];
      if (this._drawing.kind !== 'freehand') this._place(at);
      return;
    }
    const { selected } = this._store;
    const { flag, cluster } = this._layer.at(event.latlng);
    if (cluster) this._page.zoomTo(cluster.bbox_l0_px);
    else if (flag || !selected || !this._editor.isOnBorder(selected, at)) {
      this._store.select(flag ?? null);
    }
  }

  /** Leaflet takes quick taps for a double one even where they lie apart. */
  _doubleClick() {
    const drawing = this._drawing;
    const [first, second] = this._clicks;
    if (!drawing || !second || first.distanceTo(second) > DOUBLE_CLICK_PX) return;
    const [x, y] = drawing.line.at(-2) ?? [Infinity, Infinity];
    const [lastX, lastY] = drawing.line.at(-1) ?? [0, 0];
    const twice = Math.hypot(x - lastX, y - lastY) * this._scale <= DOUBLE_CLICK_PX;
    if (twice) drawing.takeBack();
    if (drawing.isWhole) this._finish();
  }

  // ---- keys ----------------------------------------------------------------------------------

  /**
   * A key for the drawing or the selected flag; false when it means nothing here.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (!this._drawing) return this._editor.key(event);
    switch (event.key) {
      case 'Escape':
        this.layDown();
        return true;
      case 'Enter':
        this._finishOrPlace();
        return true;
      case ' ':
        this._placeAtCenter();
        return true;
      case 'Delete':
      case 'Backspace':
        if (this._drawing.takeBack()) this._changed();
        else this.layDown();
        return true;
    }
    return false;
  }

  // ---- inside --------------------------------------------------------------------------------

  get _scale() {
    return 2 ** this._map.getZoom();
  }

  _center() {
    return this._onSlide(this._map.getCenter());
  }

  /** @param {MouseEvent} event */
  _at(event) {
    return this._onSlide(this._map.mouseEventToLatLng(event));
  }

  /**
   * The nearest place on the slide: who draws beyond its edge draws along it.
   * @param {L.LatLng} latLng
   * @returns {Position}
   */
  _onSlide(latLng) {
    const { x, y } = toL0(latLng);
    const { width, height } = this._page.slide_l0_px;
    return [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))];
  }

  _followCenter() {
    const drawing = this._drawing;
    if (!drawing || !this._byKeyboard) return;
    if (drawing.penDown) drawing.trace(this._center(), this._scale);
    drawing.hover = this._center();
    this._changed();
  }

  /** Show what is in hand. */
  _changed() {
    if (this._cutting && !this._store.selected) {
      this.layDown(); // what was to be cut is gone
      return;
    }
    byId('map').classList.toggle('is-drawing', !!this._drawing);
    if (this._drawing && this._byKeyboard) byId('crosshair').hidden = false;
    if (this._drawing && !this._cutting) this._sketchDrawing(this._drawing);
    else this._sketchSelected();
    this.dispatchEvent(new Event('change'));
  }

  /** @param {Drawing} drawing */
  _sketchDrawing({ kind, preview }) {
    if (!preview) {
      this._sketch.show(null);
      return;
    }
    const open = kind === 'polygon' || kind === 'freehand';
    const sketch = { kind, parts: preview, open, label: this._page.label(), state: OPEN };
    this._sketch.show(sketch, { text: this.measure(kind, preview) });
  }

  _sketchSelected() {
    const { selected } = this._store;
    if (!selected) {
      this._sketch.show(null);
      return;
    }
    const { kind, label, state } = selected;
    const outline = this._editor.now ?? toParts(selected.geometry);
    const hole = this._drawing?.preview?.[0][0] ?? [];
    const parts = hole.length > 1 ? withHole(outline, hole) : outline;
    const measured = this._editor.now || hole.length > 1 || kind === 'ruler';
    const text = measured ? this.measure(kind, parts) : '';
    const { active } = this._editor;
    const sketch = { kind, parts, open: false, label, state };
    this._sketch.show(sketch, { editable: !this._drawing, active, text });
  }

  /**
   * The length or area of a shape in words; '' where there is none, or no resolution.
   * @param {FlagKind} kind
   * @param {Parts} parts
   */
  measure(kind, parts) {
    const { mpp } = this._store;
    const length = lengthUm(kind, parts, mpp);
    if (length !== null) return TEXTS.flags.length(length);
    const mm2 = areaMm2(kind, parts, mpp);
    return mm2 === null ? '' : areaText(mm2);
  }
}
