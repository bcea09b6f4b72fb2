// @ts-check
/** Who reads: asked once, when something is to be signed with a name. */

import { ApiError, json, whenReaderUnknown } from './api.js';
import { byId, make, setText } from './dom.js';
import { TEXTS } from './texts.js';

/** @typedef {{name: string | null, source: string | null, can_change: boolean}} Me */

/** Tells 'change' when the reader becomes another one; `detail` is the name. */
export const readerChanges = new EventTarget();

/** @returns {Promise<Me>} */
export const whoReads = () => json('/api/v1/me');

/** @type {Promise<string> | null} */
let asking = null;

/**
 * Ask for the name in a dialog, and keep it; rejects when the person does not want to tell.
 * @param {string} [present] the name as it is
 * @returns {Promise<string>}
 */
export function askReader(present = '') {
  asking ??= ask(present).finally(() => {
    asking = null;
  });
  return asking;
}

whenReaderUnknown(() => askReader());

/** @param {string} present */
function ask(present) {
  const texts = TEXTS.reader;
  const name = make('input');
  name.id = 'reader-name';
  name.value = present;
  name.maxLength = 100;
  name.autocomplete = 'name';
  const problem = make('p', { class: 'form-problem' });
  problem.setAttribute('role', 'alert');
  const cancel = make('button', { class: 'button', text: texts.cancel });
  cancel.type = 'button';
  const save = make('button', { class: 'button is-primary', text: texts.save });
  const label = make('label', {}, [make('span', { text: texts.name }), name]);
  const buttons = make('p', { class: 'buttons' }, [save, cancel]);
  const form = make('form', { class: 'ask-form' }, [
    make('h2', { text: texts.title }),
    make('p', { class: 'note', text: texts.why }),
    label,
    problem,
    buttons,
  ]);
  form.noValidate = true;
  const dialog = make('dialog', { class: 'ask' }, [form]);
  dialog.setAttribute('aria-label', texts.title);
  document.body.append(dialog);
  return new Promise((resolve, reject) => {
    /** @type {string | null} */
    let kept = null;
    cancel.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (kept === null) reject(new ApiError(401, 'reader_unknown', texts.unknown, texts.why));
      else resolve(kept);
    });
    form.addEventListener('submit', async event => {
      event.preventDefault();
      if (!name.value.trim()) {
        problem.textContent = texts.missing;
        name.setAttribute('aria-invalid', 'true');
        name.focus();
        return;
      }
      try {
        const me = await json('/api/v1/me', 'PUT', { name: name.value.trim() });
        kept = me.name;
        readerChanges.dispatchEvent(new CustomEvent('change', { detail: me.name }));
        dialog.close();
      } catch (error) {
        const hint = error instanceof ApiError ? error.hint : '';
        problem.textContent = `${/** @type {Error} */ (error).message} ${hint}`.trim();
      }
    });
    dialog.showModal();
    name.select();
  });
}

/**
 * The button in the line at the top that tells who reads, and changes it.
 * @returns {Promise<Me>}
 */
export async function showReader() {
  const button = byId('reader', HTMLButtonElement);
  const me = await whoReads();
  const show = (/** @type {string | null} */ name) => {
    setText(button, name ? TEXTS.reader.as(name) : TEXTS.reader.nobody);
    button.dataset.name = name ?? '';
    button.title = me.can_change ? TEXTS.reader.change : TEXTS.reader.fixed;
    button.hidden = false;
  };
  show(me.name);
  button.disabled = !me.can_change;
  readerChanges.addEventListener('change', event => {
    show(/** @type {CustomEvent<string>} */ (event).detail);
  });
  button.addEventListener('click', () => {
    askReader(button.dataset.name).catch(() => {
      // nobody wants to tell: all stays as it was
    });
  });
  return me;
}
