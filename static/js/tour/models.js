// @ts-check
import { ApiError, json } from '../api.js';
import { byId, make, setText } from '../dom.js';
import { moment } from '../format.js';
import { TEXTS } from '../texts.js';
import { goToL0 } from '../viewer-map.js';
import { DifferenceSwitch } from './difference.js';

/**
 * Which model's heat map is shown, and how far two of them agree.
 *
 * @typedef {import('../types.d.ts').Analysis} Analysis
 * @typedef {import('./types.d.ts').Agreement} Agreement
 */

export class Models {
  /**
   * @param {import('../types.d.ts').Slide} slide
   * @param {import('../heatmap-view.js').HeatmapView} view
   * @param {(analysis: Analysis) => void} show
   */
  constructor(slide, view, show) {
    this._url = `/api/v1/slides/${slide.id}/analyses`;
    this._slide = slide;
    this._show = show;
    this._difference = new DifferenceSwitch(view);
    this._shown = '';
    this._state = '';
    /** Counts the comparisons asked for. */
    this._asked = 0;
    /** @type {Analysis[]} */
    this._analyses = [];
    this._chooser = byId('models-shown', HTMLSelectElement);
    this._other = byId('agreement-other', HTMLSelectElement);
    this._chooser.addEventListener('change', () => void this._choose(this._chooser.value));
    this._other.addEventListener('change', () => void this._compare());
    byId('agreement').addEventListener('toggle', () => void this._compare());
  }

  /** @param {Analysis} analysis the one that is shown */
  follow(analysis) {
    if (this._slide.locked) return;
    if (analysis.id === this._shown && analysis.state === this._state) return;
    if (analysis.id !== this._shown) this._difference.withdraw();
    this._shown = analysis.id;
    this._state = analysis.state;
    void this._fetch();
  }

  async _fetch() {
    try {
      const [{ items }, models] = await Promise.all([json(this._url), json('/api/v1/models')]);
      const { mpp_x, mpp_y } = this._slide;
      this._analyses = items.filter(
        (/** @type {any} */ each) =>
          (each.mpp_x ?? mpp_x) === mpp_x && (each.mpp_y ?? mpp_y) === mpp_y,
      );
      this._fill(models.items);
    } catch (error) {
      if (!(error instanceof ApiError)) return; // the banner tells that nobody answers
      byId('models').hidden = true;
    }
  }

  /** @param {{id: string, version: string, name: string, problem: object | null}[]} models */
  _fill(models) {
    const ran = new Set(this._analyses.map(({ model }) => `${model.id} ${model.version}`));
    const others = models.filter(m => !m.problem && !ran.has(`${m.id} ${m.version}`));
    this._chooser.replaceChildren(...this._analyses.map(each => option(each.id, nameOf(each))));
    if (others.length) {
      const group = make(
        'optgroup',
        {},
        others.map(m => option(`model:${m.id}`, m.name)),
      );
      group.label = TEXTS.models.notRun;
      this._chooser.append(group);
    }
    this._chooser.value = this._shown;
    byId('models').hidden = this._chooser.options.length < 2;
    const done = this._analyses.filter(each => each.state === 'done' && each.id !== this._shown);
    const shownIsDone = this._analyses.some(e => e.id === this._shown && e.state === 'done');
    byId('agreement').hidden = !done.length || !shownIsDone;
    const kept = this._other.value;
    this._other.replaceChildren(...done.map(each => option(each.id, nameOf(each))));
    if (done.some(each => each.id === kept)) this._other.value = kept;
    void this._compare();
  }

  /** @param {string} value */
  async _choose(value) {
    setText(byId('models-problem'), '');
    const found = this._analyses.find(each => each.id === value);
    if (found) return this._show(found);
    try {
      this._show(await json(this._url, 'POST', { model_id: value.replace(/^model:/, '') }));
    } catch (error) {
      const hint = error instanceof ApiError ? error.hint : '';
      setText(byId('models-problem'), `${/** @type {Error} */ (error).message} ${hint}`.trim());
      this._chooser.value = this._shown;
    }
  }

  async _compare() {
    const [details, list] = [byId('agreement', HTMLDetailsElement), byId('agreement-facts')];
    const [shown, other] = [this._shown, details.hidden ? '' : this._other.value];
    if (!this._difference.isFor(shown, other)) this._difference.withdraw();
    if (!details.open || !other) return;
    void this._difference.offer(shown, other);
    const url = `/api/v1/analyses/${shown}/compare/${other}`;
    const asked = (this._asked += 1);
    try {
      const found = await json(url);
      if (asked !== this._asked) return; // two others are compared by now
      setText(byId('agreement-problem'), '');
      const rows = TEXTS.models.agreement(found);
      list.replaceChildren(
        ...rows.flatMap(([name, value]) => [
          make('dt', { text: name }),
          make('dd', { text: value }),
        ]),
      );
      this._showLargest(found);
    } catch (error) {
      if (asked !== this._asked) return;
      list.replaceChildren();
      const hint = error instanceof ApiError ? error.hint : '';
      setText(byId('agreement-problem'), `${/** @type {Error} */ (error).message} ${hint}`.trim());
    }
  }

  /** @param {Agreement} found */
  _showLargest({ max_x_l0_px: x, max_y_l0_px: y }) {
    const button = byId('agreement-largest', HTMLButtonElement);
    button.hidden = x === null || y === null;
    button.onclick = () => void (x !== null && y !== null && goToL0(x, y, 20));
  }
}

/** @param {Analysis} analysis */
function nameOf({ model, state, created_at }) {
  const done = state === 'done' ? '' : `, ${TEXTS.states[state]}`;
  return `${model.name} ${model.version}, ${moment(created_at)}${done}`;
}

/**
 * @param {string} value
 * @param {string} text
 */
function option(value, text) {
  const made = make('option', { text });
  made.value = value;
  return made;
}
