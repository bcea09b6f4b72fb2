// @ts-check
import { ApiError, json } from '../api.js';
import { byId, setText, throttle } from '../dom.js';
import { viewRect } from '../plane.js';
import { readerChanges } from '../reader.js';
import { TEXTS } from '../texts.js';

/**
 * What the reader viewed at 10× or more: recorded only when switched on, shown on the overview.
 *
 * @typedef {import('./types.d.ts').Coverage} Coverage
 * @typedef {import('./types.d.ts').Surroundings} Surroundings
 */

/** A view counts once it has rested for so long. */
const REST_MS = 600;
const SEND_EVERY_MS = 2500;
const ROUNDING = 0.999;
const HATCH_PX = 5;

export class Trail {
  /** @param {Surroundings} page */
  constructor(page) {
    this._page = page;
    this._url = `/api/v1/slides/${page.slide.id}/coverage`;
    /** @type {Coverage | null} */
    this._coverage = null;
    /** @type {object[]} */
    this._views = [];
    this._rest = 0;
    /** Counts what was asked: the answer to the last question tells how it is now. */
    this._turn = 0;
    this._canvas = document.createElement('canvas');
    this._canvas.className = 'trail';
    byId('overview').append(this._canvas);
    this._switch = byId('trail-record', HTMLInputElement);
    this._switch.addEventListener('change', () => void this._record(this._switch.checked));
    byId('trail-forget').addEventListener('click', () => void this._forget());
    this._sendSoon = throttle(() => void this._send(), SEND_EVERY_MS);
    page.map.on('moveend zoomend resize', () => this._look());
    new ResizeObserver(() => this._paint()).observe(byId('overview'));
    readerChanges.addEventListener('change', () => void this._fetch());
    const calibrated = page.scale.mpp !== null;
    this._switch.disabled = !calibrated;
    if (calibrated) void this._fetch();
    else setText(byId('trail-share'), TEXTS.trail.uncalibrated);
  }

  async _fetch() {
    await this._do(() => json(this._url));
    this._look();
  }

  /** @param {boolean} recording */
  async _record(recording) {
    await this._do(() => json(this._url, 'PUT', { recording }));
    this._look();
  }

  async _forget() {
    this._views = [];
    await this._do(async () => {
      await json(this._url, 'DELETE');
      const coverage = await json(this._url);
      this._switch.focus();
      return coverage;
    });
  }

  /** Note what is shown, once it has rested. */
  _look() {
    window.clearTimeout(this._rest);
    if (!this._coverage?.recording) return;
    this._rest = window.setTimeout(() => {
      const { map, scale } = this._page;
      const magnification = scale.valueAt(map.getZoom());
      const least = (this._coverage?.least_magnification ?? 10) * ROUNDING;
      if (magnification < least || document.hidden) return;
      const { left, top, right, bottom } = viewRect(map);
      this._views.push({
        left_l0_px: left,
        top_l0_px: top,
        right_l0_px: right,
        bottom_l0_px: bottom,
        magnification: Math.min(400, magnification),
      });
      this._sendSoon();
    }, REST_MS);
  }

  async _send() {
    const views = this._views.splice(0, 100);
    if (!views.length || !this._coverage?.recording) return;
    await this._do(() => json(`${this._url}/views`, 'POST', { views }));
  }

  /** @param {() => Promise<Coverage>} ask */
  async _do(ask) {
    const turn = (this._turn += 1);
    try {
      const coverage = await ask();
      if (turn === this._turn) this._take(coverage);
    } catch (error) {
      if (turn !== this._turn) return;
      this._show();
      if (error instanceof ApiError) {
        setText(byId('trail-share'), `${error.message} ${error.hint}`);
      }
    }
  }

  /** @param {Coverage} coverage */
  _take(coverage) {
    this._coverage = coverage;
    this._show();
  }

  _show() {
    const coverage = this._coverage;
    this._switch.checked = coverage?.recording ?? false;
    byId('trail-forget').hidden = !coverage?.columns;
    const share = coverage?.tissue_share_viewed ?? null;
    const known = coverage?.columns ? TEXTS.trail.unknown : '';
    setText(byId('trail-share'), share === null ? known : TEXTS.trail.share(share));
    this._paint();
  }

  /** Hatched, so that it is not taken for a colour of the heat map. */
  _paint() {
    const coverage = this._coverage;
    const box = byId('overview');
    const ratio = window.devicePixelRatio;
    const [width, height] = [box.clientWidth * ratio, box.clientHeight * ratio];
    this._canvas.width = Math.round(width);
    this._canvas.height = Math.round(height);
    const context = this._canvas.getContext('2d');
    if (!context || !coverage?.step_l0_px || !width) return;
    const scale = width / (this._page.slide.width_px ?? 1);
    const side = coverage.step_l0_px * scale;
    const bits = Uint8Array.from(atob(coverage.viewed), char => char.charCodeAt(0));
    context.beginPath();
    for (let row = 0; row < coverage.rows; row += 1) {
      for (let column = 0; column < coverage.columns; column += 1) {
        const index = row * coverage.columns + column;
        if (bits[index >> 3] & (128 >> (index & 7))) {
          context.rect(column * side, row * side, side + 0.5, side + 0.5);
        }
      }
    }
    context.save();
    context.clip();
    context.fillStyle = 'rgb(20 86 216 / 18%)';
    context.fillRect(0, 0, width, height);
    context.strokeStyle = 'rgb(20 86 216 / 85%)';
    context.lineWidth = ratio;
    context.beginPath();
    const gap = HATCH_PX * ratio;
    for (let x = -height; x < width; x += gap) {
      context.moveTo(x, height);
      context.lineTo(x + height, 0);
    }
    context.stroke();
    context.restore();
  }
}
