// @ts-check
import { api } from './api.js';
import { bySuspicion } from './worklist-order.js';

/** The slides before and after the one on screen, in the order the worklist was left in. */

const KEY = 'sentinode.worklist';

/** @param {string[]} ids */
export function keepOrder(ids) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(ids));
  } catch {
    // storage is switched off: the viewer asks the server for the usual order
  }
}

/** @returns {string[]} */
function keptOrder() {
  try {
    const ids = JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
    return Array.isArray(ids) ? ids.map(String) : [];
  } catch {
    return [];
  }
}

/**
 * The id of the slide `direction` places further, or null at the end of the list.
 * @param {string} id
 * @param {1 | -1} direction
 */
export async function neighbour(id, direction) {
  let ids = keptOrder();
  if (!ids.includes(id)) {
    const { items } = await api.slides();
    ids = items.sort(bySuspicion).map(slide => slide.id);
  }
  return ids[ids.indexOf(id) + direction] ?? null;
}
