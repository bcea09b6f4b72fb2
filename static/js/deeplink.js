// @ts-check
import { COLORMAPS } from './colormaps.js';
import { throttle } from './dom.js';
import { toL0, toLatLng } from './plane.js';

/**
 * The view as the part of the address after '#': x and y (level-0 px of the centre), mag or, without
 * a resolution, zoom (% of the pixels); ov (heat map on), op (opacity), lo, hi (limits), map.
 *
 * @typedef {import('./scale.js').Scale} Scale
 * @typedef {import('./overlay-state.js').OverlayState} OverlayState
 * @typedef {import('./types.d.ts').OverlaySettings} OverlaySettings
 */

const WRITE_EVERY_MS = 250;

/**
 * What a hash says; everything in it may be missing or nonsense.
 * @param {string} hash
 * @param {Scale} scale
 */
export function readHash(hash, scale) {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const number = (/** @type {string} */ name) => {
    const text = fields.get(name);
    return text && Number.isFinite(Number(text)) ? Number(text) : undefined;
  };
  const share = (/** @type {string} */ name) => {
    const value = number(name);
    return value === undefined ? undefined : Math.min(1, Math.max(0, value));
  };
  const [x, y, mag, percent] = ['x', 'y', 'mag', 'zoom'].map(number);
  const value = scale.mpp ? mag : percent;
  const colormap = fields.get('map') ?? '';
  return {
    center: x === undefined || y === undefined ? undefined : toLatLng(x, y),
    zoom: value && value > 0 ? scale.zoomOf(value) : percent ? Math.log2(percent / 100) : undefined,
    overlay: definedOnly({
      shown: fields.has('ov') ? fields.get('ov') !== '0' : undefined,
      opacity: share('op'),
      lower: share('lo'),
      upper: share('hi'),
      colormap: COLORMAPS.includes(colormap) ? colormap : undefined,
    }),
  };
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {Partial<OverlaySettings>}
 */
function definedOnly(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/**
 * @param {L.Map} map
 * @param {Scale} scale
 * @param {OverlayState} state
 */
export function writeHash(map, scale, state) {
  const overlay = state.settings;
  const { x, y } = toL0(map.getCenter());
  const value = scale.valueAt(map.getZoom());
  const fields = {
    x: x.toFixed(1),
    y: y.toFixed(1),
    [scale.mpp ? 'mag' : 'zoom']: String(Number(value.toPrecision(7))),
    ov: overlay.shown ? '1' : '0',
    op: overlay.opacity.toFixed(2),
    ...(state.lowerIsKnown ? { lo: String(Number(overlay.lower.toFixed(4))) } : {}),
    hi: String(Number(overlay.upper.toFixed(4))),
    map: overlay.colormap,
  };
  return `#${new URLSearchParams(fields)}`;
}

/** Writes what is still to be written. */
let writeNow = () => {};

/** The part of the address after '#', true to the view at this moment. */
export function presentHash() {
  writeNow();
  return location.hash;
}

/**
 * Keeps the address true to the view, without filling the history; `data-address` of the page is
 * 'late' as long as the view has moved on.
 * @param {L.Map} map
 * @param {Scale} scale
 * @param {OverlayState} overlay
 */
export function followView(map, scale, overlay) {
  const page = document.body.dataset;
  writeNow = () => {
    history.replaceState(null, '', writeHash(map, scale, overlay));
    if (map.getContainer().getAttribute('aria-busy') !== 'true') delete page.address;
  };
  const soon = throttle(writeNow, WRITE_EVERY_MS);
  const write = () => {
    page.address = 'late';
    soon();
  };
  map.on('movestart', () => {
    page.address = 'late';
  });
  map.on('moveend', write);
  overlay.subscribe(write);
  write();
}
