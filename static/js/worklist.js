// @ts-check
/** The worklist page: every slide of the folders, with what the model made of it. */

import { api } from './api.js';
import { watchConnection } from './banner.js';
import { byId, make, setText } from './dom.js';
import { keepOrder } from './neighbours.js';
import { fillTexts, TEXTS } from './texts.js';
import { byName, bySuspicion } from './worklist-order.js';
import { WorklistRow } from './worklist-row.js';

/**
 * @typedef {import('./types.d.ts').Slide} Slide
 * @typedef {import('./types.d.ts').SlidePage} SlidePage
 */

const POLL_BUSY_MS = 2000;
/** Slides come and go in the folders without anybody asking. */
const POLL_IDLE_MS = 15_000;
const BUSY_STATES = ['queued', 'running', 'cancelling'];
const ORDERS = { suspicion: bySuspicion, name: byName };

class Worklist {
  constructor() {
    this._list = byId('slides');
    this._filter = byId('filter', HTMLInputElement);
    this._sort = byId('sort', HTMLSelectElement);
    this._stale = byId('stale');
    /** @type {Map<string, WorklistRow>} */
    this._rows = new Map();
    this._timer = 0;
    this._listen();
    void this._refresh();
  }

  _listen() {
    const fields = new URLSearchParams(location.search);
    this._filter.value = fields.get('q') ?? '';
    this._sort.value = fields.get('sort') === 'name' ? 'name' : 'suspicion';
    this._filter.addEventListener('input', () => this._arrange());
    this._sort.addEventListener('change', () => this._arrange());
    this._stale.addEventListener('click', () => this._arrange());
    byId('filter-clear').addEventListener('click', () => {
      this._filter.value = '';
      this._arrange();
      this._filter.focus();
    });
    document.addEventListener('keydown', event => this._onKey(event));
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) void this._refresh();
    });
    watchConnection(() => this._refresh());
  }

  async _refresh() {
    window.clearTimeout(this._timer);
    let busy;
    try {
      const page = await api.slides();
      busy = page.scanning || page.items.some(slide => BUSY_STATES.includes(slide.state));
      this._take(page);
    } catch {
      return; // the banner tells; 'back' asks again
    }
    if (!document.hidden) {
      this._timer = window.setTimeout(() => this._refresh(), busy ? POLL_BUSY_MS : POLL_IDLE_MS);
    }
  }

  /** @param {SlidePage} page */
  _take(page) {
    const before = this._rows.size;
    const ids = new Set(page.items.map(slide => slide.id));
    for (const [id, row] of this._rows) {
      if (ids.has(id)) continue;
      row.element.remove();
      this._rows.delete(id);
    }
    for (const slide of page.items) {
      const row = this._rows.get(slide.id);
      if (row) row.update(slide);
      else this._rows.set(slide.id, new WorklistRow(slide));
    }
    this._showFolders(page);
    const added = this._rows.size > before;
    // Nothing moves under somebody's hand: a list in use keeps its order until asked.
    if (!this._inUse() || (added && before === 0)) this._arrange();
    else this._placeAdded();
  }

  _inUse() {
    return this._list.matches(':hover') || this._list.contains(document.activeElement);
  }

  /** New slides go to the end of a list in use. */
  _placeAdded() {
    const missing = [...this._rows.values()].filter(row => !row.element.isConnected);
    this._list.append(...missing.filter(row => this._matches(row)).map(row => row.element));
    const shown = [...this._list.children];
    this._stale.hidden = this._wanted().every((row, index) => row.element === shown[index]);
    this._showCount();
  }

  /** @param {WorklistRow} row */
  _matches(row) {
    return row.slide.name.toLowerCase().includes(this._filter.value.trim().toLowerCase());
  }

  _wanted() {
    const order = ORDERS[/** @type {keyof typeof ORDERS} */ (this._sort.value)];
    return [...this._rows.values()]
      .filter(row => this._matches(row))
      .sort((a, b) => order(a.slide, b.slide));
  }

  _arrange() {
    const wanted = this._wanted();
    const focused = document.activeElement;
    const elements = wanted.map(row => row.element);
    const same = elements.every((element, i) => element === this._list.children[i]);
    if (!same || this._list.children.length !== elements.length) {
      this._list.replaceChildren(...elements);
      if (focused instanceof HTMLElement && this._list.contains(focused)) focused.focus();
    }
    this._stale.hidden = true;
    keepOrder(wanted.filter(row => row.slide.state !== 'unreadable').map(row => row.slide.id));
    this._keepAddress();
    this._showCount();
  }

  _keepAddress() {
    const fields = new URLSearchParams();
    if (this._filter.value) fields.set('q', this._filter.value);
    if (this._sort.value !== 'suspicion') fields.set('sort', this._sort.value);
    history.replaceState(null, '', fields.size ? `?${fields}` : location.pathname);
  }

  _showCount() {
    const [shown, all] = [this._list.children.length, this._rows.size];
    setText(byId('count'), all ? TEXTS.worklist.count(shown, all) : '');
    byId('no-match').hidden = shown > 0 || all === 0;
  }

  /** @param {SlidePage} page */
  _showFolders({ items, folders, scanning }) {
    byId('loading').hidden = true;
    byId('scanning').hidden = !scanning;
    byId('empty').hidden = items.length > 0 || scanning;
    byId('tools').hidden = items.length === 0;
    byId('empty-with-folders').hidden = folders.length === 0;
    byId('empty-without-folders').hidden = folders.length > 0;
    byId('empty-folders').replaceChildren(...folders.map(({ name }) => make('li', { text: name })));
    const problems = folders.flatMap(({ name, problem }) =>
      problem
        ? [
            make('li', {
              text: `${TEXTS.worklist.folderProblem(name)} ${problem.reason} ${problem.hint}`,
            }),
          ]
        : [],
    );
    byId('folder-problems').hidden = problems.length === 0;
    byId('folder-problems').replaceChildren(...problems);
  }

  /** @param {KeyboardEvent} event */
  _onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target === this._sort || event.ctrlKey || event.metaKey || event.altKey)
      return;
    const links = [...this._list.querySelectorAll('a')];
    const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
    const next = at < 0 ? (step > 0 ? 0 : -1) : at + step;
    if (at === 0 && step < 0) this._filter.focus();
    else links[next]?.focus();
    if (links.length) event.preventDefault();
  }
}

fillTexts(document);
new Worklist();
