// @ts-check
/** Two viewers side by side, moved together: one slide twice, two models, or two slides. */

import { api, json } from './api.js';
import { byId, make, setText } from './dom.js';
import { keptQuery } from './neighbours.js';
import { fillTexts, TEXTS } from './texts.js';

/**
 * @typedef {import('./pane.js').PaneState} PaneState
 * @typedef {'left' | 'right'} Side
 */

const SIDES = /** @type {const} */ (['left', 'right']);
const MOST_CHOICES = 200;

/** @param {Side} side */
const frame = side => byId(`pane-${side}`, HTMLIFrameElement);

class Comparison {
  constructor() {
    /** @type {Partial<Record<Side, PaneState>>} */
    this._states = {};
    /** How far the right view lies from the left one, in the units of `plane`. */
    this._apart = { x: 0, y: 0 };
    this._linked = true;
    const link = byId('compare-link', HTMLButtonElement);
    link.addEventListener('click', () => {
      this._linked = !this._linked;
      link.setAttribute('aria-pressed', String(this._linked));
      if (this._linked) this._measure();
    });
    window.addEventListener('message', event => this._hear(event));
    for (const side of SIDES) {
      byId(`slide-${side}`, HTMLSelectElement).addEventListener('change', () => choose());
    }
  }

  /** @param {MessageEvent} event */
  _hear({ origin, source, data }) {
    const side = SIDES.find(name => frame(name).contentWindow === source);
    if (origin !== location.origin || !side || !data?.state) return;
    this._states[side] = data.state;
    if (data.type === 'ready') this._begin();
    else if (this._linked) this._lead(side);
  }

  _begin() {
    const { left, right } = this._states;
    if (!left || !right) return;
    document.body.dataset.ready = 'true';
    // One slide twice: the right pane starts where the left one is. Two slides keep their places.
    if (chosen('left') === chosen('right')) this._lead('left');
    else this._measure();
  }

  /** The other pane follows. @param {Side} side */
  _lead(side) {
    const other = side === 'left' ? 'right' : 'left';
    const [from, to] = [this._states[side], this._states[other]];
    if (!from || !to) return;
    const sign = side === 'left' ? 1 : -1;
    const [unit, otherUnit] = this._units(from, to);
    const { x_l0_px, y_l0_px, value, percent } = from.view;
    const view = {
      x_l0_px: (x_l0_px * unit[0] + sign * this._apart.x) / otherUnit[0],
      y_l0_px: (y_l0_px * unit[1] + sign * this._apart.y) / otherUnit[1],
      value: from.mpp && to.mpp ? value : null,
      percent,
    };
    to.view = { ...to.view, x_l0_px: view.x_l0_px, y_l0_px: view.y_l0_px };
    frame(other).contentWindow?.postMessage({ type: 'go', view }, location.origin);
  }

  /** Panes that were moved apart by hand stay so far apart. */
  _measure() {
    const { left, right } = this._states;
    if (!left || !right) return;
    const [unit, otherUnit] = this._units(left, right);
    this._apart = {
      x: right.view.x_l0_px * otherUnit[0] - left.view.x_l0_px * unit[0],
      y: right.view.y_l0_px * otherUnit[1] - left.view.y_l0_px * unit[1],
    };
  }

  /**
   * Micrometres where both slides have a resolution, else pixels.
   * @param {PaneState} a
   * @param {PaneState} b
   * @returns {[[number, number], [number, number]]}
   */
  _units(a, b) {
    if (a.mpp && b.mpp) return [a.mpp, b.mpp];
    return [
      [1, 1],
      [1, 1],
    ];
  }
}

/** @param {Side} side */
function chosen(side) {
  return byId(`slide-${side}`, HTMLSelectElement).value;
}

/** Both slides are in the address, so that a link shows the same pair. */
function choose() {
  const pair = new URLSearchParams(SIDES.map(side => [side, chosen(side)]));
  location.assign(`/compare?${pair}`);
}

async function fillChoices() {
  const { items } = await json(`/api/v1/slides?${keptQuery()}&limit=${MOST_CHOICES}`);
  for (const side of SIDES) {
    const select = byId(`slide-${side}`, HTMLSelectElement);
    const known = [...select.options].map(option => option.value);
    for (const slide of items) {
      if (slide.problem || known.includes(slide.id)) continue;
      const option = make('option', { text: slide.name });
      option.value = slide.id;
      select.append(option);
    }
  }
}

async function start() {
  fillTexts(document);
  new Comparison();
  const names = await Promise.all(SIDES.map(async side => (await api.slide(chosen(side))).name));
  document.title = TEXTS.compare.pageTitle(names[0], names[1]);
  for (const side of SIDES) {
    const view = frame(side);
    view.title = TEXTS.compare[side];
    // The right pane shows the bare tissue, when it is the same slide twice.
    const bare = side === 'right' && chosen('left') === chosen('right') ? 'ov=0' : '';
    const place = location.hash.slice(1);
    const hash = bare && place ? place.replace(/(^|&)ov=1/, '$1ov=0') : place || bare;
    view.src = `/slides/${chosen(side)}?pane=${side}${hash ? `#${hash}` : ''}`;
  }
  setText(byId('compare-names'), names[0] === names[1] ? names[0] : names.join(' · '));
  await fillChoices();
}

void start();
