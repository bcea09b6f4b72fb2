// @ts-check
import { boxRing, simplified } from './geometry.js';

/**
 * @typedef {import('./types.d.ts').FlagKind} FlagKind
 * @typedef {import('./types.d.ts').Position} Position
 * @typedef {import('./types.d.ts').Parts} Parts
 */

/** How far a freehand line may be simplified, in CSS px as it was drawn. */
const FREEHAND_TOLERANCE_PX = 0.8;
const FREEHAND_STEP_PX = 2;

/** A shape being drawn: what was placed so far, and where the pointer is. */
export class Drawing {
  /** @param {FlagKind} kind */
  constructor(kind) {
    this.kind = kind;
    /** @type {Position[]} */
    this.line = [];
    /** @type {Position | null} */
    this.hover = null;
    /** Whether a stroke is under way: freehand while the pointer is down, or by key. */
    this.penDown = false;
  }

  get isEmpty() {
    return this.line.length === 0;
  }

  /** @param {Position} at */
  place(at) {
    const last = this.line.at(-1);
    if (last && last[0] === at[0] && last[1] === at[1]) return;
    this.line.push(at);
  }

  /**
   * Go on with a stroke.
   * @param {Position} at
   * @param {number} scale CSS px per level-0 px
   */
  trace(at, scale) {
    const last = this.line.at(-1);
    const far = !last || Math.hypot(at[0] - last[0], at[1] - last[1]) * scale >= FREEHAND_STEP_PX;
    if (far) this.line.push(at);
  }

  /** Take the last vertex back; false when there was none. */
  takeBack() {
    return this.line.pop() !== undefined;
  }

  /** Whether the next point completes the shape by itself. */
  get completesWithNext() {
    if (this.kind === 'point') return true;
    return (this.kind === 'box' || this.kind === 'ruler') && this.line.length === 1;
  }

  /** Whether it is a shape already. */
  get isWhole() {
    const [first, second] = this.line;
    switch (this.kind) {
      case 'point':
        return this.line.length === 1;
      case 'ruler':
        return this.line.length >= 2;
      case 'box':
        return this.line.length === 2 && first[0] !== second[0] && first[1] !== second[1];
      default:
        return this.line.length >= 3;
    }
  }

  /**
   * The shape as it would be with the pointer's place; null before there is anything to see.
   * @returns {Parts | null}
   */
  get preview() {
    const withHover = this.hover && !this.penDown ? [...this.line, this.hover] : this.line;
    if (!withHover.length || this.isEmpty) return null;
    if (this.kind === 'box' && withHover.length >= 2) {
      return [[boxRing(withHover[0], withHover[1])]];
    }
    return [[withHover]];
  }

  /**
   * @param {number} scale CSS px per level-0 px
   * @returns {Parts}
   */
  finished(scale) {
    if (this.kind === 'box') return [[boxRing(this.line[0], this.line[1])]];
    if (this.kind !== 'freehand') return [[this.line]];
    const line = simplified(this.line, FREEHAND_TOLERANCE_PX / scale);
    return [[line.length >= 3 ? line : this.line]];
  }
}
