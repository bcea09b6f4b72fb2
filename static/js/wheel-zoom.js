// @ts-check
/**
 * Zooms with the wheel or a trackpad without steps; the point under the cursor stays where it is.
 * (Leaflet's own handler collects events and plays an animation for each batch, which stutters
 * under a long scroll.)
 */

const PX_PER_ZOOM = 180;
const LINE_PX = 40;

/**
 * @param {L.Map} map
 * @param {import('./mover.js').Mover} mover
 */
export function listenToWheel(map, mover) {
  map.getContainer().addEventListener(
    'wheel',
    event => {
      event.preventDefault();
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
      // A pinch on a trackpad comes as a wheel event with ctrlKey and small steps.
      const pinch = event.ctrlKey ? 5 : 1;
      const zooms = (-event.deltaY * unit * pinch) / PX_PER_ZOOM;
      mover.zoomBy(zooms, map.mouseEventToContainerPoint(event));
    },
    { passive: false },
  );
  map.on('dblclick', event => {
    if (map.getContainer().classList.contains('is-drawing')) return; // it finishes the outline
    mover.zoomBy(event.originalEvent.shiftKey ? -1 : 1, event.containerPoint);
  });
}
