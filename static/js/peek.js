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

  /** @param {Event} event */
  press(event) {
    if (this._pressedAt !== null) return; // the key repeats
    // When it happened, not when a busy page came to it.
    this._pressedAt = event.timeStamp;
    if (this._isShown()) this._setPeeking(true);
  }

  /** @param {Event} event */
  release(event) {
    if (this._pressedAt === null) return;
    const held = event.timeStamp - this._pressedAt > HOLD_MS;
    this.cancel();
    if (!held) this._toggle();
  }

  /** Let go without having meant anything. */
  cancel() {
    this._pressedAt = null;
    this._setPeeking(false);
  }
}
