// @ts-check

import { foundNoTissue, isActive } from './analysis.js';
import { ApiError, api } from './api.js';
import { byId, hideKeepingFocus, make, setText } from './dom.js';
import { day, micrometres, millimetres, thousands } from './format.js';
import { TEXTS } from './texts.js';

/**
 * @typedef {import('./types.d.ts').Analysis} Analysis
 * @typedef {import('./types.d.ts').Slide} Slide
 * @typedef {import('./types.d.ts').Problem} Problem
 */

/** The part of the side panel that tells how the analysis is going. */
export class AnalysisPanel {
  /** @param {{start: () => void, cancel: () => void}} actions */
  constructor(actions) {
    this._start = byId('analysis-start', HTMLButtonElement);
    this._cancel = byId('analysis-cancel', HTMLButtonElement);
    this._progress = byId('analysis-progress', HTMLProgressElement);
    /** @type {number | null} */
    this._threshold = null;
    /** @type {Analysis | null} */
    this._analysis = null;
    this._start.addEventListener('click', actions.start);
    this._cancel.addEventListener('click', actions.cancel);
  }

  /** @param {boolean} calibrated */
  showNone(calibrated) {
    const { unanalysed, needsResolution, start } = TEXTS.analysis;
    this._state(calibrated ? unanalysed : needsResolution);
    this._buttons(calibrated ? start : null, false);
  }

  showAsking() {
    this._state(TEXTS.analysis.asking);
    this._buttons(null, false);
    this.showProblem(null);
  }

  /**
   * The threshold the areas were counted with: that of the heat map, even if the model has another
   * one by now.
   * @param {number} threshold
   */
  setThreshold(threshold) {
    this._threshold = threshold;
    if (this._analysis) this._showResult(this._analysis);
  }

  /** @param {Analysis} analysis */
  show(analysis) {
    this._analysis = analysis;
    this._state(stateText(analysis));
    byId('analysis-state').dataset.state = analysis.state;
    this._showProgress(analysis);
    this._showResult(analysis);
    this.showProblem(analysis.error);
    const { resume, retry } = TEXTS.analysis;
    const again =
      { cancelled: resume, failed: retry }[/** @type {string} */ (analysis.state)] ?? null;
    this._buttons(again, ['queued', 'running'].includes(analysis.state));
  }

  /** @param {boolean} alive */
  showWorker(alive) {
    byId('analysis-worker').hidden = alive;
  }

  /** @param {Problem | null} problem */
  showProblem(problem) {
    byId('analysis-problem').hidden = !problem;
    setText(byId('analysis-problem-reason'), problem?.reason ?? '');
    setText(byId('analysis-problem-hint'), problem?.hint ?? '');
  }

  /** @param {string} text */
  _state(text) {
    setText(byId('analysis-state'), text);
  }

  /** @param {Analysis} analysis */
  _showProgress(analysis) {
    byId('analysis-running').hidden = !isActive(analysis);
    this._progress.value = analysis.progress;
    const { percent, left, preparing } = TEXTS.analysis;
    const running = analysis.state === 'running';
    setText(byId('analysis-percent'), percent(analysis.progress));
    const seconds = analysis.seconds_left_s;
    const rest = analysis.chunks_total === null ? preparing : seconds === null ? '' : left(seconds);
    setText(byId('analysis-left'), running ? rest : '');
  }

  /** @param {Analysis} analysis */
  _showResult(analysis) {
    const list = byId('analysis-result');
    const shown = analysis.state === 'done' && !!analysis.summary && !foundNoTissue(analysis);
    list.hidden = !shown;
    if (!shown || !analysis.summary) return;
    const { peak, positiveArea, analysedArea, result } = TEXTS.analysis;
    const names = [peak, positiveArea(this._threshold), analysedArea];
    const values = result(analysis.summary);
    list.replaceChildren(...names.flatMap((name, i) => factRow(name, values[i])));
  }

  /**
   * @param {string | null} start
   * @param {boolean} canCancel
   */
  _buttons(start, canCancel) {
    const state = byId('analysis-state'); // says what the button has brought about
    hideKeepingFocus(this._start, start === null, state);
    setText(this._start, start ?? '');
    hideKeepingFocus(this._cancel, !canCancel, state);
  }
}

