// @ts-check
/** A viewer inside the page that compares: it tells where it is, and goes where it is sent. */

import { toL0, toLatLng } from './plane.js';

/**
 * Where a pane is. `value`: magnification, or % of the pixels where the resolution is unknown.
 * @typedef {{x_l0_px: number, y_l0_px: number, value: number, percent: number}} PaneView
 * @typedef {{name: string, mpp: [number, number] | null, view: PaneView}} PaneState
 */

const PANE = new URLSearchParams(location.search).get('pane');

/** 'left' or 'right', or null on a page of its own. */
export const paneSide = window.parent !== window && PANE ? PANE : null;

if (paneSide) document.documentElement.classList.add('is-pane');

/**
 * @param {object} viewer
 * @param {L.Map} viewer.map
 * @param {import('./mover.js').Mover} viewer.mover
 * @param {import('./scale.js').Scale} viewer.scale
 * @param {import('./types.d.ts').Slide} viewer.slide
 */
export function joinComparison({ map, mover, scale, slide }) {
  if (!paneSide) return;
  let sent = false; // moved by the other pane, which knows it
  const tell = (/** @type {string} */ type) => {
    const { x, y } = toL0(map.getCenter());
    const zoom = map.getZoom();
    /** @type {PaneState} */
    const state = {
      name: slide.name,
      mpp: slide.mpp_x && slide.mpp_y ? [slide.mpp_x, slide.mpp_y] : null,
      view: { x_l0_px: x, y_l0_px: y, value: scale.valueAt(zoom), percent: 2 ** zoom * 100 },
    };
    window.parent.postMessage({ type, pane: paneSide, state }, location.origin);
  };
  map.on('move zoom', () => {
    if (!sent) tell('moved');
  });
  window.addEventListener('message', ({ origin, source, data }) => {
    if (origin !== location.origin || source !== window.parent || data?.type !== 'go') return;
    const { x_l0_px, y_l0_px, value, percent } = data.view;
    mover.stop();
    sent = true;
    const zoom = value === null ? Math.log2(percent / 100) : scale.zoomOf(value);
    map.setView(toLatLng(x_l0_px, y_l0_px), zoom, { animate: false });
    sent = false;
  });
  tell('ready');
}
