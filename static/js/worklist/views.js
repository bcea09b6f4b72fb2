// @ts-check
import { ApiError, json } from '../api.js';
import { byId, make } from '../dom.js';
import { readerChanges } from '../reader.js';
import { TEXTS } from '../texts.js';
import { addressOf, canonical, readQuery } from './query.js';

/** @typedef {{id: string, name: string, query: Record<string, string>, built_in: boolean}} View */

/** The lists that have a name: those built in, and the reader's own. */
export class Views {
  /**
   * @param {() => URLSearchParams} query the list on screen
   * @param {(query: URLSearchParams) => void} onChosen
   */
  constructor(query, onChosen) {
    this._query = query;
    this._onChosen = onChosen;
    this._nav = byId('views');
    /** @type {View[]} */
    this._views = [];
    this._asked = 0;
    this._prepareDialog();
    readerChanges.addEventListener('change', () => void this.load());
    void this.load();
  }

  async load() {
    const asked = (this._asked += 1);
    const { items } = await json('/api/v1/views');
    if (asked !== this._asked) return; // a newer answer was quicker
    this._views = items;
    this.show();
  }

  /** Mark the one on screen. */
  show() {
    const here = canonical(this._query());
    const all = { id: 'all', name: TEXTS.worklist.builtIn.all, query: {}, built_in: true };
    const views = [all, ...this._views];
    const items = views.map(view => this._item(view, here));
    this._nav.replaceChildren(...items);
    const known = views.some(view => canonical(asQuery(view)) === here);
    byId('view-save').hidden = known;
  }

  /**
   * @param {View} view
   * @param {string} here
   */
  _item(view, here) {
    const query = asQuery(view);
    const names = /** @type {Record<string, string>} */ (TEXTS.worklist.builtIn);
    const name = view.built_in ? (names[view.id] ?? view.name) : view.name;
    const link = make('a', { class: 'view', text: name });
    link.href = addressOf(query);
    if (canonical(query) === here) link.setAttribute('aria-current', 'page');
    link.addEventListener('click', event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this._onChosen(query);
    });
    const item = make('li', {}, [link]);
    if (!view.built_in) item.append(this._removeButton(view));
    return item;
  }

  /** @param {View} view */
  _removeButton(view) {
    const button = make('button', { class: 'view-remove', title: TEXTS.worklist.views.remove });
    button.type = 'button';
    button.setAttribute('aria-label', TEXTS.worklist.views.removeNamed(view.name));
    button.append(make('span', { class: 'icon icon-close' }));
    button.addEventListener('click', async () => {
      await json(`/api/v1/views/${view.id}`, 'DELETE');
      await this.load();
      this._nav.querySelector('a')?.focus();
    });
    return button;
  }

  _prepareDialog() {
    const dialog = byId('view-dialog', HTMLDialogElement);
    const name = byId('view-name', HTMLInputElement);
    const problem = byId('view-problem');
    byId('view-save').addEventListener('click', () => {
      name.value = '';
      problem.textContent = '';
      dialog.showModal();
    });
    byId('view-cancel').addEventListener('click', () => dialog.close());
    byId('view-form', HTMLFormElement).addEventListener('submit', async event => {
      event.preventDefault();
      if (!name.value.trim()) {
        problem.textContent = TEXTS.worklist.views.nameMissing;
        name.focus();
        return;
      }
      try {
        const query = Object.fromEntries(this._query());
        await json('/api/v1/views', 'POST', { name: name.value.trim(), query });
        dialog.close();
        await this.load();
      } catch (error) {
        const hint = error instanceof ApiError ? error.hint : '';
        problem.textContent = `${/** @type {Error} */ (error).message} ${hint}`.trim();
      }
    });
  }
}

/** @param {View} view */
function asQuery(view) {
  return readQuery(String(new URLSearchParams(view.query)));
}
