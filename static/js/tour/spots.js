// @ts-check
import { ApiError, json } from '../api.js';
import { readerChanges, whoReads } from '../reader.js';

/**
 * The hot spots of one analysis, and what the reader says of them. Tells 'change' whenever
 * something of it is to be shown anew, and 'problem' (detail: a text) when something was not kept.
 *
 * @typedef {import('./types.d.ts').HotSpot} HotSpot
 * @typedef {import('./types.d.ts').HotspotPage} HotspotPage
 * @typedef {import('./types.d.ts').Review} Review
 * @typedef {'none' | 'waiting' | 'locked' | 'loading' | 'ready' | 'problem'} State
 */

const PAGE = 100;

export class Spots extends EventTarget {
  constructor() {
    super();
    /** @type {State} */
    this.state = 'none';
    /** @type {HotSpot[]} those that were fetched, by rank from 1 */
    this.items = [];
    /** @type {HotspotPage | null} */
    this.page = null;
    this.problem = '';
    /** @type {number | null} the rank of the one that is looked at */
    this.current = null;
    this._analysisId = '';
    /** Reviews go one after the other, so that the last word is the last one kept. */
    this._queue = Promise.resolve();
    /** Counts what was said, and what the server has of it. */
    this._said = 0;
    /** The last word on each hot spot, by address, until the server has it. @type {Map<string, Review>} */
    this._untold = new Map();
    window.addEventListener('pagehide', () => this._tellAtOnce());
    /** Raised when what waits is not to be sent any more. */
    this._round = 0;
    /** Seen before anybody said who reads. @type {Set<number>} */
    this._unsigned = new Set();
    /** @type {Promise<boolean>} */
    this._signed = whoReads().then(
      me => me.name !== null,
      () => false,
    );
    readerChanges.addEventListener('change', () => {
      this._signed = Promise.resolve(true);
      void this._readAs();
    });
  }

  get analysisId() {
    return this._analysisId;
  }

  /** How many are kept and can be gone through. */
  get kept() {
    return this.page?.kept ?? 0;
  }

  get seen() {
    return this.page?.seen ?? 0;
  }

  get allSeen() {
    return this.kept > 0 && this.seen >= this.kept;
  }

  /** Whether the server does not have all that was said yet. */
  get isSaving() {
    return this._untold.size > 0;
  }

  /** Whether something was seen that no name was given for. */
  get isUnsigned() {
    return this._unsigned.size > 0;
  }

  /**
   * Show those of this analysis; it may still run, or be closed to the reader.
   * @param {import('../types.d.ts').Analysis | null} analysis
   * @param {boolean} locked
   */
  follow(analysis, locked) {
    if (locked) return this._become('locked');
    if (!analysis) return this._become('none');
    if (analysis.state !== 'done') {
      this._analysisId = '';
      this._forget();
      const active = ['queued', 'running', 'cancelling'].includes(analysis.state);
      return this._become(active ? 'waiting' : 'none');
    }
    if (analysis.id === this._analysisId) return;
    this._analysisId = analysis.id;
    this._forget();
    void this.load();
  }

  /** Fetch the first page anew. */
  async load() {
    const id = this._analysisId;
    if (this.state !== 'ready') this._become('loading');
    try {
      const page = await this._firstPage(id);
      if (id !== this._analysisId) return;
      this.page = page;
      this.items = page.items;
      for (const spot of this.items) {
        const said = this._untold.get(this._reviewUrl(spot));
        if (said) this._apply(spot, said);
      }
      this._become('ready');
    } catch (error) {
      if (id !== this._analysisId) return;
      const known = error instanceof ApiError;
      if (known && error.code === 'heatmap_locked') return this._become('locked');
      this.problem = known
        ? `${error.message} ${error.hint}`
        : /** @type {Error} */ (error).message;
      this._analysisId = ''; // the next look at the analysis tries again
      this._become('problem');
    }
  }

  /**
   * The first page; asked for anew where something was said while the answer was on its way.
   * @param {string} id
   */
  async _firstPage(id) {
    for (;;) {
      const said = this._said;
      /** @type {HotspotPage} */
      const page = await json(`/api/v1/analyses/${id}/hotspots?limit=${PAGE}`);
      if (said === this._said || id !== this._analysisId) return page;
    }
  }

