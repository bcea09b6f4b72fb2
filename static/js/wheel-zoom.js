// @ts-check
/**
 * Zooms with the wheel or a trackpad without steps: each frame goes a part of the way to the zoom
 * asked for, the point under the cursor stays where it is. (Leaflet's own handler collects events
 * and plays an animation for each batch, which stutters under a long scroll.)
 */

import { reducedMotion } from './dom.js';

const PX_PER_ZOOM = 180;
const LINE_PX = 40;
const SHARE_PER_FRAME = 0.28;
const CLOSE_ENOUGH = 0.004;

export class WheelZoom {
  /** @param {L.Map} map */
  constructor(map) {
    this._map = map;
    this._goal = 0;
    this._frame = 0;
    /** Where the cursor is, and what lies under it. */
    this._at = L.point(0, 0);
    this._under = map.getCenter();
    map.getContainer().addEventListener('wheel', event => this._onWheel(event), { passive: false });
  }

  /** @param {WheelEvent} event */
  _onWheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
    // A pinch on a trackpad comes as a wheel event with ctrlKey and small steps.
    const pinch = event.ctrlKey ? 5 : 1;
    const start = this._frame ? this._goal : this._map.getZoom();
    this._goal = this._map._limitZoom(start - (event.deltaY * unit * pinch) / PX_PER_ZOOM);
    const at = this._map.mouseEventToContainerPoint(event);
    if (!this._frame || !at.equals(this._at)) {
      this._at = at;
      this._under = this._map.containerPointToLatLng(at);
    }
    if (this._frame || this._map._animatingZoom) return;
    this._map._stop();
    this._map._moveStart(true, false);
    this._frame = requestAnimationFrame(() => this._step());
  }

  _step() {
    const zoom = this._map.getZoom();
    const rest = this._goal - zoom;
    const arrived = Math.abs(rest) < CLOSE_ENOUGH || reducedMotion();
    const next = arrived ? this._goal : zoom + rest * SHARE_PER_FRAME;
    // 'pinch' tells the layers that the zoom is under way and goes on.
    this._map._move(this._centerFor(next), next, arrived ? undefined : { pinch: true });
    if (arrived) {
      this._frame = 0;
      this._map._moveEnd(true);
    } else {
      this._frame = requestAnimationFrame(() => this._step());
    }
  }

  /** @param {number} zoom */
  _centerFor(zoom) {
    const fromCenter = this._at.subtract(this._map.getSize().divideBy(2));
    return this._map.unproject(this._map.project(this._under, zoom).subtract(fromCenter), zoom);
  }
}
