// @ts-check
import { ApiError, json, unlessAway } from '../api.js';
import { byId, make, newId, recall, remember, setText } from '../dom.js';
import { moment } from '../format.js';
import { askReader, readerChanges, whoReads } from '../reader.js';
import { TEXTS } from '../texts.js';
import { Presence } from './presence.js';

/**
 * @typedef {import('../types.d.ts').Reading} Reading
 * @typedef {import('../types.d.ts').Verdict} Verdict
 *
 * @typedef {object} Surroundings what the panel asks the page
 * @property {() => {shown: boolean, threshold: number | null, analysisId: string | null}} overlay
 * @property {(text: string) => void} announce
 * @property {() => void} goOn to the next slide of the worklist
 */

const VALUES = /** @type {(keyof typeof TEXTS.reading.verdicts)[]} */ (
  Object.keys(TEXTS.reading.verdicts)
);

/** The part of the side panel that tells how far the reading is, and takes verdicts. */
export class ReadingPanel {
  /**
   * @param {string} slideId
   * @param {Reading} reading
   * @param {Surroundings} surroundings
   */
  constructor(slideId, reading, surroundings) {
    this._url = `/api/v1/slides/${slideId}`;
    this._reading = reading;
    this._surroundings = surroundings;
    this._giving = false;
    /** Counts what was asked: the answer to the last question tells how it is now. */
    this._turn = 0;
    byId('report', HTMLAnchorElement).href = `/slides/${slideId}/report`;
    this._verdictId = '';
    this._dialog = byId('verdict', HTMLDialogElement);
    this._prepareDialog();
    byId('verdict-open').addEventListener('click', () => this.ask());
    byId('assign-me').addEventListener('click', () => this._do(name => this._assignToMe(name)));
    byId('second-opinion').addEventListener('click', () => this._do(() => this._turnOpinion()));
    byId('verdict-history').addEventListener('toggle', () => void this._showHistory());
    this._presence = new Presence(slideId, names => this._showOthers(names));
    readerChanges.addEventListener('change', () => {
      if (this._reading.locked)
        location.reload(); // another reader may have read it already
      else this._begun = this._begin().catch(unlessTold);
    });
    this._show();
    /** The reader's own coming is a change of the reading: what they do then follows it. */
    this._begun = this._begin().catch(unlessTold);
  }

  /** Let the reader choose. */
  ask() {
    this._verdictId = newId(); // sent again after a lost answer, it stays one verdict
    setText(byId('verdict-problem'), '');
    byId('verdict-form', HTMLFormElement).reset();
    byId('verdict-next', HTMLInputElement).checked = recall('verdict-next') === 'on';
    this._dialog.showModal();
    byId('verdict-choices').querySelector('input')?.focus();
  }

  async _begin() {
    if ((await whoReads()).name === null) return; // nobody is asked before there is a reason
    await this._presence.begin();
    await this._fetch();
  }

  async _fetch() {
    await this._take(json(`${this._url}/reading`));
  }

  /** @param {Promise<Reading>} answer */
  async _take(answer) {
    const turn = (this._turn += 1);
    const reading = await answer;
    if (turn !== this._turn) return; // a newer answer was quicker, or is to come
    this._reading = reading;
    this._show();
  }

  /** @param {(name: string) => Promise<void>} act */
  async _do(act) {
    setText(byId('reading-problem'), '');
    try {
      const name = (await whoReads()).name ?? (await askReader());
      await this._begun;
      await act(name);
    } catch (error) {
      if (!(error instanceof ApiError)) return; // the banner tells that nobody answers
      if (error.status === 412) await this._fetch();
      const text = error.status === 412 ? TEXTS.reading.stale : `${error.message} ${error.hint}`;
      setText(byId('reading-problem'), text);
    }
  }

  /** @param {string} name */
  async _assignToMe(name) {
    const mine = this._reading.assignee === name;
    await this._patch({ assignee: mine ? null : name });
  }

  async _turnOpinion() {
    const wanted = this._reading.state === 'second_opinion';
    const without = this._reading.verdicts ? 'reviewed' : 'in_review';
    await this._patch({ state: wanted ? without : 'second_opinion' });
  }

  /** @param {object} change */
  async _patch(change) {
    const ifMatch = this._reading.version;
    await this._take(json(`${this._url}/reading`, 'PATCH', change, { ifMatch }));
  }

