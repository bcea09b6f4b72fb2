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
const LET_GO_MS = 500;

/** Whether this page may use what is kept: one page of a slide does at a time. */
let mine = true;

/**
 * Claim what is kept of a slide, as long as this page is open. A second tab, or the second pane of a
 * comparison, would write over what the first one has not sent yet; it keeps nothing instead.
 * @param {string} slideId
 */
export async function claimFlags(slideId) {
  if (!navigator.locks) return; // a page without TLS from another machine: tabs share as they may
  // A page that is being reloaded lets go of its claim a moment after the new one asks.
  const signal = AbortSignal.timeout(LET_GO_MS);
  mine = await new Promise(resolve => {
    const hold = () => {
      resolve(true);
      return new Promise(() => {}); // held until the page is closed
    };
    navigator.locks.request(key(slideId), { signal }, hold).catch(() => resolve(false));
  });
}

/**
 * @param {string} slideId
 * @returns {Remembered}
 */
export function recallFlags(slideId) {
  const none = { queue: [], local: [], known: {}, undo: [], redo: [] };
  if (!mine) return none;
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
  if (!mine) return;
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
