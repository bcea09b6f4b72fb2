// @ts-check
import { ApiError, json } from '../api.js';
import { newId, throttle } from '../dom.js';
import { areaMm2, boundsOf, lengthUm, toParts } from './geometry.js';
import { recallFlags, rememberFlags } from './memory.js';
import { Outbox } from './outbox.js';
import { FlagTiles } from './tiles.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').FlagFields} FlagFields
 * @typedef {import('./types.d.ts').FlagList} FlagList
 * @typedef {import('./types.d.ts').Operation} Operation
 * @typedef {import('./types.d.ts').Step} Step
 * @typedef {import('./outbox.js').Decision} Decision
 */

const REFRESH_MS = 400;
const LOOK_FOR_NEWS_MS = 15_000;
const ONE_STEP_MS = 1000;
export const FIELDS = /** @type {(keyof FlagFields)[]} */ ([
  'kind',
  'geometry',
  'label',
  'name',
  'reason',
  'state',
  'assignee',
]);

/**
 * The flags of the slide as this page sees them: what the server tells, and over it what was changed
 * here. Tells 'local' when the picture changes, 'selected' when another flag or its content is
 * selected, 'news' when a list of flags may be out of date.
 */
export class FlagStore extends EventTarget {
  /**
   * @param {string} slideId
   * @param {{x: number, y: number} | null} mpp
   * @param {import('./labels.js').Labels} labels
   * @param {(operation: Operation, mine: Flag | null, current: Flag) => Promise<Decision>} conflict
   */
  constructor(slideId, mpp, labels, conflict) {
    super();
    const remembered = recallFlags(slideId);
    this._slideId = slideId;
    this.mpp = mpp;
    this.labels = labels;
    this.tiles = new FlagTiles(slideId);
    /** Flags changed here; `epoch`: squares from then on know it, null while it is not saved. @type {Map<string, {flag: Flag, epoch: number | null}>} */
    this._local = new Map(remembered.local.map(flag => [flag.id, { flag, epoch: null }]));
    this._undo = remembered.undo;
    this._redo = remembered.redo;
    /** @type {Flag | null} */
    this.selected = null;
    /** Set while the selected flag is being edited: news must not move it under the hand. */
    this.editing = false;
    this._noted_ms = -Infinity;
    /** The oldest state of the flags that something shown was fetched in; undefined: nothing was. @type {string | undefined} */
    this._shownState = undefined;
    this.tiles.onState = touchedAt => this._noteState(touchedAt);
    this._turn = Promise.resolve();
    this._refresh = throttle(() => this._tellNews(), REFRESH_MS);
    this.outbox = new Outbox(slideId, remembered, {
      stored: flag => this._stored(flag),
      gone: id => this._gone(id),
      conflict: (operation, current) =>
        conflict(operation, this._local.get(current.id)?.flag ?? null, current),
      keepCopy: (_, current) => this._keepCopy(current.id),
      changed: () => this._remember(),
    });
    this._lookForNews();
    this.outbox.run();
  }

  // ---- what is to be seen --------------------------------------------------------------------

  /**
   * Whether a flag of a square fetched at `epoch` is out of date, or drawn elsewhere.
   * @param {string} id
   * @param {number} epoch
   */
  replaces(id, epoch) {
    const entry = this._local.get(id);
    if (this.selected?.id === id) return true;
    return !!entry && (entry.epoch === null || epoch < entry.epoch);
  }

  /** @param {number} epoch of the square they are drawn in */
  *localFlags(epoch) {
    for (const { flag, epoch: from } of this._local.values()) {
      if (flag.deleted || flag.id === this.selected?.id) continue;
      if (from === null || epoch < from) yield flag;
    }
  }

  /** Flags the server has not taken yet. */
  get unsaved() {
    return [...this._local.values()].filter(({ epoch }) => epoch === null).map(({ flag }) => flag);
  }

  /**
   * A page of the list.
   * @param {Record<string, string>} query
   * @returns {Promise<FlagList>}
   */
  async list(query) {
    const page = await this._ask(query);
    this._noteState(page.touched_at);
    return page;
  }

  /**
   * @param {Record<string, string>} query
   * @returns {Promise<FlagList>}
   */
  _ask(query) {
    return json(`/api/v1/slides/${this._slideId}/flags?${new URLSearchParams(query)}`);
  }

  /** @param {string | null} touchedAt when a flag was changed last, as an answer tells it */
  _noteState(touchedAt) {
    const state = touchedAt ?? '';
    if (this._shownState === undefined || state < this._shownState) this._shownState = state;
  }

