// @ts-check
/**
 * The element with this id; the templates hold every one that is asked for.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!element || (kind && !(element instanceof kind))) throw new Error(`#${id} is missing.`);
  return /** @type {T} */ (element);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{class?: string, text?: string, title?: string}} [properties]
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, children = []) {
  const element = document.createElement(tag);
  if (properties.class) element.className = properties.class;
  if (properties.text !== undefined) element.textContent = properties.text;
  if (properties.title) element.title = properties.title;
  element.append(...children);
  return element;
}

/**
 * Set a text only where it changed, so that live regions stay quiet.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Show or hide an element. A focus that would be lost with it goes on to what stands for it now.
 * @param {HTMLElement} element
 * @param {boolean} hidden
 * @param {HTMLElement} next
 */
export function hideKeepingFocus(element, hidden, next) {
  const focused = element === document.activeElement;
  element.hidden = hidden;
  if (hidden && focused) next.focus();
}

/**
 * At most one call per `wait_ms`; the last one is never lost.
 * @param {() => void} act
 * @param {number} wait_ms
 */
export function throttle(act, wait_ms) {
  let timer = 0;
  let again = false;
  const run = () => {
    timer = 0;
    if (!again) return;
    again = false;
    act();
    timer = window.setTimeout(run, wait_ms);
  };
  return () => {
    again = true;
    if (!timer) timer = window.setTimeout(run, 0);
  };
}

/** Whether the user asked the system for less motion. */
export function reducedMotion() {
  return window.matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/**
 * What this browser remembers between visits; without storage it simply forgets.
 * @param {string} key
 * @returns {string | null}
 */
export function recall(key) {
  try {
    return localStorage.getItem(`sentinode.${key}`);
  } catch {
    return null; // storage is switched off
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(`sentinode.${key}`, value);
  } catch {
    // storage is switched off or full: the choice lasts as long as the page
  }
}

/** 32 random hex digits; `crypto.randomUUID` is missing on pages without TLS from elsewhere. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');
}
