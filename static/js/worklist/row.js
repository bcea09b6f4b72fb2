// @ts-check
import { foundNoTissue } from '../analysis.js';
import { make, setText } from '../dom.js';
import { day, duration, micrometres, millimetres, probability, thousands } from '../format.js';
import { TEXTS } from '../texts.js';

/**
 * @typedef {import('../types.d.ts').Slide} Slide
 * @typedef {import('../types.d.ts').Analysis} Analysis
 */

/** Told by the state of the analysis already, or by the badge beside the size. */
const TOLD_ELSEWHERE = [
  'unreadable',
  'analysis_failed',
  'uncalibrated',
  'no_tissue',
  'nothing_positive',
  'model_not_calibrated',
];

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
    this._warnings = make('span', { class: 'slide-warnings' });
    this._reading = make('span', { class: 'slide-reading' });
    this._state = make('span', { class: 'slide-state' });
    this._result = make('span', { class: 'slide-result' });
    const title = make('span', { class: 'slide-title' }, [this._name, this._size, this._warnings]);
    const states = make('span', { class: 'slide-states' }, [this._reading, this._state]);
    this.link.append(this._picture, title, states, this._result);
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
    this._warnings.replaceChildren(...warningsOf(slide));
    this._showPicture(slide);
    this._reading.replaceChildren(...readingOf(slide));
    this._state.replaceChildren(...stateOf(slide));
    this._result.replaceChildren(...resultOf(slide));
  }

  /** @param {Slide} slide */
  _showPicture({ thumbnail_url, name, score_analysis_id }) {
    const heat = score_analysis_id && `/api/v1/analyses/${score_analysis_id}/heatmap/thumbnail.png`;
    const wanted = [thumbnail_url, thumbnail_url && heat].filter(url => !!url);
    const shown = [...this._picture.children].map(image => image.getAttribute('src'));
    if (String(wanted) === String(shown)) return;
    const alt = TEXTS.worklist.thumbnailOf(name);
    const images = wanted.map((url, n) => picture(String(url), n ? '' : alt));
    images[1]?.classList.add('is-heat');
    // Gone with the model's map or withheld meanwhile: the tissue alone is shown.
    images[1]?.addEventListener('error', () => images[1].remove());
    this._picture.replaceChildren(...images);
  }
}

/**
 * @param {string} url
 * @param {string} alt
 */
function picture(url, alt) {
  const image = make('img');
  image.loading = 'lazy';
  image.decoding = 'async';
  image.alt = alt;
  image.src = url;
  return image;
}

/** @param {Slide} slide */
function sizeOf({ width_px, height_px, mpp_x, mpp_y, state, first_seen_at }) {
  const added = TEXTS.worklist.added(day(first_seen_at));
  if (!width_px || !height_px)
    return [state === 'unreadable' ? added : `${TEXTS.worklist.sizeUnknown} · ${added}`];
  const pixels = `${thousands(width_px)} × ${thousands(height_px)} px`;
  if (!mpp_x || !mpp_y) {
    const badge = make('span', {
      class: 'badge is-warning',
      text: TEXTS.uncalibrated,
      title: TEXTS.uncalibratedHint,
    });
    return [`${pixels} · ${added}`, badge];
  }
  const [width, height] = [(width_px * mpp_x) / 1000, (height_px * mpp_y) / 1000];
  const size = `${millimetres(width)} × ${millimetres(height)} mm`;
  return [`${size} · ${micrometres(mpp_x)} µm/px · ${added}`];
}

/** @param {Slide} slide */
function warningsOf({ warnings }) {
  const names = /** @type {Record<string, string>} */ (TEXTS.cautions.names);
  return warnings
    .filter(({ code }) => !TOLD_ELSEWHERE.includes(code))
    .map(({ code, text, hint }) => {
      const title = `${text} ${hint ?? ''}`.trim();
      return make('span', { class: 'slide-warning', text: names[code] ?? text, title });
    });
}

/** @param {Slide} slide */
function readingOf({ state, reading, assignee }) {
  if (state === 'unreadable') return [];
  const texts = TEXTS.reading;
  const chip = make('span', { class: 'chip', text: texts.states[reading.state] });
  chip.dataset.reading = reading.state;
  const notes = [];
  if (reading.verdict) notes.push(texts.verdictBy(reading.verdict.value, reading.verdict.reader));
  if (reading.state === 'in_review' && reading.reader) notes.push(texts.by(reading.reader));
  if (assignee) notes.push(texts.assignedTo(assignee));
  return [chip, ...notes.map(text => make('span', { class: 'slide-note', text }))];
}

/** @param {Slide} slide */
function stateOf({ state, problem, analysis }) {
  if (state === 'done') return [];
  const chip = make('span', { class: 'chip', text: TEXTS.states[state] });
  chip.dataset.state = state;
  if (problem) return [chip, problemOf(problem)];
  if (analysis?.error) return [chip, problemOf(analysis.error)];
  if (state === 'running' && analysis) return [chip, progressOf(analysis)];
  return [chip];
}

/** @param {import('../types.d.ts').Problem} problem */
function problemOf({ reason, hint }) {
  return make('span', { class: 'slide-problem', text: `${reason} ${hint ?? ''}` });
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
function resultOf({ analysis, score, hotspots, flags, locked }) {
  const texts = TEXTS.worklist;
  const flagged = flags ? [figure(texts.flags(flags), String(flags))] : [];
  if (locked) return [...flagged, make('span', { class: 'slide-note', text: texts.locked })];
  if (analysis && foundNoTissue(analysis))
    return [...flagged, make('span', { class: 'slide-note', text: texts.noTissue })];
  if (score === null) return flagged;
  const spots = hotspots === null ? [] : [figure(texts.spots(hotspots), String(hotspots))];
  return [...flagged, ...spots, figure(texts.score, probability(score))];
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