  /** @param {Flag | null} flag */
  select(flag) {
    this.editing = false;
    const local = flag && this._local.get(flag.id);
    this.selected = local && !local.flag.deleted && local.epoch === null ? local.flag : flag;
    if (flag && !this.outbox.concerns(flag.id)) this.outbox.known.set(flag.id, flag.version);
    this.dispatchEvent(new Event('local'));
    this.dispatchEvent(new Event('selected'));
  }

  /**
   * The newest of a flag, from the server.
   * @param {string} id
   * @returns {Promise<Flag | null>} null when it was deleted
   */
  async fetch(id) {
    try {
      return await json(`/api/v1/flags/${id}`);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  // ---- changes by the reader -----------------------------------------------------------------

  /**
   * @param {FlagFields} fields
   * @param {{analysis_id: string, rank: number} | null} [hotspot]
   */
  create(fields, hotspot = null) {
    const id = newId();
    const flag = this._measured({
      ...fields,
      id,
      number: null,
      version: 0,
      bbox_l0_px: [0, 0, 0, 0],
      deleted: false,
      created_by: null,
      created_at: null,
      changed_by: null,
      changed_at: null,
      length_um: null,
      area_mm2: null,
      comments: 0,
      hotspot,
    });
    this._show(flag);
    this._note({ type: 'create', id, after: fields });
    this.outbox.push({ type: 'create', id, fields, hotspot });
    return flag;
  }

  /**
   * @param {Flag} flag
   * @param {Partial<FlagFields>} fields
   */
  edit(flag, fields) {
    const before = pick(flag, Object.keys(fields));
    if (JSON.stringify(before) === JSON.stringify(fields)) return;
    this._show(this._measured({ ...flag, ...fields }));
    this._note({ type: 'change', id: flag.id, before, after: fields });
    this.outbox.push({ type: 'change', id: flag.id, fields });
  }

  /** @param {Flag} flag */
  remove(flag) {
    this._hide(flag);
    this._note({ type: 'delete', id: flag.id, before: pick(flag, FIELDS) });
    this.outbox.push({ type: 'delete', id: flag.id });
  }

  get canUndo() {
    return this._undo.length > 0;
  }

  get canRedo() {
    return this._redo.length > 0;
  }

  /** @returns {Promise<Step | null>} what was undone */
  undo() {
    return this._inTurn(() => this._undoLast());
  }

  /** @returns {Promise<Step | null>} what was done again */
  redo() {
    return this._inTurn(() => this._redoLast());
  }

  /**
   * A step may have to ask for its flag: the next one waits, so that they are sent in their order.
   * @param {() => Promise<Step | null>} act
   */
  _inTurn(act) {
    const step = this._turn.then(act);
    this._turn = step.then(
      () => undefined,
      () => undefined,
    );
    return step;
  }

  async _undoLast() {
    const step = this._undo.pop();
    if (!step) return null;
    this._redo.push(step);
    if (step.type === 'create') await this._deleteAgain(step);
    else if (step.type === 'change') await this._changeAgain(step, step.before ?? {});
    else this.outbox.push({ type: 'restore', id: step.id });
    this._remember();
    return step;
  }

  async _redoLast() {
    const step = this._redo.pop();
    if (!step) return null;
    this._undo.push(step);
    if (step.type === 'create') this.outbox.push({ type: 'restore', id: step.id });
    else if (step.type === 'change') await this._changeAgain(step, step.after ?? {});
    else await this._deleteAgain(step);
    this._remember();
    return step;
  }

  /** Give up what the server does not take of a flag, and show what is there. */
  async discard(/** @type {string} */ id) {
    this.outbox.drop(id);
    this._local.delete(id);
    const flag = await this.fetch(id);
    if (this.selected?.id === id) this.select(flag);
    this.dispatchEvent(new Event('local'));
    this._refresh();
  }

  /** Something else changed flags: fetch all anew. */
  lookAgain() {
    this._refresh();
  }

  // ---- inside --------------------------------------------------------------------------------

  /** @param {Step} step */
  async _changeAgain(step, /** @type {Partial<FlagFields>} */ fields) {
    const flag = await this._newest(step.id);
    if (flag) this._show(this._measured({ ...flag, ...fields }));
    this.outbox.push({ type: 'change', id: step.id, fields });
  }

  /** @param {Step} step */
  async _deleteAgain(step) {
    const flag = await this._newest(step.id);
    if (flag) this._hide(flag);
    this.outbox.push({ type: 'delete', id: step.id });
  }

  /** @param {string} id */
  async _newest(id) {
    const known = this._local.get(id)?.flag;
    if (known && !known.deleted) return known;
    return this.selected?.id === id ? this.selected : this.fetch(id).catch(() => null);
  }

  /** @param {Flag} flag as it looks with a change that is not saved yet */
  _show(flag) {
    this._local.set(flag.id, { flag, epoch: null });
    if (this.selected?.id === flag.id) {
      this.selected = flag;
      this.dispatchEvent(new Event('selected'));
    }
    this.dispatchEvent(new Event('local'));
  }

  /** @param {Flag} flag */
  _hide(flag) {
    this._local.set(flag.id, { flag: { ...flag, deleted: true }, epoch: null });
    if (this.selected?.id === flag.id) this.select(null);
    this.dispatchEvent(new Event('local'));
  }

  /** @param {Flag} flag as the server has it now */
  _stored(flag) {
    if (this.outbox.concerns(flag.id)) {
      const local = this._local.get(flag.id);
      if (local) Object.assign(local.flag, { number: flag.number, version: flag.version });
      return;
    }
    this._local.set(flag.id, { flag, epoch: this.tiles.epoch + 1 });
    if (this.selected?.id === flag.id && !this.editing) {
      this.selected = flag;
      this.dispatchEvent(new Event('selected'));
    }
    this.dispatchEvent(new Event('local'));
    this._refresh();
  }

  /** @param {string} id */
  _gone(id) {
    const local = this._local.get(id);
    if (local) {
      local.flag.deleted = true;
      if (!this.outbox.concerns(id)) local.epoch = this.tiles.epoch + 1;
    }
    if (this.selected?.id === id) this.select(null);
    this._refresh();
  }

  /** @param {string} id whose content here becomes a flag of its own */
  _keepCopy(id) {
    const mine = this._local.get(id)?.flag;
    if (mine) this.create(/** @type {FlagFields} */ (pick(mine, FIELDS)), mine.hotspot);
  }

  /** @param {Step} step */
  _note(step) {
    const last = this._undo.at(-1);
    const now_ms = performance.now();
    const goesOn = now_ms - this._noted_ms < ONE_STEP_MS && last?.id === step.id;
    this._noted_ms = now_ms;
    // A key held down, or a text being typed, is one step back.
    if (goesOn && last?.type === 'change' && sameFields(last, step)) last.after = step.after;
    else this._undo.push(step);
    this._redo = [];
  }

  _remember() {
    rememberFlags(this._slideId, {
      queue: this.outbox?.queue ?? [],
      local: this.unsaved,
      known: this._knownVersions(),
      undo: this._undo,
      redo: this._redo,
    });
  }

  /** Of the flags that queue or steps are about. */
  _knownVersions() {
    const ids = [...this._undo, ...this._redo, ...(this.outbox?.queue ?? [])].map(({ id }) => id);
    const known = this.outbox?.known ?? new Map();
    return Object.fromEntries([...known].filter(([id]) => ids.includes(id)));
  }

  /**
   * @param {Flag} flag
   * @returns {Flag}
   */
  _measured(flag) {
    const parts = toParts(flag.geometry);
    return {
      ...flag,
      bbox_l0_px: boundsOf(parts),
      area_mm2: areaMm2(flag.kind, parts, this.mpp),
      length_um: lengthUm(flag.kind, parts, this.mpp),
    };
  }

  _tellNews() {
    this._shownState = undefined;
    this.tiles.refresh();
    this.dispatchEvent(new Event('news'));
  }

  _lookForNews() {
    const look = async () => {
      if (document.visibilityState !== 'visible') return;
      const { touched_at } = await this._ask({ limit: '1' });
      if (this._shownState === undefined || (touched_at ?? '') <= this._shownState) return;
      this._tellNews();
      await this._renewSelected();
    };
    const quietly = () => void look().catch(() => undefined); // the banner tells of lost servers
    window.setInterval(quietly, LOOK_FOR_NEWS_MS);
    document.addEventListener('visibilitychange', quietly);
    quietly();
  }

  /** The selected flag as others left it, unless it is being changed here. */
  async _renewSelected() {
    const { selected } = this;
    if (!selected || this.editing || this.outbox.concerns(selected.id)) return;
    const flag = await this.fetch(selected.id);
    const now = this.selected;
    if (now?.id !== selected.id || this.editing) return;
    // Changed here while the answer was on its way: what was changed goes first.
    if (this.outbox.concerns(now.id) || (flag && flag.version <= now.version)) return;
    this._local.delete(now.id);
    this.select(flag);
  }
}

/**
 * @param {Flag} flag
 * @param {string[]} names
 * @returns {Partial<FlagFields>}
 */
function pick(flag, names) {
  return Object.fromEntries(
    names.map(name => [name, flag[/** @type {keyof FlagFields} */ (name)]]),
  );
}

/**
 * @param {Step} a
 * @param {Step} b
 */
function sameFields(a, b) {
  return Object.keys(a.after ?? {}).join() === Object.keys(b.after ?? {}).join();
}
