// @ts-check
/**
 * The one thing that moves the map: keys, buttons, wheel and tours set a goal here, and each frame
 * goes a part of the way. A new wish while the view is under way adds to the goal: none is lost, none
 * waits for the one before. (Leaflet plays one animation per call and ignores calls meanwhile.)
 */

import { reducedMotion } from './dom.js';
import { flight } from './flight.js';
import { toL0, toLatLng } from './plane.js';

/** The rest of the way shrinks to 1/e in this time. */
const GLIDE_MS = 50;
const LONGEST_FRAME_MS = 50;
const CLOSE_ENOUGH_ZOOM = 0.004;
const CLOSE_ENOUGH_PX = 0.5;
const FLIGHT_MS_PER_LENGTH = 420;
const SHORTEST_FLIGHT_MS = 250;
const LONGEST_FLIGHT_MS = 1300;

export class Mover {
  /**
   * @param {L.Map} map
   * @param {(goal: import('./flight.js').View | null) => void} onFlight told where a flight goes to,
   *   and null when it has ended
   */
  constructor(map, onFlight) {
    this._map = map;
    this._onFlight = onFlight;
    this._frame = 0;
    this._then_ms = 0;
    this._zooming = false;
    /** The zoom that is asked for, before it is rounded to one that tiles can be shown at. */
    this._wanted = map.getZoom();
    /** `under` lies at `at` on the screen and is to come to rest `rest` further on. */
    this._at = L.point(0, 0);
    this._rest = L.point(0, 0);
    this._under = map.getCenter();
    /** @type {{path: import('./flight.js').Flight, from_ms: number, takes_ms: number, arrived: (whole: boolean) => void} | null} */
    this._flight = null;
    // Whoever takes hold of the slide stops it.
    map.getContainer().addEventListener('pointerdown', () => this.stop(), { capture: true });
  }

  /** Whether the view is under way. */
  get busy() {
    return this._frame !== 0;
  }

  /** The zoom where the view will come to rest. */
  get goalZoom() {
    const resting = !this.busy && this._map._limitZoom(this._wanted) !== this._map.getZoom();
    return resting || this._flight ? this._map.getZoom() : this._wanted;
  }

  /**
   * Zoom so that what lies at a point of the screen stays there.
   * @param {number} zoom
   * @param {L.Point} [at] CSS px from the corner of the map; else its middle
   */
  goTo(zoom, at = this._map.getSize().divideBy(2)) {
    const { min, max } = { min: this._map.getMinZoom(), max: this._map.getMaxZoom() };
    this._breakFlight();
    this._wanted = Math.min(max, Math.max(min, zoom));
    if (!this.busy || !at.equals(this._at)) {
      this._at = at;
      this._under = this._map.containerPointToLatLng(at);
    }
    this._start(true);
  }

  /**
   * @param {number} zooms 1 is twice as large
   * @param {L.Point} [at]
   */
  zoomBy(zooms, at) {
    this.goTo(this.goalZoom + zooms, at);
  }

  /**
   * Move the view over the slide.
   * @param {number} x_px CSS px to the right
   * @param {number} y_px CSS px down
   */
  panBy(x_px, y_px) {
    this._breakFlight();
    if (!this.busy) this._hold();
    this._rest = this._rest.subtract(L.point(x_px, y_px));
    this._start(false);
  }

  /**
   * Fly to a view. Resolves to true on arrival, to false if something else came between.
   * @param {number} x_l0_px
   * @param {number} y_l0_px
   * @param {number} [zoom]
   * @returns {Promise<boolean>}
   */
  flyTo(x_l0_px, y_l0_px, zoom = this.goalZoom) {
    this.stop();
    this._wanted = zoom;
    const goal = { x: x_l0_px, y: y_l0_px, zoom: this._map._limitZoom(zoom) };
    const size = this._map.getSize();
    const from = { ...toL0(this._map.getCenter()), zoom: this._map.getZoom() };
    const path = flight(from, goal, Math.max(size.x, size.y));
    const takes_ms = Math.min(
      LONGEST_FLIGHT_MS,
      Math.max(SHORTEST_FLIGHT_MS, path.length * FLIGHT_MS_PER_LENGTH),
    );
    this._onFlight(goal);
    return new Promise(arrived => {
      this._flight = { path, from_ms: performance.now(), takes_ms, arrived };
      this._start(true);
    });
  }

  /** Come to rest where the view is now. */
  stop() {
    if (!this.busy) return;
    this._breakFlight();
    this._hold();
    this._wanted = this._map.getZoom();
    this._arrive();
  }