  /** Fetch the next page. */
  async more() {
    const [id, page] = [this._analysisId, this.page];
    if (!page?.next) return;
    const after = encodeURIComponent(page.next);
    const next = await json(`/api/v1/analyses/${id}/hotspots?limit=${PAGE}&after=${after}`);
    if (id !== this._analysisId || this.page?.next !== page.next) return;
    this.items = [...this.items, ...next.items];
    this.page = { ...this.page, next: next.next };
    this._changed();
  }

  /**
   * The hot spot of a rank, fetched where it is not there yet.
   * @param {number} rank
   */
  async spot(rank) {
    while (rank > this.items.length && this.page?.next) await this.more();
    return this.items[rank - 1];
  }

  /** The first one that was not seen, of those at hand. */
  get firstUnseen() {
    return this.items.find(spot => !spot.review.seen)?.rank ?? null;
  }

  /** @param {number | null} rank */
  setCurrent(rank) {
    this.current = rank;
    this._changed();
  }

  /**
   * Note that it was seen; without a name it is noted once there is one.
   * @param {number} rank
   */
  async markSeen(rank) {
    const spot = this.items[rank - 1];
    if (!spot || spot.review.seen) return;
    const signed = await this._signed;
    this._apply(spot, { ...spot.review, seen: true });
    if (signed) this._send(spot, { seen: true, opinion: spot.review.opinion });
    else this._unsigned.add(rank);
    this._changed();
  }

  /**
   * @param {number} rank
   * @param {import('./types.d.ts').Opinion | null} opinion
   */
  judge(rank, opinion) {
    const spot = this.items[rank - 1];
    if (!spot) return;
    const review = { seen: true, opinion };
    this._apply(spot, review);
    this._send(spot, review);
    this._changed();
  }

  /**
   * @param {HotSpot} spot
   * @param {Review} review
   */
  _apply(spot, review) {
    const before = spot.review;
    spot.review = review;
    if (!this.page) return;
    const gained = (/** @type {(r: Review) => boolean} */ is) =>
      Number(is(review)) - Number(is(before));
    this.page.seen += gained(r => r.seen);
    this.page.agreed += gained(r => r.opinion === 'agree');
    this.page.disagreed += gained(r => r.opinion === 'disagree');
  }

  /**
   * @param {HotSpot} spot
   * @param {Review} review
   */
  _send(spot, review) {
    const url = this._reviewUrl(spot);
    const round = this._round;
    this._said += 1;
    this._untold.set(url, review);
    this._queue = this._queue.then(async () => {
      if (round !== this._round) return;
      try {
        await json(url, 'PUT', review);
        this._unsigned.delete(spot.rank);
        if (this._untold.get(url) === review) this._untold.delete(url);
        this._said += 1; // an answer under way may be from before
        this._changed();
      } catch (error) {
        this._untold.clear();
        const known = error instanceof ApiError;
        const text = known
          ? `${error.message} ${error.hint}`
          : /** @type {Error} */ (error).message;
        this.dispatchEvent(new CustomEvent('problem', { detail: text }));
        this._round += 1; // nobody is asked for a name, or told of a failure, once for each
        if (known && this.state === 'ready') await this.load(); // as the server has it
        this._changed();
      }
    });
  }

  /** @param {HotSpot} spot */
  _reviewUrl(spot) {
    return `/api/v1/analyses/${this._analysisId}/hotspots/${spot.rank}/review`;
  }

  /** Nothing that was said is lost because the page was left before it was sent. */
  _tellAtOnce() {
    const headers = { 'Content-Type': 'application/json' };
    for (const [url, review] of this._untold) {
      const body = JSON.stringify(review);
      fetch(url, { method: 'PUT', body, headers, keepalive: true }).catch(() => {
        // nobody is left to be told
      });
    }
  }

  /** Somebody said who reads: what was seen so far is theirs, and so is what they said before. */
  async _readAs() {
    const unsigned = [...this._unsigned];
    this._unsigned.clear();
    for (const rank of unsigned) {
      const spot = this.items[rank - 1];
      if (spot) this._send(spot, spot.review);
    }
    await this._queue;
    if (this.state === 'ready') await this.load();
  }

  _forget() {
    this.items = [];
    this.page = null;
    this.current = null;
    this._unsigned.clear();
  }

  /** @param {State} state */
  _become(state) {
    if (state === this.state && state !== 'ready') return;
    this.state = state;
    this._changed();
  }

  _changed() {
    this.dispatchEvent(new Event('change'));
  }
}