  _prepareDialog() {
    const choices = VALUES.map((value, n) => choice(value, n + 1));
    byId('verdict-choices').append(...choices);
    const form = byId('verdict-form', HTMLFormElement);
    byId('verdict-cancel').addEventListener('click', () => this._dialog.close());
    this._dialog.addEventListener('keydown', event => {
      const number = Number(event.key);
      if (event.target instanceof HTMLTextAreaElement || !(number >= 1 && number <= VALUES.length))
        return;
      event.preventDefault();
      const input = byId('verdict-choices').querySelectorAll('input')[number - 1];
      input.checked = true;
      this._verdictId = newId();
      input.focus();
    });
    byId('verdict-comment').addEventListener('keydown', event => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    form.addEventListener('input', () => {
      this._verdictId = newId(); // what is said differently is another verdict
    });
    form.addEventListener('submit', event => {
      event.preventDefault();
      void this._give(String(new FormData(form).get('verdict') ?? ''));
    });
  }

  /** @param {string} value */
  async _give(value) {
    const problem = byId('verdict-problem');
    if (!value) {
      setText(problem, TEXTS.reading.choose);
      return;
    }
    // Enter held down would give two: a blind one, and another as if the heat map had been seen.
    if (this._giving) return;
    this._giving = true;
    try {
      await this._send(value, problem);
    } finally {
      this._giving = false;
    }
  }

  /**
   * @param {string} value
   * @param {HTMLElement} problem
   */
  async _send(value, problem) {
    const { shown, threshold, analysisId } = this._surroundings.overlay();
    const comment = byId('verdict-comment', HTMLTextAreaElement).value.trim();
    const goOn = byId('verdict-next', HTMLInputElement).checked;
    const wasLocked = this._reading.locked;
    try {
      await json(`${this._url}/verdicts`, 'POST', {
        id: this._verdictId,
        value,
        overlay_on: shown,
        comment: comment || null,
        threshold,
        analysis_id: analysisId,
      });
    } catch (error) {
      const hint = error instanceof ApiError ? error.hint : '';
      setText(problem, `${/** @type {Error} */ (error).message} ${hint}`.trim());
      return;
    }
    remember('verdict-next', goOn ? 'on' : 'off');
    this._dialog.close();
    this._surroundings.announce(TEXTS.reading.kept(value));
    if (wasLocked) location.reload();
    else if (goOn) this._surroundings.goOn();
    else await this._fetch();
  }

  _show() {
    const reading = this._reading;
    const texts = TEXTS.reading;
    const chip = byId('reading-chip');
    chip.hidden = false;
    chip.dataset.reading = reading.state;
    setText(chip, texts.states[reading.state]);
    byId('reading-locked').hidden = !reading.locked;
    const { verdict } = reading;
    byId('reading-verdict').hidden = !verdict;
    byId('reading-comment').hidden = !verdict?.comment;
    setText(byId('reading-verdict'), verdict ? texts.verdictBy(verdict.value, verdict.reader) : '');
    setText(byId('reading-comment'), verdict?.comment ?? '');
    setText(byId('verdict-open'), reading.verdicts ? texts.giveAnother : texts.give);
    setText(byId('reading-assignee'), `${texts.assignee}: ${reading.assignee ?? texts.nobody}`);
    const wanted = reading.state === 'second_opinion';
    setText(byId('second-opinion'), wanted ? texts.secondOpinionEnd : texts.secondOpinion);
    byId('verdict-history').hidden = reading.verdicts === 0;
    setText(byId('verdict-count'), texts.history(reading.verdicts));
    if (byId('verdict-history', HTMLDetailsElement).open) void this._showHistory();
  }

  /** @param {string[]} names */
  _showOthers(names) {
    byId('reading-others').hidden = names.length === 0;
    setText(byId('reading-others'), names.length ? TEXTS.reading.others(names) : '');
  }

  async _showHistory() {
    if (!byId('verdict-history', HTMLDetailsElement).open) return;
    const { items } = await json(`${this._url}/verdicts`);
    byId('verdict-list').replaceChildren(...items.reverse().map(line));
  }
}

/**
 * For `.catch`: the banner tells that nobody answers, or that the slide is gone.
 * @param {unknown} error
 */
function unlessTold(error) {
  if (!(error instanceof ApiError)) unlessAway(error);
}

/**
 * @param {keyof typeof TEXTS.reading.verdicts} value
 * @param {number} key
 */
function choice(value, key) {
  const input = make('input');
  input.type = 'radio';
  input.name = 'verdict';
  input.value = value;
  return make('label', { class: 'verdict-choice' }, [
    input,
    make('kbd', { text: String(key) }),
    make('span', { text: TEXTS.reading.verdicts[value] }),
  ]);
}

/** @param {Verdict} verdict */
function line({ value, reader, given_at, phase, overlay_on, comment }) {
  const texts = TEXTS.reading;
  const seen = phase === 'blind' ? texts.blind : overlay_on ? texts.withHeat : texts.withoutHeat;
  return make('li', {}, [
    make('span', {
      class: 'verdict-value',
      text: /** @type {Record<string, string>} */ (texts.verdicts)[value],
    }),
    make('span', { class: 'note', text: texts.verdictAt(reader, moment(given_at)) }),
    make('span', { class: 'note', text: seen }),
    ...(comment ? [make('span', { text: comment })] : []),
  ]);
}
