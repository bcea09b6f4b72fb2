// @ts-check
/**
 * The one plane of the viewer: level-0 pixels, origin at the top-left corner of the slide's bounds.
 * A map position is L.latLng(y, x) in these pixels and y grows downwards. Zoom 0 shows one level-0
 * pixel on one CSS pixel, zoom −1 two, and so on: the scale is 2^zoom CSS px per level-0 px.
 */

export const SLIDE_CRS = L.extend({}, L.CRS.Simple, {
  transformation: L.transformation(1, 0, 1, 0),
});

/**
 * @param {number} x_l0_px
 * @param {number} y_l0_px
 */
export function toLatLng(x_l0_px, y_l0_px) {
  return L.latLng(y_l0_px, x_l0_px);
}

/** @param {L.LatLng} latLng */
export function toL0(latLng) {
  return { x: latLng.lng, y: latLng.lat };
}

/**
 * The part of level 0 that the map shows.
 * @param {L.Map} map
 */
export function viewRect(map) {
  const bounds = map.getPixelBounds();
  const scale = 2 ** map.getZoom();
  const [min, max] = [/** @type {L.Point} */ (bounds.min), /** @type {L.Point} */ (bounds.max)];
  return {
    left: min.x / scale,
    top: min.y / scale,
    right: max.x / scale,
    bottom: max.y / scale,
  };
}
