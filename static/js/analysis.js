// @ts-check
import { ApiError, api, connection } from './api.js';
import { throttle } from './dom.js';

/**
 * @typedef {import('./types.d.ts').Analysis} Analysis
 * @typedef {import('./types.d.ts').HeatmapInfo} HeatmapInfo
 * @typedef {import('./types.d.ts').HeatmapChanges} HeatmapChanges
 *
 * @typedef {object} Handlers
 * @property {(analysis: Analysis) => void} onAnalysis
 * @property {(info: HeatmapInfo) => void} onHeatmap
 * @property {(changes: HeatmapChanges) => Promise<void>} onChanges
 * @property {(error: unknown) => void} onError the server refused
 * @property {(alive: boolean) => void} onWorker whether somebody works on the queue
 */

const POLL_MS = 1000;
const POLL_HIDDEN_MS = 5000;
/** An analysis that ended may be taken up again, from another window say. */
const POLL_ENDED_MS = 10_000;
const POLL_ENDED_HIDDEN_MS = 30_000;
const FOCUS_EVERY_MS = 1000;
/** A queued analysis asks after the worker once in so many polls. */
const HEALTH_EVERY_POLLS = 4;

/** @param {Analysis} analysis */
export function isActive(analysis) {
  return ['queued', 'running', 'cancelling'].includes(analysis.state);
}

/**
 * Whether an analysis ended without anything to analyse.
 * @param {Analysis} analysis
 */
export function foundNoTissue(analysis) {
  return (
    analysis.state === 'done' &&
    (analysis.chunks_total === 0 || analysis.summary?.cells_analysed === 0)
  );
}

/** Follows one analysis: its state, its heat map, and what changes in it. */
export class AnalysisWatcher {
  /**
   * @param {string} slideId
   * @param {Handlers} handlers
   */
  constructor(slideId, handlers) {
    this._slideId = slideId;
    this._handlers = handlers;
    /** @type {Analysis | null} */
    this.analysis = null;
    this._timer = 0;
    /** Counts what was asked and heard: an answer to an earlier question comes too late. */
    this._turn = 0;
    this._polls = 0;
    /** The heat map that was handed on, and the revision it is at. */
    this._heatmapOf = '';
    this._revision = '';
    /** Under the blind first read there is none before the reader's verdict. */
    this.locked = false;
    document.addEventListener('visibilitychange', () => this._hurry());
    connection.addEventListener('back', () => this._hurry());
  }

  /** @param {Analysis} analysis */
  follow(analysis) {
    this._take(analysis);
    this._schedule(0);
  }

  /** Ask for the analysis; a failed or cancelled one goes on where it stopped. */
  async request() {
    await this._ask(() => api.analyse(this._slideId));
  }

  async cancel() {
    const id = this.analysis?.id;
    if (id) await this._ask(() => api.cancel(id));
  }

  /** Ask no more. */
  stop() {
    window.clearTimeout(this._timer);
    this._timer = 0;
    this._turn += 1;
    this.analysis = null;
  }

  /** @param {() => Promise<Analysis>} call */
  async _ask(call) {
    try {
      this.follow(await call());
    } catch (error) {
      this._handlers.onError(error);
    }
  }

  /**
   * Tells the server, once a second at most, what is looked at: that is computed first.
   * @param {() => {x: number, y: number}} centerL0
   */
  focusOn(centerL0) {
    return throttle(() => {
      if (this.analysis && isActive(this.analysis)) {
        api.focus(this.analysis.id, centerL0()).catch(() => {
          // only a wish: the next move repeats it
        });
      }
    }, FOCUS_EVERY_MS);
  }

  /** @param {Analysis} analysis */
  _take(analysis) {
    this._turn += 1;
    this.analysis = analysis;
    this._handlers.onAnalysis(analysis);
  }

  /** @param {number} wait_ms */
  _schedule(wait_ms) {
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => this._poll(), wait_ms);
  }

  _hurry() {
    if (this._timer && !document.hidden) this._schedule(0);
  }

  async _poll() {
    const id = this.analysis?.id;
    if (!id) return;
    let ended = false;
    let turn = ++this._turn;
    const isLate = () => turn !== this._turn; // who followed, cancelled or asked since asks again
    try {
      const analysis = await api.analysis(id);
      if (isLate()) return;
      this._take(analysis);
      turn = this._turn;
      ended = (await this._followHeatmap(analysis, isLate)) && !isActive(analysis);
      if (isLate()) return;
      await this._askAfterWorker(analysis);
      if (isLate()) return;
    } catch (error) {
      if (isLate()) return;
      if (error instanceof ApiError && error.status < 500) {
        this._handlers.onError(error);
        this._timer = 0;
        return;
      }
    }
    const [shown, hidden] = ended
      ? [POLL_ENDED_MS, POLL_ENDED_HIDDEN_MS]
      : [POLL_MS, POLL_HIDDEN_MS];
    this._schedule(document.hidden ? hidden : shown);
  }

  /**
   * Whether the heat map is as new as the analysis.
   * @param {Analysis} analysis
   * @param {() => boolean} isLate whether another analysis may be shown by now
   */
  async _followHeatmap(analysis, isLate) {
    if (this._heatmapOf !== analysis.id) {
      const prepared = analysis.chunks_total !== null && !this.locked;
      const info = prepared ? await this._heatmap(analysis.id) : null;
      if (isLate()) return false;
      if (!info) return !isActive(analysis);
      this._heatmapOf = analysis.id;
      this._revision = info.revision;
      this._handlers.onHeatmap(info);
    }
    if (this._revision !== analysis.revision) {
      const changes = await api.changes(analysis.id, this._revision);
      if (isLate()) return false;
      await this._handlers.onChanges(changes);
      if (isLate()) return false;
      this._revision = changes.revision;
    }
    return true;
  }

  /**
   * @param {string} id
   * @returns {Promise<HeatmapInfo | null>} null before its geometry is known
   */
  async _heatmap(id) {
    try {
      return await api.heatmap(id);
    } catch (error) {
      if (error instanceof ApiError && error.code === 'heatmap_not_ready') return null;
      throw error;
    }
  }

  /** @param {Analysis} analysis */
  async _askAfterWorker(analysis) {
    const ask = analysis.state === 'queued' && this._polls++ % HEALTH_EVERY_POLLS === 0;
    if (ask) this._handlers.onWorker((await api.health()).worker.alive);
    if (analysis.state !== 'queued') this._handlers.onWorker(true);
  }
}
