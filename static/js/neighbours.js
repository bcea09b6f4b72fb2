// @ts-check
import { json } from './api.js';

/** The slides before and after the one on screen, in the list that was left. */

const KEY = 'sentinode.worklist';
/** The order of a worklist that nobody changed. */
export const USUAL_QUERY = 'sort=suspicion';

/**
 * @typedef {object} Neighbours
 * @property {string | null} previous
 * @property {string | null} next
 * @property {number | null} position from 1 on; null: the slide is not in the list (any more)
 * @property {number} total
 */

/** @param {string} query of the worklist, as its address has it */
export function keepQuery(query) {
  try {
    sessionStorage.setItem(KEY, query);
  } catch {
    // storage is switched off: the viewer walks through the usual list
  }
}

/** @returns {string} */
export function keptQuery() {
  try {
    return sessionStorage.getItem(KEY) ?? USUAL_QUERY;
  } catch {
    return USUAL_QUERY;
  }
}

/**
 * @param {string} id
 * @returns {Promise<Neighbours>}
 */
export function neighbours(id) {
  return json(`/api/v1/slides/${id}/neighbours?${keptQuery()}`);
}
