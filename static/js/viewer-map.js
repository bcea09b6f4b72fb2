// @ts-check

import { backdropLayer, DeepZoomLayer } from './deepzoom-layer.js';
import { reducedMotion } from './dom.js';
import { Mover } from './mover.js';
import { SLIDE_CRS, toL0, toLatLng } from './plane.js';
import { DIGITAL_ZOOMS } from './scale.js';
import { listenToWheel } from './wheel-zoom.js';

/**
 * @typedef {import('./types.d.ts').DeepZoomInfo} DeepZoomInfo
 * @typedef {import('./scale.js').Scale} Scale
 */

const FIT_PADDING_PX = 24;

/** The map of this page, once it is there. @type {{mover: Mover, scale: Scale} | null} */
let current = null;

/**
 * Show a place of the slide in the middle of the view, as somebody touring its findings needs it: the
 * view flies there (or is there at once, where the system asks for less motion). Any key, wheel or
 * touch of the user interrupts it.
 * @param {number} x_l0_px from the top-left corner of the slide's bounds
 * @param {number} y_l0_px
 * @param {number} [power] magnification, say 20 for 20× (% of the pixels on a slide without
 *   resolution); capped at what the map allows. Left out: the zoom stays as it is.
 * @returns {Promise<boolean>} true on arrival, false if something else came between
 */
export async function goToL0(x_l0_px, y_l0_px, power) {
  if (!current) return false;
  const { mover, scale } = current;
  return mover.flyTo(x_l0_px, y_l0_px, power === undefined ? undefined : scale.zoomOf(power));
}

/**
 * The Leaflet map of one slide.
 * @param {HTMLElement} element
 * @param {DeepZoomInfo} info
 * @param {Scale} scale
 * @param {{center?: L.LatLng, zoom?: number}} start where to begin; else with the whole slide
 */
export function createMap(element, info, scale, start) {
  const bounds = L.latLngBounds(toLatLng(0, 0), toLatLng(info.widthPx, info.heightPx));
  const still = reducedMotion();
  const map = L.map(element, {
    crs: SLIDE_CRS,
    zoomSnap: 0,
    zoomDelta: 0.5,
    maxZoom: DIGITAL_ZOOMS,
    minZoom: -40, // set below, once the size of the map is known
    zoomControl: false,
    attributionControl: false,
    fadeAnimation: false, // a fade would let the background through
    zoomAnimation: false, // mover.js
    inertia: !still,
    keyboard: false, // one table of keys for the whole page: shortcuts.js
    scrollWheelZoom: false, // wheel-zoom.js
    boxZoom: true,
    doubleClickZoom: false, // wheel-zoom.js
    trackResize: false,
  });
  const slide = new DeepZoomLayer(info);
  const limitZoom = map._limitZoom.bind(map);
  // Wherever a zoom comes to rest (wheel, pinch, keys, link), tiles fill whole device pixels.
  map._limitZoom = zoom => slide.exactZoom(limitZoom(zoom));
  const fitZoom = () => map.getBoundsZoom(bounds, false, L.point(FIT_PADDING_PX, FIT_PADDING_PX));
  const setLimits = () => map.setMinZoom(Math.min(fitZoom(), scale.zoomOf(scale.steps[0]), 0));
  map.setView(start.center ?? bounds.getCenter(), start.zoom ?? Math.min(0, fitZoom()), {
    animate: false,
  });
  setLimits();
  const backdrop = backdropLayer(info);
  map.addLayer(backdrop).addLayer(slide);
  const mover = new Mover(map, goal => slide.headFor(goal));
  const flyTo = (/** @type {L.LatLng} */ center, /** @type {number} */ zoom) =>
    mover.flyTo(center.lng, center.lat, zoom);
  const fit = () => void flyTo(bounds.getCenter(), Math.min(0, fitZoom()));
  // The box that is dragged with Shift ends here.
  map.fitBounds = box => {
    const wanted = box instanceof L.LatLngBounds ? box : L.latLngBounds(box);
    void flyTo(wanted.getCenter(), Math.min(map.getMaxZoom(), map.getBoundsZoom(wanted)));
    return map;
  };
  current = { mover, scale };
  listenToWheel(map, mover);
  keepInReach(map, mover, bounds);
  tellWhileMoving(element, map, mover);
  new ResizeObserver(() => {
    // Leaflet forgets the exact centre when it is told of a new size, be it the old one.
    if (L.point(element.clientWidth, element.clientHeight).equals(map.getSize())) return;
    map.invalidateSize({ animate: false });
    setLimits();
  }).observe(element);
  return { map, mover, fit, layers: [backdrop, slide] };
}

/**
 * `aria-busy` while the view is under way.
 * @param {HTMLElement} element
 * @param {L.Map} map
 * @param {Mover} mover
 */
function tellWhileMoving(element, map, mover) {
  map.on('movestart', () => element.setAttribute('aria-busy', 'true'));
  map.on('moveend', () => element.setAttribute('aria-busy', String(mover.busy)));
}

/**
 * The centre of the view never leaves the slide: nobody gets lost on empty ground.
 * @param {L.Map} map
 * @param {Mover} mover
 * @param {L.LatLngBounds} bounds
 */
function keepInReach(map, mover, bounds) {
  map.on('moveend', () => {
    const { x, y } = toL0(map.getCenter());
    const px = 2 ** map.getZoom();
    const right = Math.min(bounds.getEast(), Math.max(bounds.getWest(), x)) - x;
    const down = Math.min(bounds.getNorth(), Math.max(bounds.getSouth(), y)) - y;
    // Less than a pixel is the rounding of the last step.
    if (Math.max(Math.abs(right), Math.abs(down)) * px >= 1) mover.panBy(right * px, down * px);
  });
}
