// @ts-check
import { json } from '../api.js';
import { WorklistRow } from './row.js';

/**
 * @typedef {import('../types.d.ts').SlidePage} SlidePage
 * @typedef {{after: string | null, ids: string[], next: string | null}} Part
 */

const PART_SLIDES = 60;
/** A longer list that changed is put in order when somebody asks for it. */
const MOST_PARTS_AT_ONCE = 4;
const BUSY_STATES = ['queued', 'running', 'cancelling'];

/**
 * The rows of the list, fetched part by part. However long the list is, the page holds what was
 * scrolled to, and asks again only for what is on screen.
 */
export class SlideList {
  /**
   * @param {HTMLElement} list
   * @param {{onPage: (page: SlidePage) => void, onStale: (stale: boolean) => void}} handlers
   */
  constructor(list, handlers) {
    this._list = list;
    this._handlers = handlers;
    this._query = '';
    /** @type {Part[]} */
    this._parts = [];
    /** @type {Map<string, WorklistRow>} */
    this._rows = new Map();
    /** Counts the queries: answers to an earlier one come too late. */
    this._turn = 0;
    this._loading = false;
  }

  get hasMore() {
    return !!this._parts.at(-1)?.next;
  }

  get count() {
    return this._list.children.length;
  }

  /** @param {string} query another list */
  async show(query) {
    this._query = query;
    const turn = this._turn + 1;
    try {
      await this.rearrange(1);
    } catch (error) {
      if (turn === this._turn) throw error; // else another list is on screen or asked for by now
    }
  }

  /** The list as it is now, from the top. @param {number} [parts] */
  async rearrange(parts = Math.max(1, this._parts.length)) {
    const turn = ++this._turn;
    /** @type {Part[]} */
    const found = [];
    const slides = [];
    /** @type {string | null} */
    let after = null;
    /** @type {SlidePage} */
    let page;
    do {
      page = await this._fetch(after);
      if (turn !== this._turn) return;
      found.push({ after, ids: page.items.map(slide => slide.id), next: page.next });
      slides.push(...page.items);
      after = page.next;
    } while (after && found.length < parts);
    this._parts = found;
    this._place(slides);
    this._handlers.onStale(false);
    this._handlers.onPage(page);
  }

  /** The next part, below what is there. */
  async more() {
    const after = this._parts.at(-1)?.next;
    if (!after || this._loading) return;
    this._loading = true;
    const turn = this._turn;
    try {
      const page = await this._fetch(after);
      if (turn !== this._turn) return;
      const fresh = page.items.filter(slide => !this._isShown(slide.id));
      this._parts.push({ after, ids: page.items.map(({ id }) => id), next: page.next });
      this._list.append(...fresh.map(slide => this._row(slide).element));
      this._handlers.onPage(page);
    } finally {
      this._loading = false;
    }
  }

  /** Ask again for what is on screen; whether anything there is under way. */
  async refresh() {
    const turn = this._turn;
    let [busy, changed] = [false, false];
    for (const part of this._partsOnScreen()) {
      const page = await this._fetch(part.after);
      if (turn !== this._turn) return false;
      const ids = page.items.map(({ id }) => id);
      changed ||= String(ids) !== String(part.ids) || page.next !== part.next;
      for (const slide of page.items) if (this._isShown(slide.id)) this._row(slide);
      busy ||= page.scanning || page.items.some(({ state }) => BUSY_STATES.includes(state));
      this._handlers.onPage(page);
    }
    // Nothing moves under somebody's hand: a list in use keeps its order until asked.
    if (changed && !this._inUse() && this._parts.length <= MOST_PARTS_AT_ONCE) {
      await this.rearrange();
    } else if (changed) {
      this._handlers.onStale(true);
    }
    return busy;
  }

  /** @param {string | null} after @returns {Promise<SlidePage>} */
  _fetch(after) {
    const cursor = after ? `&after=${encodeURIComponent(after)}` : '';
    return json(`/api/v1/slides?${this._query}&limit=${PART_SLIDES}${cursor}`);
  }

  /** @param {import('../types.d.ts').Slide} slide */
  _row(slide) {
    const known = this._rows.get(slide.id);
    if (known) {
      known.update(slide);
      return known;
    }
    const row = new WorklistRow(slide);
    this._rows.set(slide.id, row);
    return row;
  }

  /** @param {string} id */
  _isShown(id) {
    return this._rows.get(id)?.element.isConnected ?? false;
  }

  /** @param {import('../types.d.ts').Slide[]} slides */
  _place(slides) {
    const focused = document.activeElement;
    const elements = slides.map(slide => this._row(slide).element);
    const same = elements.every((element, i) => element === this._list.children[i]);
    if (!same || elements.length !== this._list.children.length) {
      this._list.replaceChildren(...elements);
      if (focused instanceof HTMLElement && this._list.contains(focused)) focused.focus();
    }
    const wanted = new Set(slides.map(({ id }) => id));
    for (const id of this._rows.keys()) if (!wanted.has(id)) this._rows.delete(id);
  }

  _inUse() {
    return this._list.matches(':hover') || this._list.contains(document.activeElement);
  }

  _partsOnScreen() {
    const shown = this._parts.filter(part => part.ids.some(id => this._isOnScreen(id)));
    return shown.length ? shown : this._parts.slice(0, 1);
  }

  /** @param {string} id */
  _isOnScreen(id) {
    const box = this._rows.get(id)?.element.getBoundingClientRect();
    return !!box && box.height > 0 && box.bottom > 0 && box.top < window.innerHeight;
  }
}
