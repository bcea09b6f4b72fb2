// @ts-check
/** The worklist page: the slides of the folders, what the model made of them, and who reads them. */

import { ApiError, connection } from './api.js';
import { watchConnection } from './banner.js';
import { byId, make, recall, remember, setText, throttle } from './dom.js';
import { keepQuery } from './neighbours.js';
import { readerChanges, showReader } from './reader.js';
import { fillTexts, TEXTS } from './texts.js';
import { SlideList } from './worklist/list.js';
import { addressOf, FILTERS, filterCount, readQuery } from './worklist/query.js';
import { Views } from './worklist/views.js';

/** @typedef {import('./types.d.ts').SlidePage} SlidePage */

const POLL_BUSY_MS = 2000;
/** Slides come and go in the folders without anybody asking. */
const POLL_IDLE_MS = 15_000;
const TYPING_MS = 250;

class Worklist {
  constructor() {
    this._query = readQuery(location.search);
    this._element = byId('slides');
    this._filter = byId('filter', HTMLInputElement);
    this._sort = byId('sort', HTMLSelectElement);
    this._more = byId('more', HTMLButtonElement);
    this._list = new SlideList(this._element, {
      onPage: page => this._showPage(page),
      onStale: stale => {
        byId('stale').hidden = !stale;
      },
    });
    this._views = new Views(
      () => this._query,
      query => this._choose(query),
    );
    this._timer = 0;
    /** @type {IntersectionObserver | null} */
    this._nearEnd = null;
    this._listen();
    this._showControls();
    void this._reload();
  }

