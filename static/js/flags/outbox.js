// @ts-check
import { ApiError, connection, ConnectionLost, json } from '../api.js';

/**
 * @typedef {import('./types.d.ts').Operation} Operation
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {'saved' | 'saving' | 'waiting' | 'nameless' | 'problem'} SaveState
 * @typedef {'theirs' | 'copy' | 'mine'} Decision
 *
 * @typedef {object} Hooks
 * @property {(flag: Flag) => void} stored the server has taken a change; `flag` as it is there
 * @property {(id: string) => void} gone a flag was deleted
 * @property {(operation: Operation, current: Flag) => Promise<Decision>} conflict
 * @property {(operation: Operation, current: Flag) => void} keepCopy
 * @property {() => void} changed something to remember
 */

/**
 * Changes on their way to the server, one after the other. What it does not take stays here, and in
 * the browser's memory, until it does or a person decides otherwise.
 */
export class Outbox extends EventTarget {
  /**
   * @param {string} slideId
   * @param {{queue: Operation[], known: Record<string, number>}} remembered
   * @param {Hooks} hooks
   */
  constructor(slideId, remembered, hooks) {
    super();
    this._slideId = slideId;
    this.queue = remembered.queue;
    /** The version of each flag that the next change of it is made for. */
    this.known = new Map(Object.entries(remembered.known));
    this._hooks = hooks;
    /** @type {Operation | null} */
    this._sending = null;
    /** @type {SaveState} */
    this.state = this.queue.length ? 'saving' : 'saved';
    connection.addEventListener('back', () => this.run());
  }

  /** @param {string} id */
  concerns(id) {
    return this.queue.some(operation => operation.id === id);
  }

  /** @param {string} id */
  problemOf(id) {
    return this.queue.find(operation => operation.id === id && operation.problem)?.problem ?? null;
  }

  /**
   * Add a change. One that follows another of the same flag, not sent yet, becomes part of it.
   * @param {Operation} operation
   */
  push(operation) {
    const last = this.queue.findLast(waiting => waiting.id === operation.id);
    const joins = last && last !== this._sending && operation.type === 'change';
    // Not a flag the server may have made already: sent again, it is answered as it was made.
    if (joins && !last.unanswered && (last.type === 'create' || last.type === 'change')) {
      last.fields = { ...last.fields, ...operation.fields };
      delete last.problem;
    } else {
      this.queue.push(operation);
    }
    this.run();
  }

  /** @param {string} id whose changes are given up */
  drop(id) {
    this.queue = this.queue.filter(operation => operation.id !== id || operation === this._sending);
    this.run();
  }

  /** Try what was refused once more. */
  retry() {
    for (const operation of this.queue) delete operation.problem;
    this.run();
  }

  run() {
    this._hooks.changed();
    if (this._sending) return;
    const next = this.queue.find(operation => !operation.problem && !this.problemOf(operation.id));
    if (!next) {
      this._tell(this.queue.length ? 'problem' : 'saved');
      return;
    }
    this._sending = next;
    this._tell('saving');
    void this._send(next);
  }

  /** @param {Operation} operation */
  async _send(operation) {
    try {
      const flag = await this._request(operation);
      this._finish(operation);
      if (flag) {
        this.known.set(flag.id, flag.version);
        this._hooks.stored(flag);
      } else {
        this.known.set(operation.id, (this.known.get(operation.id) ?? 0) + 1);
        this._hooks.gone(operation.id);
      }
      this.run();
    } catch (error) {
      this._sending = null;
      await this._failed(operation, error);
    }
  }

  /**
   * @param {Operation} operation
   * @returns {Promise<Flag | null>}
   */
  async _request(operation) {
    const { type, id, fields } = operation;
    const url = `/api/v1/flags/${id}`;
    const condition = { ifMatch: this.known.get(id) ?? 0 };
    if (type === 'create') {
      const body = { ...fields, id, hotspot: operation.hotspot ?? null, mend: true };
      return json(`/api/v1/slides/${this._slideId}/flags`, 'POST', body);
    }
    if (type === 'change') return json(url, 'PATCH', { ...fields, mend: true }, condition);
    if (type === 'delete') return json(url, 'DELETE', {}, condition);
    const { items } = await json(`${url}/history`);
    const last = items.find((/** @type {{deleted: boolean}} */ version) => !version.deleted);
    return json(`${url}/restore`, 'POST', { version: last.version });
  }

  /** @param {Operation} operation */
  _finish(operation) {
    this.queue = this.queue.filter(waiting => waiting !== operation);
    this._sending = null;
  }

  /**
   * @param {Operation} operation
   * @param {unknown} error
   */
  async _failed(operation, error) {
    if (error instanceof ConnectionLost) {
      if (operation.type === 'create') operation.unanswered = true;
      this._tell('waiting'); // goes on when the server is back
    } else if (error instanceof ApiError && error.status === 412) {
      await this._decide(operation, /** @type {Flag} */ (error.current));
    } else if (error instanceof ApiError && error.code === 'reader_unknown') {
      this._tell('nameless');
    } else if (error instanceof ApiError) {
      delete operation.unanswered; // it was not taken: what follows may mend it
      operation.problem = { reason: error.message, hint: error.hint };
      this.run();
    } else {
      throw error;
    }
  }

  /**
   * @param {Operation} operation
   * @param {Flag} current
   */
  async _decide(operation, current) {
    this._sending = operation; // nothing else is sent meanwhile
    const decision = await this._hooks.conflict(operation, current);
    this._sending = null;
    this.known.set(current.id, current.version);
    if (decision === 'mine') {
      if (current.deleted) this.queue.unshift({ type: 'restore', id: current.id });
    } else {
      // First: making the copy sends what waits, and this must not go with it.
      this.queue = this.queue.filter(waiting => waiting.id !== current.id);
      if (decision === 'copy') this._hooks.keepCopy(operation, current);
      if (current.deleted) this._hooks.gone(current.id);
      else this._hooks.stored(current);
    }
    this.run();
  }

  /** @param {SaveState} state */
  _tell(state) {
    this.state = state;
    this._hooks.changed();
    this.dispatchEvent(new Event('state'));
  }
}
