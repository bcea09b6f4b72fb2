// @ts-check
/** What the worklist shows: the same words in the address of the page and in the interface. */

/** The filters that have a control of their own, by the names of the interface. */
export const FILTERS = ['state', 'verdict', 'analysis', 'warning', 'flagged', 'mine'];
const KNOWN = ['q', 'sort', 'assignee', 'unassigned', 'folder', 'min_score', ...FILTERS];
const DEFAULT_SORT = 'suspicion';

/**
 * The query in an address, without what the interface does not know.
 * @param {string} search
 */
export function readQuery(search) {
  const query = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(search)) {
    if (KNOWN.includes(name) && value) query.set(name, value);
  }
  if (!query.has('sort')) query.set('sort', DEFAULT_SORT);
  return query;
}

/**
 * The same list whatever the order of the words.
 * @param {URLSearchParams} query
 */
export function canonical(query) {
  const sorted = new URLSearchParams(query);
  sorted.sort();
  return String(sorted);
}

/**
 * For the address: what everybody gets anyway is left out.
 * @param {URLSearchParams} query
 */
export function addressOf(query) {
  const shown = new URLSearchParams(query);
  if (shown.get('sort') === DEFAULT_SORT) shown.delete('sort');
  return shown.size ? `?${shown}` : location.pathname;
}

/** @param {URLSearchParams} query */
export function filterCount(query) {
  const others = [...query.keys()].filter(name => !['q', 'sort'].includes(name));
  return others.length;
}