  /** Take what lies in the middle of the screen as the point that the view turns about. */
  _hold() {
    this._at = this._map.getSize().divideBy(2);
    this._under = this._map.getCenter();
    this._rest = L.point(0, 0);
    if (!this.busy) this._wanted = this.goalZoom;
  }

  /** @param {boolean} zooming */
  _start(zooming) {
    if (!this.busy) {
      this._map._stop();
      this._then_ms = performance.now();
      this._map._moveStart(false, false);
    }
    if (zooming && !this._zooming) {
      this._zooming = true;
      this._map._moveStart(true, true);
    }
    if (reducedMotion()) this._arrive();
    else this._frame ||= requestAnimationFrame(now_ms => this._step(now_ms));
  }

  /** @param {number} now_ms */
  _step(now_ms) {
    const passed_ms = Math.min(LONGEST_FRAME_MS, Math.max(1, now_ms - this._then_ms));
    this._then_ms = now_ms;
    const underWay = this._flight
      ? this._flyOn(this._flight, now_ms)
      : this._glideOn(1 - Math.exp(-passed_ms / GLIDE_MS));
    if (underWay) this._frame = requestAnimationFrame(next_ms => this._step(next_ms));
    else this._arrive();
  }

  /**
   * @param {NonNullable<Mover['_flight']>} flown
   * @param {number} now_ms
   */
  _flyOn({ path, from_ms, takes_ms }, now_ms) {
    const share = Math.max(0, (now_ms - from_ms) / takes_ms);
    if (share >= 1) return false;
    const { x, y, zoom } = path.at(share * share * (3 - 2 * share));
    const within = Math.max(this._map.getMinZoom(), zoom);
    // 'pinch' tells the layers that the zoom is under way and goes on.
    this._map._move(toLatLng(x, y), within, { pinch: true });
    return true;
  }

  /** @param {number} share of the rest of the way */
  _glideOn(share) {
    const zoom = this._map.getZoom();
    const zooms = this._goal - zoom;
    const far = Math.max(Math.abs(this._rest.x), Math.abs(this._rest.y));
    if (Math.abs(zooms) < CLOSE_ENOUGH_ZOOM && far < CLOSE_ENOUGH_PX) return false;
    const part = this._rest.multiplyBy(share);
    if (this._zooming) {
      this._advance(part);
      const next = zoom + zooms * share;
      this._map._move(this._centerFor(next), next, { pinch: true });
    } else {
      this._shift(part);
    }
    return true;
  }

  /** @param {L.Point} part of the way that is left, CSS px */
  _advance(part) {
    this._at = this._at.add(part);
    this._rest = this._rest.subtract(part);
  }

  /**
   * Without a zoom the picture is only pushed, by whole pixels: it stays as sharp as it is.
   * @param {L.Point} part
   */
  _shift(part) {
    const whole = L.point(awayFromZero(part.x), awayFromZero(part.y));
    this._advance(whole);
    this._map._rawPanBy(whole.multiplyBy(-1));
    this._map.fire('move');
  }

  get _goal() {
    return this._map._limitZoom(this._wanted);
  }

  _arrive() {
    cancelAnimationFrame(this._frame);
    this._frame = 0;
    const { _flight: flown, _zooming: zoomed } = this;
    this._flight = null;
    if (flown) this._onFlight(null);
    this._zooming = false;
    if (flown) {
      const { x, y, zoom } = flown.path.at(1);
      this._map._move(toLatLng(x, y), zoom);
    } else if (zoomed) {
      this._advance(this._rest);
      this._map._move(this._centerFor(this._goal), this._goal);
    } else {
      this._shift(this._rest.round());
    }
    this._rest = L.point(0, 0);
    this._map._moveEnd(zoomed);
    flown?.arrived(true);
  }

  /** What comes next goes on from where the flight is. */
  _breakFlight() {
    const flown = this._flight;
    if (!flown) return;
    this._flight = null;
    this._onFlight(null);
    this._hold();
    this._wanted = this._map.getZoom();
    flown.arrived(false);
  }

  /** @param {number} zoom */
  _centerFor(zoom) {
    const fromCenter = this._at.subtract(this._map.getSize().divideBy(2));
    return this._map.unproject(this._map.project(this._under, zoom).subtract(fromCenter), zoom);
  }
}

/** @param {number} value */
function awayFromZero(value) {
  return Math.sign(value) * Math.ceil(Math.abs(value));
}
