// @ts-check
import { make } from '../dom.js';
import { moment } from '../format.js';
import { TEXTS } from '../texts.js';

/**
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').Operation} Operation
 * @typedef {import('./outbox.js').Decision} Decision
 */

/**
 * Somebody else changed a flag first: show both, and ask what is to become of one's own change.
 * Closing the dialog loses nothing: one's own is kept as a copy.
 * @param {Operation} operation
 * @param {Flag | null} mine
 * @param {Flag} theirs
 * @returns {Promise<Decision>}
 */
export function askAboutConflict(operation, mine, theirs) {
  const texts = TEXTS.flags.conflict;
  const deleting = operation.type === 'delete';
  /** @type {Decision} */
  let decision = deleting ? 'theirs' : 'copy';
  const dialog = make('dialog', { class: 'ask flag-conflict' });
  const choose = (/** @type {Decision} */ wanted, /** @type {string} */ text, primary = false) => {
    const button = make('button', { class: primary ? 'button is-primary' : 'button', text });
    button.type = 'button';
    button.dataset.decision = wanted;
    button.addEventListener('click', () => {
      decision = wanted;
      dialog.close();
    });
    return button;
  };
  const who = theirs.changed_by ?? '';
  const when = theirs.changed_at ? moment(theirs.changed_at) : '';
  const what = theirs.deleted ? texts.deleted(who, when) : texts.changed(who, when);
  const buttons = deleting
    ? [choose('theirs', texts.keepTheirs, true), choose('mine', texts.deleteAnyway)]
    : [
        choose('copy', texts.keepBoth, true),
        choose('theirs', texts.theirs),
        choose('mine', theirs.deleted ? texts.bringBack : texts.mine),
      ];
  const title = make('h2', { text: texts.title });
  title.id = 'flag-conflict-title';
  dialog.setAttribute('aria-labelledby', title.id);
  dialog.append(
    title,
    make('p', { text: what }),
    comparison(mine, theirs),
    make('p', { class: 'note', text: texts.history }),
    make('p', { class: 'buttons' }, buttons),
  );
  document.body.append(dialog);
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(decision);
    });
    dialog.showModal();
    buttons[0].focus();
  });
}

/**
 * What differs, side by side.
 * @param {Flag | null} mine
 * @param {Flag} theirs
 */
function comparison(mine, theirs) {
  const texts = TEXTS.flags;
  const head = make('tr', {}, [
    make('th'),
    make('th', { text: texts.conflict.mineTitle }),
    make('th', { text: texts.conflict.theirsTitle }),
  ]);
  /** @type {[string, (flag: Flag) => string][]} */
  const rows = [
    [texts.label, flag => flag.label ?? texts.noLabel],
    [texts.stateTitle, flag => texts.states[flag.state]],
    [texts.reason, flag => flag.reason || '–'],
    [texts.assignee, flag => flag.assignee ?? '–'],
  ];
  const body = rows.map(([name, of]) => row(name, mine ? of(mine) : '–', of(theirs)));
  const same = !!mine && JSON.stringify(mine.geometry) === JSON.stringify(theirs.geometry);
  const shape = same ? texts.conflict.sameShape : texts.conflict.otherShape;
  body.push(row(texts.conflict.shape, same ? shape : texts.conflict.asDrawn, shape));
  return make('table', { class: 'flag-versions' }, [
    make('thead', {}, [head]),
    make('tbody', {}, body),
  ]);
}

/**
 * @param {string} name
 * @param {string} mine
 * @param {string} theirs
 */
function row(name, mine, theirs) {
  const cells = [make('td', { text: mine }), make('td', { text: theirs })];
  const line = make('tr', {}, [make('th', { text: name }), ...cells]);
  line.classList.toggle('differs', mine !== theirs);
  return line;
}
