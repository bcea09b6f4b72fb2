// @ts-check
import { byId, make, setText } from './dom.js';
import { TEXTS } from './texts.js';

/** @typedef {import('./scale.js').Scale} Scale */

/** The buttons 1.25× to 40×, as far as the slide has them, and the value of the moment. */
export class MagnificationBar {
  /**
   * @param {L.Map} map
   * @param {Scale} scale
   * @param {{fit: () => void, zoomTo: (zoom: number) => void}} actions
   */
  constructor(map, scale, { fit, zoomTo }) {
    this._map = map;
    this._zoomTo = zoomTo;
    this._scale = scale;
    this._value = byId('magnification-value');
    this._digital = byId('magnification-digital');
    byId('magnification-fit').addEventListener('click', fit);
    /** @type {Map<number, HTMLButtonElement>} */
    this._buttons = new Map(
      scale.steps.filter(step => scale.has(step)).map(step => [step, this._button(step)]),
    );
    byId('magnification-steps').append(...this._buttons.values());
    map.on('zoom zoomend', () => this._show());
    this._show();
  }

  /** @param {number} step */
  _button(step) {
    const label = this._scale.stepLabel(step);
    const button = make('button', { class: 'step', text: this._scale.mpp ? String(step) : label });
    button.type = 'button';
    button.setAttribute('aria-label', label);
    button.addEventListener('click', () => this._zoomTo(this._scale.zoomOf(step)));
    return button;
  }

  _show() {
    const zoom = this._map.getZoom();
    setText(this._value, this._scale.label(this._scale.valueAt(zoom)));
    this._digital.hidden = zoom <= 0.001;
    this._digital.title = TEXTS.viewer.digitalHint;
    for (const [step, button] of this._buttons) {
      const current = Math.abs(this._scale.zoomOf(step) - zoom) < 0.01;
      button.setAttribute('aria-pressed', String(current));
    }
  }
}
