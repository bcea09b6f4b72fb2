// @ts-check
import { ApiError, ConnectionLost, send } from '../api.js';
import { byId, make } from '../dom.js';
import { TEXTS } from '../texts.js';

/**
 * @typedef {{place: string, reason: string}} Refused
 * @typedef {object} Report
 * @property {number} created
 * @property {number} updated
 * @property {number} unchanged
 * @property {Refused[]} skipped
 * @property {number} skipped_count
 * @property {{text: string, count: number}[]} notes
 */

const MOST_SHOWN = 20;
const LONGEST_MS = 300_000;

/** Takes flags from a file: all or none, unless the reader asks for the rest. */
export class FlagFiles {
  /**
   * @param {string} slideId
   * @param {() => void} onTaken
   */
  constructor(slideId, onTaken) {
    this._url = `/api/v1/slides/${slideId}/flags/import`;
    this._onTaken = onTaken;
    this._input = byId('flag-file', HTMLInputElement);
    this._rest = byId('flag-import-rest', HTMLButtonElement);
    this._input.addEventListener('change', () => void this._take(false));
    this._rest.addEventListener('click', () => void this._take(true));
  }

  /** @param {boolean} skipProblems */
  async _take(skipProblems) {
    const file = this._input.files?.[0];
    if (!file) return;
    this._rest.hidden = true;
    this._show([make('p', { text: TEXTS.flags.importing })]);
    try {
      const url = skipProblems ? `${this._url}?skip_problems=true` : this._url;
      this._showReport(await send(url, file, LONGEST_MS));
      this._input.value = '';
      this._onTaken();
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof ConnectionLost)) throw error;
      this._showRefusal(error);
    }
  }

  /** @param {Report} report */
  _showReport(report) {
    const texts = TEXTS.flags;
    const lines = [make('p', { text: texts.imported(report) })];
    const notes = report.notes.map(({ text, count }) =>
      make('li', { text: count > 1 ? `${text} (${count} ×)` : text }),
    );
    this._show([...lines, make('ul', {}, [...notes, ...this._refused(report.skipped)])]);
  }

  /** @param {ApiError | ConnectionLost} error */
  _showRefusal(error) {
    const problems = error instanceof ApiError ? (error.problems ?? []) : [];
    const lines = [make('p', { class: 'problem-reason', text: error.message })];
    if (error instanceof ApiError && !problems.length) lines.push(make('p', { text: error.hint }));
    this._show([...lines, make('ul', {}, this._refused(problems))]);
    this._rest.hidden = !problems.length;
  }

  /** @param {Refused[]} problems */
  _refused(problems) {
    const shown = problems
      .slice(0, MOST_SHOWN)
      .map(({ place, reason }) => make('li', { text: `${place}: ${reason}` }));
    const more = problems.length - shown.length;
    return more > 0 ? [...shown, make('li', { text: TEXTS.flags.andMore(more) })] : shown;
  }

  /** @param {Node[]} content */
  _show(content) {
    byId('flag-report').replaceChildren(...content);
  }
}
