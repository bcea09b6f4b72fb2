// @ts-check
import { ApiError, ConnectionLost, json } from '../api.js';
import { byId, make, setText } from '../dom.js';
import { moment } from '../format.js';
import { toParts } from './geometry.js';
import { option } from './list.js';
import { isArea } from './editor.js';
import { whoReads } from '../reader.js';
import { TEXTS } from '../texts.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').FlagFields} FlagFields
 * @typedef {import('./types.d.ts').Comment} Comment
 * @typedef {import('./types.d.ts').FlagVersion} FlagVersion
 * @typedef {import('./store.js').FlagStore} FlagStore
 * @typedef {import('./tools.js').Tools} Tools
 */

const TYPING_MS = 900;

/** The selected flag in the side panel: what is said of it, its comments and its history. */
export class FlagForm {
  /**
   * @param {FlagStore} store
   * @param {Tools} tools
   * @param {(label: string | null) => void} onLabel the label a reader chose
   */
  constructor(store, tools, onLabel) {
    this._store = store;
    this._tools = tools;
    this._onLabel = onLabel;
    this._box = byId('flag-selected');
    this._label = byId('flag-label', HTMLSelectElement);
    this._state = byId('flag-state', HTMLSelectElement);
    this._reason = byId('flag-reason', HTMLTextAreaElement);
    this._assignee = byId('flag-assignee', HTMLInputElement);
    this._comment = byId('flag-comment', HTMLTextAreaElement);
    /** @type {string | null} */
    this._shownId = null;
    this._shownComments = -1;
    this._askedComments = 0;
    this._fill();
    this._listen();
    store.addEventListener('selected', () => this.show());
    store.outbox.addEventListener('state', () => this._showProblem());
    this.show();
  }

  /** Put the focus where the flag is described. */
  focus() {
    this._label.focus();
  }

  _fill() {
    const { labels } = this._store;
    this._label.append(
      option('', TEXTS.flags.noLabel),
      ...labels.items.map(({ name, key }) => option(name, key ? `${name} (Shift+${key})` : name)),
    );
    const states = Object.entries(TEXTS.flags.states);
    this._state.append(...states.map(([value, text]) => option(value, text)));
  }

