// @ts-check

import { backdropLayer, DeepZoomLayer } from './deepzoom-layer.js';
import { reducedMotion } from './dom.js';
import { SLIDE_CRS, toLatLng } from './plane.js';
import { DIGITAL_ZOOMS } from './scale.js';
import { WheelZoom } from './wheel-zoom.js';

/**
 * @typedef {import('./types.d.ts').DeepZoomInfo} DeepZoomInfo
 * @typedef {import('./scale.js').Scale} Scale
 */

const FIT_PADDING_PX = 24;

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
    zoomAnimation: !still,
    inertia: !still,
    keyboard: false, // one table of keys for the whole page: shortcuts.js
    scrollWheelZoom: false, // wheel-zoom.js
    boxZoom: true,
    doubleClickZoom: true,
    trackResize: false,
  });
  const slide = new DeepZoomLayer(info);
  const limitZoom = map._limitZoom.bind(map);
  // Wherever a zoom comes to rest (wheel, pinch, keys, link), tiles fill whole device pixels.
  map._limitZoom = zoom => slide.exactZoom(limitZoom(zoom));
  const fitZoom = () => map.getBoundsZoom(bounds, false, L.point(FIT_PADDING_PX, FIT_PADDING_PX));
  const setLimits = () => map.setMinZoom(Math.min(fitZoom(), scale.zoomOf(scale.steps[0]), 0));
  const fit = () => map.setView(bounds.getCenter(), Math.min(0, fitZoom()));
  map.setView(start.center ?? bounds.getCenter(), start.zoom ?? Math.min(0, fitZoom()), {
    animate: false,
  });
  setLimits();
  const backdrop = backdropLayer(info);
  map.addLayer(backdrop).addLayer(slide);
  new WheelZoom(map);
  keepInReach(map, bounds);
  new ResizeObserver(() => {
    // Leaflet forgets the exact centre when it is told of a new size, be it the old one.
    if (L.point(element.clientWidth, element.clientHeight).equals(map.getSize())) return;
    map.invalidateSize({ animate: false });
    setLimits();
  }).observe(element);
  return { map, fit, layers: [backdrop, slide] };
}

/**
 * The centre of the view never leaves the slide: nobody gets lost on empty ground.
 * @param {L.Map} map
 * @param {L.LatLngBounds} bounds
 */
function keepInReach(map, bounds) {
  map.on('moveend', () => {
    const center = map.getCenter();
    if (bounds.contains(center)) return;
    const inside = toLatLng(
      Math.min(bounds.getEast(), Math.max(bounds.getWest(), center.lng)),
      Math.min(bounds.getNorth(), Math.max(bounds.getSouth(), center.lat)),
    );
    map.panTo(inside, { animate: !reducedMotion() });
  });
}
