// @ts-check
const HOLD_MS = 250;

/**
 * One key or button, two uses: a short press switches the heat map on or off; held, it shows the raw
 * tissue until it is let go.
 */
export class Peek {
  /**
   * @param {() => boolean} isShown
   * @param {(peeking: boolean) => void} setPeeking
   * @param {() => void} toggle
   */
  constructor(isShown, setPeeking, toggle) {
    this._isShown = isShown;
    this._setPeeking = setPeeking;
    this._toggle = toggle;
    /** @type {number | null} */
    this._pressedAt = null;
    window.addEventListener('blur', () => this.cancel());
  }

  press() {
    if (this._pressedAt !== null) return; // the key repeats
    this._pressedAt = performance.now();
    if (this._isShown()) this._setPeeking(true);
  }

  release() {
    if (this._pressedAt === null) return;
    const held = performance.now() - this._pressedAt > HOLD_MS;
    this.cancel();
    if (!held) this._toggle();
  }

  /** Let go without having meant anything. */
  cancel() {
    this._pressedAt = null;
    this._setPeeking(false);
  }
}
