// @ts-check
import { recall, remember } from '../dom.js';

/**
 * What this browser keeps of a slide's flags between visits: changes the server did not take yet,
 * and the steps that can be undone.
 *
 * @typedef {object} Remembered
 * @property {import('./types.d.ts').Operation[]} queue changes on their way
 * @property {import('./types.d.ts').Flag[]} local the flags they are about, as they look then
 * @property {Record<string, number>} known the versions they were made for
 * @property {import('./types.d.ts').Step[]} undo
 * @property {import('./types.d.ts').Step[]} redo
 */

const MOST_STEPS = 100;
/** Browsers give a site about 5 MB; what waits for the server goes before what can be undone. */
const MOST_CHARACTERS = 1_500_000;

/**
 * @param {string} slideId
 * @returns {Remembered}
 */
export function recallFlags(slideId) {
  const none = { queue: [], local: [], known: {}, undo: [], redo: [] };
  try {
    return { ...none, ...JSON.parse(recall(key(slideId)) ?? '{}') };
  } catch {
    return none;
  }
}

/**
 * @param {string} slideId
 * @param {Remembered} all
 */
export function rememberFlags(slideId, all) {
  let undo = all.undo.slice(-MOST_STEPS);
  let redo = all.redo.slice(-MOST_STEPS);
  let text = JSON.stringify({ ...all, undo, redo });
  while (text.length > MOST_CHARACTERS && undo.length + redo.length > 0) {
    undo = undo.slice(Math.ceil(undo.length / 2));
    redo = redo.slice(Math.ceil(redo.length / 2));
    text = JSON.stringify({ ...all, undo, redo });
  }
  remember(key(slideId), text);
}

/** @param {string} slideId */
function key(slideId) {
  return `flags.${slideId}`;
}
