// @ts-check
import { ApiError, api, connection } from '../api.js';
import { differingCells } from '../difference-store.js';
import { byId, setText } from '../dom.js';
import { HeatmapStore } from '../heatmap-store.js';
import { TEXTS } from '../texts.js';

/** The switch that lays the difference of two models over the slide. */
export class DifferenceSwitch {
  /** @param {import('../heatmap-view.js').HeatmapView} view */
  constructor(view) {
    this._view = view;
    this._box = byId('agreement-difference', HTMLInputElement);
    this._reason = byId('agreement-difference-reason');
    /** The analyses it was offered for, the shown one first. @type {[string, string] | null} */
    this._pair = null;
    /** @type {HeatmapStore | null} */
    this._other = null;
    this._box.addEventListener('change', () => this._apply());
    connection.addEventListener('gone', () => this.withdraw());
    this.withdraw();
  }

  /**
   * @param {string} shown
   * @param {string} other
   */
  isFor(shown, other) {
    return this._pair?.[0] === shown && this._pair[1] === other;
  }

  /** Back to the plain heat map. @param {string} [reason] why it cannot be switched on */
  withdraw(reason = '') {
    this._pair = null;
    this._other = null;
    this._box.checked = false;
    this._box.disabled = true;
    setText(this._reason, reason);
    this._apply();
  }

  /**
   * Offer it for two finished analyses, if their cells are the same.
   * @param {string} shown
   * @param {string} other
   */
  async offer(shown, other) {
    if (this.isFor(shown, other)) return;
    this.withdraw();
    /** @type {[string, string]} */
    const pair = [shown, other];
    this._pair = pair;
    try {
      const [mine, theirs] = await Promise.all([api.heatmap(shown), api.heatmap(other)]);
      if (this._pair === pair) this._check(mine, theirs);
    } catch (error) {
      if (this._pair === pair) this.withdraw(reasonOf(error));
    }
  }

  /**
   * @param {import('../types.d.ts').HeatmapInfo} mine
   * @param {import('../types.d.ts').HeatmapInfo} theirs
   */
  _check(mine, theirs) {
    const differing = differingCells(mine, theirs);
    const possible = !Object.values(differing).includes(true);
    this._box.disabled = !possible;
    setText(this._reason, possible ? '' : TEXTS.difference.otherCells(differing));
    if (possible) this._other = new HeatmapStore(theirs, url => this._bytes(url));
  }

  /** A tile of the other heat map. @param {string} url */
  async _bytes(url) {
    const pair = this._pair;
    try {
      return await api.bytes(url);
    } catch (error) {
      const refused = error instanceof ApiError && error.status < 500;
      if (refused && pair && this._pair === pair) this.withdraw(reasonOf(error));
      throw error;
    }
  }

  _apply() {
    const { _pair: pair, _other: other } = this;
    const on = this._box.checked && pair && other;
    this._view.setDifference(on ? { shown: pair[0], other } : null);
  }
}

/** @param {unknown} error nobody answering is told by the banner */
function reasonOf(error) {
  return error instanceof ApiError ? `${error.message} ${error.hint}`.trim() : '';
}
