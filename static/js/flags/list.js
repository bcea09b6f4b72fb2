// @ts-check
import { ApiError, ConnectionLost } from '../api.js';
import { byId, make, setText, throttle } from '../dom.js';
import { area } from '../format.js';
import { TEXTS } from '../texts.js';
import { markPicture } from './paint.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./store.js').FlagStore} FlagStore
 */

const PAGE = 50;
const TYPING_MS = 250;

/** The list of all flags in the side panel, with its filters; a click leads to a flag. */
export class FlagListPanel {
  /**
   * @param {FlagStore} store
   * @param {(flag: Flag) => void} goTo
   */
  constructor(store, goTo) {
    this._store = store;
    this._goTo = goTo;
    this._list = byId('flag-list');
    this._state = byId('flag-filter-state', HTMLSelectElement);
    this._label = byId('flag-filter-label', HTMLSelectElement);
    this._text = byId('flag-filter-text', HTMLInputElement);
    this._more = byId('flag-more');
    /** @type {Flag[]} */
    this._items = [];
    /** @type {Map<string, {flag: Flag, key: string, row: HTMLElement}>} */
    this._rows = new Map();
    /** @type {string | null} */
    this._next = null;
    this._asked = 0;
    this._fillFilters();
    const reload = throttle(() => void this.load(), TYPING_MS);
    for (const input of [this._state, this._label, this._text]) {
      input.addEventListener('input', reload);
    }
    this._more.addEventListener('click', () => void this._loadMore());
    store.addEventListener('news', reload);
    store.addEventListener('local', () => this._show());
    store.addEventListener('selected', () => this._show());
  }

  _fillFilters() {
    const texts = TEXTS.flags;
    this._state.append(
      option('', texts.anyState),
      ...Object.entries(texts.states).map(([value, text]) => option(value, text)),
    );
    this._label.append(
      option('*', texts.anyLabel),
      ...this._store.labels.items.map(({ name }) => option(name, name)),
      option('', texts.noLabel),
    );
  }

  _query() {
    /** @type {Record<string, string>} */
    const query = { limit: String(PAGE) };
    if (this._state.value) query.state = this._state.value;
    if (this._label.value !== '*') query.label = this._label.value;
    if (this._text.value.trim()) query.q = this._text.value.trim();
    return query;
  }

  get _isFiltered() {
    return Object.keys(this._query()).length > 1;
  }

  async load() {
    const asked = (this._asked += 1);
    try {
      const page = await this._store.list(this._query());
      if (asked !== this._asked) return;
      this._items = page.items;
      this._next = page.next;
      this._total = page.total;
      this._all = Object.values(page.states).reduce((sum, count) => sum + count, 0);
      this._show();
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof ConnectionLost)) throw error;
    }
  }

  async _loadMore() {
    if (!this._next) return;
    const asked = (this._asked += 1);
    const page = await this._store.list({ ...this._query(), after: this._next });
    if (asked !== this._asked) return; // another list is shown by now, or this part is
    this._items.push(...page.items);
    this._next = page.next;
    this._show();
  }

  _show() {
    const unsaved = this._isFiltered ? [] : this._store.unsaved.filter(flag => !flag.deleted);
    const changed = new Map(this._store.unsaved.map(flag => [flag.id, flag]));
    const known = new Set(this._items.map(flag => flag.id));
    const fresh = unsaved.filter(flag => !known.has(flag.id));
    const flags = [...fresh, ...this._items.map(flag => changed.get(flag.id) ?? flag)];
    const shown = flags.filter(flag => !flag.deleted);
    this._place(shown.map(flag => this._rowOf(flag)));
    for (const id of this._rows.keys()) {
      if (!shown.some(flag => flag.id === id)) this._rows.delete(id);
    }
    this._more.hidden = !this._next;
    const texts = TEXTS.flags;
    const total = (this._total ?? 0) + fresh.length;
    const all = (this._all ?? 0) + fresh.length;
    setText(byId('flag-count'), all ? texts.count(total, all) : '');
    byId('flag-empty').hidden = all > 0 || this._total === undefined;
    byId('flag-no-match').hidden = !all || shown.length > 0;
    byId('flag-filters').hidden = all === 0;
  }

  /**
   * Rows that stay as they are stay in the page: one that is being clicked on must not be replaced.
   * @param {HTMLElement[]} rows
   */
  _place(rows) {
    const there = this._list.children;
    if (rows.length === there.length && rows.every((row, i) => row === there[i])) return;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.flag;
    this._list.replaceChildren(...rows);
    if (focused) {
      /** @type {HTMLElement | null} */ (
        this._list.querySelector(`[data-flag="${focused}"]`)
      )?.focus();
    }
  }

  /** @param {Flag} flag the row it has, unless it is another one by now */
  _rowOf(flag) {
    const key = JSON.stringify([{ ...flag, geometry: null }, this._store.selected?.id === flag.id]);
    const known = this._rows.get(flag.id);
    const row = known?.key === key ? known.row : this._row(flag);
    this._rows.set(flag.id, { flag, key, row });
    return row;
  }

  /** @param {Flag} flag */
  _row(flag) {
    const texts = TEXTS.flags;
    const { labels, selected } = this._store;
    const mark = make('img', { class: 'flag-mark' });
    mark.src = markUrl(labels.colourOf(flag.label), labels.markOf(flag.label), flag.state);
    mark.alt = '';
    const title = `${flag.number ? `${flag.number}. ` : ''}${flag.name ?? flag.label ?? texts.noLabel}`;
    const size =
      flag.area_mm2 !== null
        ? area(flag.area_mm2)
        : flag.length_um !== null
          ? texts.length(flag.length_um)
          : '';
    const facts = [texts.kinds[flag.kind], texts.states[flag.state], size, flag.assignee]
      .filter(Boolean)
      .join(' · ');
    const lines = [
      make('span', { class: 'flag-title', text: title }),
      make('span', { class: 'flag-facts', text: facts }),
    ];
    if (flag.reason) lines.push(make('span', { class: 'flag-why', text: flag.reason }));
    if (flag.comments) {
      lines.push(make('span', { class: 'flag-facts', text: texts.comments(flag.comments) }));
    }
    const button = make('button', { class: 'flag-row' }, [
      mark,
      make('span', { class: 'flag-lines' }, lines),
    ]);
    button.type = 'button';
    button.dataset.flag = flag.id;
    button.setAttribute('aria-current', String(selected?.id === flag.id));
    button.addEventListener('click', () => this._goTo(this._rows.get(flag.id)?.flag ?? flag));
    return make('li', {}, [button]);
  }
}

/** @type {Map<string, string>} */
const urls = new Map();

/**
 * The mark of a flag as the address of a picture.
 * @param {string} colour
 * @param {string} mark
 * @param {import('./types.d.ts').FlagState} state
 */
export function markUrl(colour, mark, state) {
  const key = `${colour}|${mark}|${state}|${window.devicePixelRatio}`;
  const known = urls.get(key);
  if (known) return known;
  const url = markPicture(colour, mark, state).toDataURL();
  urls.set(key, url);
  return url;
}

/**
 * @param {string} value
 * @param {string} text
 */
export function option(value, text) {
  const element = make('option', { text });
  element.value = value;
  return element;
}