  _listen() {
    let timer = 0;
    const typed = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => this._saveTexts(), TYPING_MS);
    };
    this._label.addEventListener('change', () => this.setLabel(this._label.value || null));
    this._state.addEventListener('change', () =>
      this._edit({ state: /** @type {Flag['state']} */ (this._state.value) }),
    );
    for (const input of [this._reason, this._assignee]) {
      input.addEventListener('input', () => {
        this._store.editing = true;
        typed();
      });
      input.addEventListener('blur', () => {
        this._saveTexts();
        this._store.editing = false;
      });
    }
    byId('flag-to-me').addEventListener('click', () => void this._assignToMe());
    byId('flag-cut').addEventListener('click', () => this._tools.cut());
    byId('flag-delete').addEventListener('click', () => {
      const { selected } = this._store;
      if (selected) this._store.remove(selected);
    });
    byId('flag-close').addEventListener('click', () => this._store.select(null));
    byId('flag-retry').addEventListener('click', () => this._store.outbox.retry());
    byId('flag-discard').addEventListener('click', () => {
      if (this._shownId) void this._store.discard(this._shownId);
    });
    byId('flag-comment-send').addEventListener('click', () => void this._sendComment());
    byId('flag-history').addEventListener('toggle', () => void this._showHistory());
  }

  /** @param {string | null} label */
  setLabel(label) {
    this._onLabel(label);
    this._edit({ label });
  }

  /** @param {Partial<FlagFields>} fields */
  _edit(fields) {
    const { selected } = this._store;
    if (selected) this._store.edit(selected, fields);
  }

  _saveTexts() {
    const { selected } = this._store;
    if (!selected || selected.id !== this._shownId) return;
    const reason = this._reason.value.trim();
    const assignee = this._assignee.value.trim() || null;
    if (reason !== selected.reason) this._edit({ reason });
    if (assignee !== selected.assignee) this._edit({ assignee });
  }

  async _assignToMe() {
    const { name } = await whoReads();
    if (!name) return;
    this._assignee.value = name;
    this._edit({ assignee: name });
  }

  show() {
    const flag = this._store.selected;
    this._box.hidden = !flag;
    if (!flag) {
      this._shownId = null;
      return;
    }
    const isOther = flag.id !== this._shownId;
    this._shownId = flag.id;
    const texts = TEXTS.flags;
    const kind = texts.kinds[flag.kind];
    setText(byId('flag-heading'), flag.number ? texts.numbered(flag.number, kind) : kind);
    this._showLabel(flag);
    this._state.value = flag.state;
    // What is being typed stays as it is.
    if (isOther || document.activeElement !== this._reason) this._reason.value = flag.reason;
    if (isOther || document.activeElement !== this._assignee) {
      this._assignee.value = flag.assignee ?? '';
    }
    const wants = this._store.labels.wantsReason(flag.label);
    this._reason.required = wants;
    setText(byId('flag-reason-title'), wants ? texts.reasonWanted : texts.reason);
    setText(byId('flag-size'), this._size(flag));
    setText(byId('flag-who'), this._who(flag));
    byId('flag-cut').hidden = !isArea(flag.kind);
    this._showProblem();
    if (isOther || flag.comments !== this._shownComments) void this._showComments(flag);
    const history = byId('flag-history', HTMLDetailsElement);
    history.hidden = flag.version < 1;
    if (isOther) history.open = false;
  }

  /** @param {Flag} flag a label from another program stands in the list for as long as it is shown */
  _showLabel(flag) {
    for (const foreign of this._label.querySelectorAll('[data-foreign]')) foreign.remove();
    const known = !flag.label || this._store.labels.items.some(({ name }) => name === flag.label);
    if (!known && flag.label) {
      const foreign = option(flag.label, flag.label);
      foreign.dataset.foreign = 'yes';
      this._label.append(foreign);
    }
    this._label.value = flag.label ?? '';
  }

  /** @param {Flag} flag */
  _size(flag) {
    if (flag.kind === 'point') return '';
    if (!this._store.mpp) return TEXTS.flags.noSize;
    return this._tools.measure(flag.kind, toParts(flag.geometry));
  }

  /** @param {Flag} flag */
  _who(flag) {
    if (!flag.created_by || !flag.created_at) return '';
    const texts = TEXTS.flags;
    const made = texts.by(flag.created_by, moment(flag.created_at));
    if (flag.version === 1 || !flag.changed_by || !flag.changed_at) return made;
    return `${made}; ${texts.changedBy(flag.changed_by, moment(flag.changed_at))}`;
  }

  _showProblem() {
    const problem = this._shownId ? this._store.outbox.problemOf(this._shownId) : null;
    byId('flag-problem').hidden = !problem;
    setText(byId('flag-problem-reason'), problem?.reason ?? '');
    setText(byId('flag-problem-hint'), problem?.hint ?? '');
  }

  /** @param {Flag} flag */
  async _showComments(flag) {
    const asked = (this._askedComments += 1);
    this._shownComments = flag.comments;
    const list = byId('flag-comments');
    if (!flag.comments) {
      list.replaceChildren();
      return;
    }
    /** @type {{items: Comment[]}} */
    const { items } = await json(`/api/v1/flags/${flag.id}/comments`).catch(() => ({ items: [] }));
    if (this._shownId !== flag.id || asked !== this._askedComments) return;
    list.replaceChildren(
      ...items.map(({ text, created_by, created_at }) =>
        make('li', {}, [
          make('span', {
            class: 'flag-facts',
            text: TEXTS.flags.by(created_by, moment(created_at)),
          }),
          make('p', { text }),
        ]),
      ),
    );
  }

  async _sendComment() {
    const { selected } = this._store;
    const text = this._comment.value.trim();
    if (!selected || !text) return;
    const problem = byId('flag-comment-problem');
    setText(problem, '');
    try {
      await json(`/api/v1/flags/${selected.id}/comments`, 'POST', { text });
      this._comment.value = '';
      selected.comments += 1;
      await this._showComments(selected);
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof ConnectionLost)) throw error;
      const hint = error instanceof ApiError ? error.hint : '';
      setText(problem, `${error.message} ${hint}`.trim());
    }
  }

  async _showHistory() {
    const { selected } = this._store;
    if (!byId('flag-history', HTMLDetailsElement).open || !selected) return;
    /** @type {{items: FlagVersion[]}} */
    const { items } = await json(`/api/v1/flags/${selected.id}/history`);
    const texts = TEXTS.flags;
    byId('flag-versions').replaceChildren(
      ...items.map(version =>
        make('li', {}, [
          make('span', {
            class: 'flag-facts',
            text: `${texts.actions[version.action]}, ${texts.by(version.changed_by, moment(version.changed_at))}`,
          }),
          make('p', {
            text: [version.label ?? texts.noLabel, texts.states[version.state], version.reason]
              .filter(Boolean)
              .join(' · '),
          }),
        ]),
      ),
    );
  }
}