/** @param {Analysis} analysis */
function stateText(analysis) {
  const texts = TEXTS.analysis;
  if (foundNoTissue(analysis)) return texts.noTissue;
  switch (analysis.state) {
    case 'queued':
      return analysis.queue_position ? texts.queuedBehind(analysis.queue_position) : texts.queued;
    case 'cancelled':
      return texts.cancelled(analysis.progress);
    default:
      return texts[analysis.state];
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function factRow(name, value) {
  return [make('dt', { text: name }), make('dd', { text: value })];
}

/**
 * What is known about the slide.
 * @param {Slide} slide
 */
export function showSlideFacts(slide) {
  const texts = TEXTS.slide;
  const facts = [];
  const { mpp_x, mpp_y, width_px, height_px } = slide;
  if (width_px && height_px) {
    if (mpp_x && mpp_y) {
      const [width, height] = [(width_px * mpp_x) / 1000, (height_px * mpp_y) / 1000];
      facts.push(factRow(texts.size, `${millimetres(width)} × ${millimetres(height)} mm`));
    }
    facts.push(factRow(texts.pixels, `${thousands(width_px)} × ${thousands(height_px)}`));
  }
  facts.push(factRow(texts.resolution, resolutionText(slide)));
  if (slide.objective_power) facts.push(factRow(texts.scanned, `${slide.objective_power}×`));
  if (slide.vendor) facts.push(factRow(texts.format, slide.vendor));
  byId('slide-facts').replaceChildren(...facts.flat());
  // Of the others the page tells elsewhere.
  const display = slide.warnings.filter(({ code }) => code === 'display');
  const warnings = display.map(({ text }) => make('li', { text }));
  byId('slide-warnings').replaceChildren(...warnings);
}

/** @param {Slide} slide */
function resolutionText({ mpp_x, mpp_y, mpp_source, mpp_set_by, mpp_set_at }) {
  if (!mpp_x || !mpp_y) return TEXTS.slide.unknown;
  const [x, y] = [micrometres(mpp_x), micrometres(mpp_y)];
  const figure = x === y ? `${x} µm/px` : `${x} × ${y} µm/px`;
  if (mpp_source !== 'user') return figure;
  const when = mpp_set_at ? day(mpp_set_at) : '';
  return `${figure} (${TEXTS.slide.setBy(mpp_set_by ?? '', when)})`;
}

/**
 * The form that asks for the resolution; calls back with the slide as it is then.
 * @param {Slide} slide
 * @param {(slide: Slide) => void} onSaved
 */
export function listenToResolutionForm(slide, onSaved) {
  const form = byId('resolution-form', HTMLFormElement);
  const [x, y] = ['mpp-x', 'mpp-y'].map(id => byId(id, HTMLInputElement));
  const name = byId('mpp-set-by', HTMLInputElement);
  const problem = byId('resolution-problem');
  x.addEventListener('input', () => {
    if (!y.dataset.touched) y.value = x.value; // pixels are nearly always square
  });
  y.addEventListener('input', () => {
    y.dataset.touched = 'yes';
  });
  form.addEventListener('submit', async event => {
    event.preventDefault();
    const wrong =
      [x, y].find(input => !isResolution(input.value)) ?? (name.value.trim() ? null : name);
    problem.textContent = '';
    for (const input of [x, y, name]) input.setAttribute('aria-invalid', String(input === wrong));
    if (wrong) {
      problem.textContent = wrong === name ? TEXTS.resolution.nameMissing : TEXTS.resolution.range;
      wrong.focus();
      return;
    }
    const resolution = {
      mpp_x: number(x.value),
      mpp_y: number(y.value),
      set_by: name.value.trim(),
    };
    try {
      onSaved(await api.setResolution(slide.id, resolution));
    } catch (error) {
      const hint = error instanceof ApiError ? error.hint : '';
      problem.textContent = `${/** @type {Error} */ (error).message} ${hint}`.trim();
    }
  });
}

/** @param {string} text with a decimal point or comma */
function number(text) {
  return Number(text.trim().replace(',', '.'));
}

/** @param {string} text */
function isResolution(text) {
  return text.trim() !== '' && number(text) >= 0.05 && number(text) <= 20;
}