  _listen() {
    const search = throttle(() => this._set('q', this._filter.value.trim()), TYPING_MS);
    this._filter.addEventListener('input', search);
    this._sort.addEventListener('change', () => this._set('sort', this._sort.value));
    for (const name of FILTERS) {
      const select = byId(`filter-${name}`, HTMLSelectElement);
      select.addEventListener('change', () => this._set(name, select.value));
    }
    byId('stale').addEventListener('click', () => void this._list.rearrange());
    for (const id of ['filter-clear', 'filters-clear']) {
      byId(id).addEventListener('click', () => {
        this._choose(new URLSearchParams({ sort: this._query.get('sort') ?? '' }));
        this._filter.focus();
      });
    }
    this._more.addEventListener('click', () => void this._loadMore());
    this._nearEnd = new IntersectionObserver(entries => {
      if (entries.some(entry => entry.isIntersecting)) void this._loadMore();
    });
    this._nearEnd.observe(this._more);
    for (const layout of ['list', 'grid']) {
      byId(`layout-${layout}`).addEventListener('click', () => showLayout(layout));
    }
    showLayout(recall('layout') ?? 'list');
    document.addEventListener('keydown', event => this._onKey(event));
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) void this._refresh();
    });
    window.addEventListener('popstate', () => {
      this._query = readQuery(location.search);
      this._showControls();
      void this._reload();
    });
    readerChanges.addEventListener('change', () => void this._reload());
    watchConnection(() => this._reload());
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  _set(name, value) {
    if ((this._query.get(name) ?? '') === value) return;
    const query = new URLSearchParams(this._query);
    if (value) query.set(name, value);
    else query.delete(name);
    this._choose(query, name === 'q');
  }

  /**
   * @param {URLSearchParams} query
   * @param {boolean} [typing] letters are no steps to go back to
   */
  _choose(query, typing = false) {
    this._query = query;
    if (typing) history.replaceState(null, '', addressOf(query));
    else history.pushState(null, '', addressOf(query));
    this._showControls();
    void this._reload();
  }

  _showControls() {
    if (document.activeElement !== this._filter) this._filter.value = this._query.get('q') ?? '';
    this._sort.value = this._query.get('sort') ?? '';
    for (const name of FILTERS) {
      const select = byId(`filter-${name}`, HTMLSelectElement);
      const value = this._query.get(name) ?? '';
      // A list from an address may ask for more than the control can say.
      if (value && ![...select.options].some(option => option.value === value)) {
        const option = make('option', { text: value });
        option.value = value;
        select.append(option);
      }
      select.value = value;
    }
    const count = filterCount(this._query);
    setText(byId('filters-count'), count ? String(count) : '');
    byId('filters-count').hidden = count === 0;
    byId('filters-clear').hidden = count === 0;
    for (const kind of ['csv', 'json']) {
      byId(`export-${kind}`, HTMLAnchorElement).href = `/api/v1/worklist.${kind}?${this._query}`;
    }
    this._views.show();
    keepQuery(String(this._query));
  }

  async _reload() {
    byId('list-problem').hidden = true;
    try {
      await this._list.show(String(this._query));
    } catch (error) {
      if (!(error instanceof ApiError)) return; // the banner tells; 'back' asks again
      byId('loading').hidden = true;
      byId('list-problem').hidden = false;
      setText(byId('list-problem-reason'), error.message);
      setText(byId('list-problem-hint'), error.hint);
      this._element.replaceChildren();
    }
    this._schedule(POLL_BUSY_MS);
  }

  async _loadMore() {
    try {
      await this._list.more();
    } catch {
      return; // the banner tells; scrolling or the button asks again
    }
    this._more.hidden = !this._list.hasMore;
    // Only a change is told: a button that stayed in view has to be looked at anew.
    this._nearEnd?.unobserve(this._more);
    this._nearEnd?.observe(this._more);
  }

  async _refresh() {
    window.clearTimeout(this._timer);
    try {
      this._schedule((await this._list.refresh()) ? POLL_BUSY_MS : POLL_IDLE_MS);
    } catch {
      this._schedule(POLL_IDLE_MS); // the banner tells
    }
  }

  /** @param {number} wait_ms */
  _schedule(wait_ms) {
    window.clearTimeout(this._timer);
    if (!document.hidden) this._timer = window.setTimeout(() => this._refresh(), wait_ms);
  }

  /** @param {SlidePage} page */
  _showPage({ total, folders, scanning }) {
    const unfiltered = !this._query.get('q') && filterCount(this._query) === 0;
    const none = total === 0;
    byId('loading').hidden = true;
    byId('scanning').hidden = !scanning;
    byId('tools').hidden = none && unfiltered;
    byId('start').hidden = none;
    byId('empty').hidden = !(none && unfiltered) || scanning;
    byId('no-match').hidden = !none || unfiltered;
    setText(byId('count'), none && unfiltered ? '' : TEXTS.worklist.count(total));
    this._more.hidden = !this._list.hasMore;
    byId('empty-with-folders').hidden = folders.length === 0;
    byId('empty-without-folders').hidden = folders.length > 0;
    byId('empty-folders').replaceChildren(...folders.map(({ name }) => make('li', { text: name })));
    showFolderProblems(folders);
  }

  /** @param {KeyboardEvent} event */
  _onKey(event) {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLSelectElement || document.querySelector('dialog[open]')) return;
    if (event.key === '/' && target !== this._filter) {
      event.preventDefault();
      this._filter.focus();
    }
    if (event.key === 'Enter' && target === document.body) this._links()[0]?.click();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this._moveFocus(step, event);
  }

  _links() {
    return [...this._element.querySelectorAll('a')];
  }

  /**
   * @param {number} step
   * @param {KeyboardEvent} event
   */
  _moveFocus(step, event) {
    const links = this._links();
    const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
    const next = at < 0 ? (step > 0 ? 0 : -1) : at + step;
    if (at === 0 && step < 0) this._filter.focus();
    else links[next]?.focus();
    if (next >= links.length - 3) void this._loadMore();
    if (links.length) event.preventDefault();
  }
}

/** @param {string} layout */
function showLayout(layout) {
  for (const name of ['list', 'grid']) {
    byId(`layout-${name}`).setAttribute('aria-pressed', String(name === layout));
  }
  byId('slides').classList.toggle('is-grid', layout === 'grid');
  remember('layout', layout);
}

/** @param {import('./types.d.ts').FolderInfo[]} folders */
function showFolderProblems(folders) {
  const problems = folders.flatMap(({ name, problem }) =>
    problem
      ? [`${TEXTS.worklist.folderProblem(name)} ${problem.reason} ${problem.hint ?? ''}`]
      : [],
  );
  byId('folder-problems').hidden = problems.length === 0;
  byId('folder-problems').replaceChildren(...problems.map(text => make('li', { text })));
}

fillTexts(document);
const worklist = new Worklist();
byId('start').addEventListener('click', () => worklist._links()[0]?.click());
showReader().catch(() => {
  connection.addEventListener('back', () => void showReader(), { once: true });
});
