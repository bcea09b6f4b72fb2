// @ts-check
import { likelyTiles } from './prefetch.js';

/** A move this long ago says nothing about where the view goes next. */
const HEADING_MS = 600;
/** So many tiles are fetched ahead of a view at most. */
const LIMIT = 40;

/**
 * Watches where the view of a slide is going and has the tiles fetched that it may need next, while
 * nothing that is looked at is awaited.
 */
export class LookAhead {
  /**
   * @param {import('./deepzoom-layer.js').DeepZoomLayer} layer
   * @param {import('./tile-pictures.js').TilePictures} pictures
   */
  constructor(layer, pictures) {
    this._layer = layer;
    this._pictures = pictures;
    this._waiting = false;
    /** Whether what the last move led to was awaited: until it is here, the move is not over. */
    this._awaited = false;
    /** Where the view was when it last moved, and whereto. */
    this._track = { at_ms: 0, x: 0, y: 0, zoom: 0, heading: { x: 0, y: 0 }, zooming: 0 };
    /** Under the pointer. @type {L.LatLng | null} */
    this._pointer = null;
    /** @type {L.Map | null} */
    this._map = null;
    /** Set while something else decides what is fetched. */
    this.paused = false;
  }

  /** @param {L.Map} map */
  watch(map) {
    this._map = map;
    const container = map.getContainer();
    container.addEventListener('pointermove', event => {
      this._pointer = map.mouseEventToLatLng(event);
    });
    container.addEventListener('pointerleave', () => {
      this._pointer = null;
    });
  }

  /** Called whenever the view has moved or a tile has come. */
  planSoon() {
    this._follow();
    if (this._waiting) return;
    this._waiting = true;
    whenIdle(() => {
      this._waiting = false;
      this._plan();
    });
  }

  _plan() {
    if (!this._map || this.paused || saveData()) return;
    if (!this._layer.isContent) {
      this._awaited = true;
      this._pictures.fetchNoMore();
      return;
    }
    const likely = this._layer.urlsOf(likelyTiles(this._look(this._map)));
    this._pictures.fetchAhead(likely.slice(0, LIMIT));
    this._awaited = false;
  }

  /** Note where the view is going. */
  _follow() {
    if (!this._map) return;
    const [{ lat, lng }, zoom] = [this._map.getCenter(), this._map.getZoom()];
    const [x, y] = [lng - this._track.x, lat - this._track.y];
    const [zooming, way] = [zoom - this._track.zoom, Math.hypot(x, y)];
    if (!way && !zooming) return;
    const heading = way && !zooming ? { x: x / way, y: y / way } : { x: 0, y: 0 };
    this._track = { at_ms: performance.now(), x: lng, y: lat, zoom, heading, zooming };
  }

  /**
   * @param {L.Map} map
   * @returns {import('./prefetch.js').Look}
   */
  _look(map) {
    const { seen, info } = this._layer;
    const focus = this._pointer ?? map.getCenter();
    const tiles = 2 ** seen.z / info.tileSizePx;
    const { at_ms, heading, zooming } = this._track;
    const atRest = !this._awaited && performance.now() - at_ms > HEADING_MS;
    return {
      ...seen,
      focus: { x: focus.lng * tiles, y: focus.lat * tiles },
      heading: atRest ? { x: 0, y: 0 } : heading,
      zooming: atRest ? 0 : zooming,
    };
  }
}

/** @param {() => void} act */
function whenIdle(act) {
  // Safari has no requestIdleCallback.
  if (window.requestIdleCallback) window.requestIdleCallback(act, { timeout: 200 });
  else window.setTimeout(act, 50);
}

/** Whether the user asked the browser to go easy on the network. */
function saveData() {
  const { connection } = /** @type {{connection?: {saveData?: boolean}}} */ (navigator);
  return connection?.saveData === true;
}
