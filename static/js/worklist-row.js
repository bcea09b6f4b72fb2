// @ts-check
import { foundNoTissue } from './analysis.js';
import { make, setText } from './dom.js';
import { area, duration, micrometres, millimetres, probability, thousands } from './format.js';
import { TEXTS } from './texts.js';

/**
 * @typedef {import('./types.d.ts').Slide} Slide
 * @typedef {import('./types.d.ts').Analysis} Analysis
 */

/** One slide in the worklist. It is built once and then only told what changed. */
export class WorklistRow {
  /** @param {Slide} slide */
  constructor(slide) {
    this.slide = slide;
    this.link = make('a', { class: 'slide' });
    this.element = make('li', {}, [this.link]);
    this._picture = make('span', { class: 'slide-picture' });
    this._name = make('span', { class: 'slide-name' });
    this._size = make('span', { class: 'slide-size' });
    this._state = make('span', { class: 'slide-state' });
    this._result = make('span', { class: 'slide-result' });
    const title = make('span', { class: 'slide-title' }, [this._name, this._size]);
    this.link.append(this._picture, title, this._state, this._result);
    /** @type {string} */
    this._shown = '';
    this.update(slide);
  }

  /** @param {Slide} slide */
  update(slide) {
    const now = JSON.stringify(slide);
    if (now === this._shown) return;
    this._shown = now;
    this.slide = slide;
    this.link.href = slide.page_url;
    setText(this._name, slide.name);
    this._size.replaceChildren(...sizeOf(slide));
    this._showPicture(slide);
    this._state.replaceChildren(...stateOf(slide));
    this._result.replaceChildren(...resultOf(slide));
  }

  /** @param {Slide} slide */
  _showPicture({ thumbnail_url, name }) {
    const shown = this._picture.querySelector('img');
    if (!thumbnail_url) this._picture.replaceChildren();
    else if (shown?.getAttribute('src') !== thumbnail_url) {
      const image = make('img');
      image.loading = 'lazy';
      image.decoding = 'async';
      image.alt = TEXTS.worklist.thumbnailOf(name);
      image.src = thumbnail_url;
      this._picture.replaceChildren(image);
    }
  }
}

/** @param {Slide} slide */
function sizeOf({ width_px, height_px, mpp_x, mpp_y, state }) {
  if (!width_px || !height_px) return state === 'unreadable' ? [] : [TEXTS.worklist.sizeUnknown];
  const pixels = `${thousands(width_px)} × ${thousands(height_px)} px`;
  if (!mpp_x || !mpp_y) {
    const badge = make('span', {
      class: 'badge is-warning',
      text: TEXTS.uncalibrated,
      title: TEXTS.uncalibratedHint,
    });
    return [pixels, badge];
  }
  const [width, height] = [(width_px * mpp_x) / 1000, (height_px * mpp_y) / 1000];
  const size = `${millimetres(width)} × ${millimetres(height)} mm`;
  return [`${size} · ${pixels} · ${micrometres(mpp_x)} µm/px`];
}

/** @param {Slide} slide */
function stateOf({ state, problem, analysis }) {
  const chip = make('span', { class: 'chip', text: TEXTS.states[state] });
  chip.dataset.state = state;
  if (problem) return [chip, problemOf(problem)];
  if (analysis?.error) return [chip, problemOf(analysis.error)];
  if (state === 'running' && analysis) return [chip, progressOf(analysis)];
  return [chip];
}

/** @param {import('./types.d.ts').Problem} problem */
function problemOf({ reason, hint }) {
  return make('span', { class: 'slide-problem', text: `${reason} ${hint}` });
}

/** @param {Analysis} analysis */
function progressOf({ progress, seconds_left_s }) {
  const bar = make('progress');
  bar.max = 1;
  bar.value = progress;
  bar.setAttribute('aria-label', TEXTS.states.running);
  const percent = TEXTS.analysis.percent(progress);
  const left = seconds_left_s === null ? '' : ` · ${duration(seconds_left_s)}`;
  return make('span', { class: 'slide-progress' }, [bar, `${percent}${left}`]);
}

/** @param {Slide} slide */
function resultOf({ analysis }) {
  const summary = analysis?.summary;
  if (analysis?.state !== 'done' || !summary) return [];
  if (foundNoTissue(analysis))
    return [make('span', { class: 'note', text: TEXTS.worklist.noTissue })];
  const { peak_probability: peak, positive_area_mm2: positive } = summary;
  return [
    figure(TEXTS.worklist.peak, peak === null ? '–' : probability(peak)),
    figure(TEXTS.worklist.positive, positive === null ? '–' : area(positive)),
  ];
}

/**
 * @param {string} name
 * @param {string} value
 */
function figure(name, value) {
  return make('span', { class: 'figure' }, [
    make('span', { class: 'figure-value', text: value }),
    make('span', { class: 'figure-name', text: name }),
  ]);
}
