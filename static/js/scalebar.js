// @ts-check
import { byId, setText } from './dom.js';

const WIDEST_PX = 150;

/**
 * The longest 1-2-5 length that fits.
 * @param {number} um_per_px µm per CSS pixel
 * @returns {{length_um: number, width_px: number}}
 */
export function scaleBar(um_per_px) {
  const longest = um_per_px * WIDEST_PX;
  const power = 10 ** Math.floor(Math.log10(longest));
  const step = [5, 2, 1].find(factor => factor * power <= longest) ?? 1;
  return { length_um: step * power, width_px: (step * power) / um_per_px };
}

/** @param {number} length_um */
export function lengthLabel(length_um) {
  return length_um >= 1000 ? `${length_um / 1000} mm` : `${Number(length_um.toPrecision(1))} µm`;
}

/**
 * Keeps the bar right at every zoom. Without a resolution it says so instead.
 * @param {L.Map} map
 * @param {import('./scale.js').Scale} scale
 */
export function addScaleBar(map, scale) {
  const bar = byId('scalebar');
  const mpp = scale.mpp;
  bar.classList.toggle('is-uncalibrated', !mpp);
  if (!mpp) return;
  const show = () => {
    const { length_um, width_px } = scaleBar(mpp.x / 2 ** map.getZoom());
    byId('scalebar-line').style.width = `${width_px}px`;
    setText(byId('scalebar-label'), lengthLabel(length_um));
  };
  map.on('zoom zoomend', show);
  show();
}
