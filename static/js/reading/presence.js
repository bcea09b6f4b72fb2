// @ts-check
import { ApiError, json } from '../api.js';

/** Says that the slide is open here, and hears who else has it open. */
export class Presence {
  /**
   * @param {string} slideId
   * @param {(names: string[]) => void} onOthers
   */
  constructor(slideId, onOthers) {
    this._url = `/api/v1/slides/${slideId}/presence`;
    this._onOthers = onOthers;
    this._timer = 0;
    window.addEventListener('pagehide', () => this._leave());
    document.addEventListener('visibilitychange', () => {
      if (this._timer && !document.hidden) void this.begin();
    });
  }

  async begin() {
    window.clearTimeout(this._timer);
    try {
      const { others, report_again_s } = await json(this._url, 'POST', {});
      this._onOthers(others.map((/** @type {{reader: string}} */ { reader }) => reader));
      this._again(report_again_s);
    } catch (error) {
      if (!(error instanceof ApiError)) this._again(RETRY_S); // the banner tells
      // A slide that is gone, or a name that nobody tells: there is nothing to report.
    }
  }

  /** @param {number} wait_s */
  _again(wait_s) {
    this._timer = window.setTimeout(() => this.begin(), wait_s * 1000);
  }

  _leave() {
    if (!this._timer) return;
    window.clearTimeout(this._timer);
    const body = JSON.stringify({ start: false, leaving: true });
    const headers = { 'Content-Type': 'application/json' };
    fetch(this._url, { method: 'POST', body, headers, keepalive: true }).catch(() => {
      // nobody is left to be told; the server forgets a reader who is not heard of
    });
  }
}

const RETRY_S = 15;
