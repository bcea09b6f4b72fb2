// @ts-check
import { ApiError, json } from '../api.js';
import { byId, setText } from '../dom.js';
import { readerChanges } from '../reader.js';
import { TEXTS } from '../texts.js';
import { goToL0 } from '../viewer-map.js';

/**
 * The sweep: the tissue of the slide field by field, kept on the server for each reader.
 *
 * @typedef {import('./types.d.ts').Sweep} Fields
 * @typedef {import('./types.d.ts').Surroundings} Surroundings
 */

/** A window that is smaller than the fields by more than this does not show them whole. */
const TOO_SMALL = 0.98;

export class Sweep {
  /**
   * @param {Surroundings} page
   * @param {() => number} power the magnification to sweep at
   * @param {() => void} onChange
   */
  constructor(page, power, onChange) {
    this._page = page;
    this._power = power;
    this._onChange = onChange;
    this._url = `/api/v1/slides/${page.slide.id}/sweep`;
    /** @type {Fields | null} */
    this.fields = null;
    /** @type {Set<number>} */
    this._seen = new Set();
    this._problem = '';
    this._queue = Promise.resolve();
    /** Steps that the server does not have yet. */
    this._unsent = 0;
    /** Whether an earlier sweep would be known. */
    this._isKnown = false;
    /** What is asked or begun, and who waits for it. @type {Promise<void>} */
    this._underWay = Promise.resolve();
    this._waiting = 0;
    byId('sweep-start').addEventListener('click', () => void this.step(1));
    byId('sweep-again').addEventListener('click', () => void this.start());
    byId('sweep-end').addEventListener('click', () => void this.end());
    byId('sweep-next').addEventListener('click', () => void this.step(1));
    byId('sweep-previous').addEventListener('click', () => void this.step(-1));
    readerChanges.addEventListener('change', () => void this.fetch());
    page.map.on('resize', () => this._show());
    void this.fetch();
  }

  get count() {
    return this.fields?.centres_l0_px.length ?? 0;
  }

  get seen() {
    return this._seen.size;
  }

  /** What the reader is to be told, also where the panel is closed. */
  get status() {
    const { fields } = this;
    if (!fields) return '';
    const at = Math.min(fields.position, this.count - 1) + 1;
    return this.seen >= this.count
      ? TEXTS.sweep.through(this.count)
      : TEXTS.sweep.status(at, this.count, this.seen);
  }

  fetch() {
    return this._inTurn(() => this._fetch());
  }

  start() {
    return this._inTurn(() => this._start());
  }

  end() {
    return this._inTurn(() => this._end());
  }

  /**
   * Once all that was asked before is answered: an answer must not undo what came after it.
   * @param {() => Promise<void>} act
   */
  _inTurn(act) {
    this._waiting += 1;
    this._underWay = this._underWay.then(act).finally(() => {
      this._waiting -= 1;
    });
    return this._underWay;
  }

  async _fetch() {
    try {
      this._take((await json(this._url)).sweep);
    } catch (error) {
      this._tell(error);
    }
  }

  async _start() {
    const { map, scale } = this._page;
    const power = Math.min(this._power(), scale.native);
    const px = 2 ** scale.zoomOf(power);
    const size = map.getSize();
    try {
      const answer = await json(this._url, 'PUT', {
        magnification: power,
        field_width_l0_px: size.x / px,
        field_height_l0_px: size.y / px,
      });
      this._take(answer.sweep);
      await this._go(0);
    } catch (error) {
      this._tell(error);
    }
  }

  async _end() {
    try {
      await json(this._url, 'DELETE');
      this._take(null);
      byId('sweep-start').focus();
    } catch (error) {
      this._tell(error);
    }
  }

  /** @param {1 | -1} direction */
  step(direction) {
    const step = () => this._step(direction);
    return this._waiting || !this.fields ? this._inTurn(step) : step();
  }

  /** @param {1 | -1} direction */
  async _step(direction) {
    if (!this._isKnown) await this._fetch(); // a new sweep takes the place of an earlier one
    if (!this.fields) {
      if (direction > 0 && this._isKnown) await this._start();
      return;
    }
    const here = this.fields.position;
    const there = this._seen.has(here) ? here + direction : here; // after a reload: back to the field
    if (there >= this.count) return this._page.announce(this._atTheEnd());
    if (there >= 0) await this._go(there);
  }

  _atTheEnd() {
    const missing = this.count - this.seen;
    return missing ? TEXTS.sweep.missing(missing) : TEXTS.sweep.through(this.count);
  }

  /** @param {number} position */
  async _go(position) {
    const fields = this.fields;
    if (!fields) return;
    fields.position = position;
    this._show();
    const [x, y] = fields.centres_l0_px[position];
    const arrived = await goToL0(x, y, fields.magnification);
    if (this.fields !== fields) return;
    if (arrived) this._seen.add(position);
    this._send({ position: fields.position, seen: arrived ? position : null });
    this._show();
  }

  /** @param {object} step */
  _send(step) {
    this._unsent += 1;
    this._queue = this._queue.then(async () => {
      try {
        await json(this._url, 'PATCH', step);
      } catch (error) {
        this._tell(error);
      }
      this._unsent -= 1;
      this._show();
    });
  }

  /** @param {Fields | null} sweep */
  _take(sweep) {
    this._isKnown = true;
    this.fields = sweep;
    this._seen = new Set(sweep?.seen ?? []);
    this._problem = '';
    this._show();
  }

  /** @param {unknown} error */
  _tell(error) {
    if (!(error instanceof ApiError)) return; // the banner tells that nobody answers
    this._problem = `${error.message} ${error.hint}`;
    this._show();
  }

  _show() {
    const { fields } = this;
    byId('sweep-idle').hidden = fields !== null;
    byId('sweep-running').hidden = fields === null;
    setText(byId('sweep-problem'), this._problem);
    if (fields) {
      const bar = byId('sweep-bar', HTMLProgressElement);
      bar.max = this.count;
      bar.value = this.seen;
      setText(byId('sweep-status'), this.status);
      byId('sweep-status').dataset.state = this._unsent ? 'saving' : 'saved';
      setText(byId('sweep-power'), TEXTS.sweep.at(fields.magnification));
      byId('sweep-small').hidden = !this._isWindowSmaller(fields);
    }
    this._onChange();
  }

  /** @param {Fields} fields */
  _isWindowSmaller(fields) {
    const { map, scale } = this._page;
    const px = 2 ** scale.zoomOf(fields.magnification);
    const size = map.getSize();
    return (
      size.x < fields.field_width_l0_px * px * TOO_SMALL ||
      size.y < fields.field_height_l0_px * px * TOO_SMALL
    );
  }
}
