// @ts-check
import { byId, make, recall, remember } from './dom.js';
import { MAGNIFICATIONS } from './scale.js';
import { TEXTS } from './texts.js';

/**
 * The one table of keys: the '?' sheet is made from it, docs/using.md is tested against it.
 *
 * @typedef {'move' | 'zoom' | 'heat' | 'tour' | 'reading' | 'flags' | 'slides' | 'page'} Group
 * @typedef {{action: string, keys: string[], group: Group, label: string}} Binding
 */

const { keys: LABELS } = TEXTS.help;

/** @type {Binding[]} */
export const KEYMAP = [
  { action: 'panLeft', keys: ['ArrowLeft'], group: 'move', label: LABELS.panLeft },
  { action: 'panRight', keys: ['ArrowRight'], group: 'move', label: LABELS.panRight },
  { action: 'panUp', keys: ['ArrowUp'], group: 'move', label: LABELS.panUp },
  { action: 'panDown', keys: ['ArrowDown'], group: 'move', label: LABELS.panDown },
  { action: 'panUpFar', keys: ['Shift+ArrowUp'], group: 'move', label: LABELS.panUpFar },
  { action: 'panDownFar', keys: ['Shift+ArrowDown'], group: 'move', label: LABELS.panDownFar },
  { action: 'zoomIn', keys: ['+', '='], group: 'zoom', label: LABELS.zoomIn },
  { action: 'zoomOut', keys: ['-', '_'], group: 'zoom', label: LABELS.zoomOut },
  { action: 'fit', keys: ['0'], group: 'zoom', label: LABELS.fit },
  ...MAGNIFICATIONS.map((step, index) => ({
    action: `step${index}`,
    keys: [String(index + 1)],
    group: /** @type {Group} */ ('zoom'),
    label: LABELS.magnification(step),
  })),
  { action: 'toggleHeat', keys: ['h'], group: 'heat', label: LABELS.toggleHeat },
  { action: 'thresholdDown', keys: ['['], group: 'heat', label: LABELS.thresholdDown },
  { action: 'thresholdUp', keys: [']'], group: 'heat', label: LABELS.thresholdUp },
  { action: 'nextSpot', keys: ['n'], group: 'tour', label: LABELS.nextSpot },
  { action: 'previousSpot', keys: ['Shift+N'], group: 'tour', label: LABELS.previousSpot },
  { action: 'agree', keys: ['j'], group: 'tour', label: LABELS.agree },
  { action: 'disagree', keys: ['k'], group: 'tour', label: LABELS.disagree },
  { action: 'flagHere', keys: ['f'], group: 'tour', label: LABELS.flagHere },
  { action: 'toggleMarks', keys: ['Shift+H'], group: 'tour', label: LABELS.toggleMarks },
  { action: 'verdict', keys: ['v'], group: 'reading', label: LABELS.verdict },
  { action: 'toggleFlags', keys: ['a'], group: 'flags', label: LABELS.toggleFlags },
  { action: 'flag-point', keys: ['o'], group: 'flags', label: LABELS.flagPoint },
  { action: 'flag-box', keys: ['r'], group: 'flags', label: LABELS.flagBox },
  { action: 'flag-polygon', keys: ['p'], group: 'flags', label: LABELS.flagPolygon },
  { action: 'flag-freehand', keys: ['d'], group: 'flags', label: LABELS.flagFreehand },
  { action: 'flag-ruler', keys: ['m'], group: 'flags', label: LABELS.flagRuler },
  { action: 'flagCut', keys: ['c'], group: 'flags', label: LABELS.flagCut },
  // These are told here and done in flags/index.js, while a flag is drawn or selected.
  { action: 'flagPlace', keys: [' '], group: 'flags', label: LABELS.flagPlace },
  { action: 'flagFinish', keys: ['Enter'], group: 'flags', label: LABELS.flagFinish },
  { action: 'flagVertex', keys: ['.', ','], group: 'flags', label: LABELS.flagVertex },
  { action: 'flagMove', keys: ['Ctrl+ArrowRight'], group: 'flags', label: LABELS.flagMove },
  { action: 'flagDelete', keys: ['Delete'], group: 'flags', label: LABELS.flagDelete },
  { action: 'flagUndo', keys: ['Ctrl+Z'], group: 'flags', label: LABELS.flagUndo },
  { action: 'flagRedo', keys: ['Ctrl+Y'], group: 'flags', label: LABELS.flagRedo },
  { action: 'compare', keys: ['Shift+C'], group: 'slides', label: LABELS.compare },
  { action: 'nextSlide', keys: ['Shift+ArrowRight'], group: 'slides', label: LABELS.nextSlide },
  {
    action: 'previousSlide',
    keys: ['Shift+ArrowLeft'],
    group: 'slides',
    label: LABELS.previousSlide,
  },
  { action: 'back', keys: ['Escape'], group: 'slides', label: LABELS.back },
  { action: 'fullScreen', keys: ['Shift+F'], group: 'page', label: LABELS.fullScreen },
  { action: 'panel', keys: ['Shift+P'], group: 'page', label: LABELS.panel },
  { action: 'help', keys: ['?'], group: 'page', label: LABELS.help },
];

const KEY_NAMES = /** @type {Record<string, string>} */ ({
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
  Delete: 'Del',
  Enter: 'Enter',
  ' ': 'Space',
  Ctrl: 'Ctrl',
  '-': '−',
});

/** @param {string} key */
export function keyName(key) {
  const parts = key === '+' ? [key] : key.split('+');
  return parts
    .map(part => KEY_NAMES[part] ?? part.toUpperCase().replace('SHIFT', 'Shift'))
    .join(' + ');
}

/** @param {KeyboardEvent} event */
function keyOf(event) {
  const named = event.key.length > 1; // arrows, Escape
  const letter = /^[a-z]$/i.test(event.key);
  const shift = event.shiftKey && (named || letter) ? 'Shift+' : '';
  return shift + (letter ? (shift ? event.key.toUpperCase() : event.key.toLowerCase()) : event.key);
}

/**
 * Whether the element under the focus needs this key itself.
 * @param {KeyboardEvent} event
 */
export function isTaken(event) {
  const target = event.target;
  if (target instanceof HTMLElement && target.isContentEditable) return true;
  if (target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement) return true;
  if (!(target instanceof HTMLInputElement)) return false;
  if (target.type === 'range') return event.key.startsWith('Arrow');
  return target.type !== 'checkbox';
}

/**
 * @typedef {{press: (event: Event) => void, release?: (event: Event) => void}} Action
 * @param {Record<string, Action>} actions
 */
export function listenToKeys(actions) {
  const bindings = new Map(KEYMAP.flatMap(({ keys, action }) => keys.map(key => [key, action])));
  /** Keys that are down, with what letting go of them does. @type {Map<string, Action>} */
  const down = new Map();
  document.addEventListener('keydown', event => {
    if (isTaken(event) || document.querySelector('dialog[open]')) return;
    if ((event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState('AltGraph'))
      return;
    const key = keyOf(event);
    const action = actions[bindings.get(key) ?? ''];
    if (!action || (key.length === 1 && key !== '?' && !singleKeysEnabled())) return;
    event.preventDefault();
    down.set(event.code, action);
    action.press(event);
  });
  document.addEventListener('keyup', event => {
    down.get(event.code)?.release?.(event);
    down.delete(event.code);
  });
}

/** Whether keys without Ctrl and Alt do anything (WCAG 2.1.4). */
export function singleKeysEnabled() {
  return recall('single-keys') !== 'off';
}

/** The sheet that '?' opens: all keys, and a switch for those without Shift (WCAG 2.1.4). */
export class HelpSheet {
  constructor() {
    this._dialog = byId('help', HTMLDialogElement);
    byId('help-close').addEventListener('click', () => this._dialog.close());
    this._dialog.addEventListener('click', event => {
      if (event.target === this._dialog) this._dialog.close(); // a click beside the sheet
    });
    const enabled = byId('help-enabled', HTMLInputElement);
    enabled.checked = singleKeysEnabled();
    enabled.addEventListener('change', () =>
      remember('single-keys', enabled.checked ? 'on' : 'off'),
    );
    const groups = Object.entries(TEXTS.help.groups);
    byId('help-groups').append(...groups.map(([group, title]) => groupOf(group, title)));
  }

  toggle() {
    if (this._dialog.open) this._dialog.close();
    else this._dialog.showModal();
  }
}

/**
 * @param {string} group
 * @param {string} title
 */
function groupOf(group, title) {
  const rows = KEYMAP.filter(binding => binding.group === group).map(({ keys, label }) => {
    const caps = keys.slice(0, 1).map(key => make('kbd', { text: keyName(key) }));
    return make('div', { class: 'help-row' }, [make('dt', {}, caps), make('dd', { text: label })]);
  });
  return make('section', {}, [make('h3', { text: title }), make('dl', {}, rows)]);
}
