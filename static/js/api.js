// @ts-check
import { TEXTS } from './texts.js';

/**
 * @typedef {import('./types.d.ts').Slide} Slide
 * @typedef {import('./types.d.ts').Analysis} Analysis
 * @typedef {import('./types.d.ts').HeatmapInfo} HeatmapInfo
 * @typedef {import('./types.d.ts').HeatmapChanges} HeatmapChanges
 * @typedef {import('./types.d.ts').SlidePage} SlidePage
 */

const TIMEOUT_MS = 30_000;
const PING_MS = 2000;
/** What a proxy says when Sentinode behind it is gone. */
const GATEWAY_STATUSES = [502, 504];

/** The server refused, and said why. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {string} hint
   * @param {unknown} [current] how the thing is now, where somebody else changed it first (412)
   * @param {{place: string, reason: string}[]} [problems] what is wrong where in a file
   */
  constructor(status, code, message, hint, current, problems) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.current = current;
    this.problems = problems;
  }
}

/** Nobody answered. */
export class ConnectionLost extends Error {}

/**
 * For `.catch`: that nobody answers is told by the banner already; anything else goes on.
 * @param {unknown} error
 */
export function unlessAway(error) {
  if (!(error instanceof ConnectionLost)) throw error;
}

/** Tells 'lost' when the server does not answer any more, and 'back' when it does again. */
export const connection = new EventTarget();
let pinging = 0;

/** Ask until somebody answers. */
export function checkConnection() {
  if (pinging) return;
  const ping = async () => {
    try {
      const answer = await fetch('/healthz', { cache: 'no-store' });
      if (!GATEWAY_STATUSES.includes(answer.status)) {
        window.clearInterval(pinging);
        pinging = 0;
        connection.dispatchEvent(new Event('back'));
        return;
      }
    } catch {
      // still gone: the interval asks again
    }
    connection.dispatchEvent(new Event('lost'));
  };
  pinging = window.setInterval(ping, PING_MS);
  void ping();
}

/**
 * @param {string} url
 * @param {RequestInit} [options]
 */
async function request(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  } catch (error) {
    checkConnection();
    throw new ConnectionLost(TEXTS.connection.lost, { cause: error });
  }
  if (GATEWAY_STATUSES.includes(answer.status)) {
    checkConnection();
    throw new ConnectionLost(TEXTS.connection.lost);
  }
  if (!answer.ok) throw await errorOf(answer);
  return answer;
}

/** @param {Response} answer */
async function errorOf(answer) {
  const body = await answer.json().catch(() => ({}));
  return new ApiError(
    answer.status,
    body.code ?? 'unknown',
    body.detail ?? TEXTS.unknownError,
    body.hint ?? TEXTS.unknownErrorHint,
    body.current,
    body.problems,
  );
}

/** @type {(() => Promise<unknown>) | null} */
let askWho = null;

/**
 * How to ask a person for the name, when a write needs one; the write is tried once more then.
 * @param {() => Promise<unknown>} ask rejects when the person does not want to tell
 */
export function whenReaderUnknown(ask) {
  askWho = ask;
}

/**
 * @param {string} url
 * @param {RequestInit} options
 */
async function write(url, options) {
  try {
    return await request(url, options);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'reader_unknown' || !askWho) throw error;
    await askWho();
    return request(url, options);
  }
}

/**
 * One request of the JSON interface; parts of the page may use it for addresses of their own.
 * @param {string} url
 * @param {'POST' | 'PUT' | 'PATCH' | 'DELETE'} [method]
 * @param {object} [body]
 * @param {{ifMatch?: string | number}} [conditions] `ifMatch`: the `version` that was changed
 */
export async function json(url, method, body, { ifMatch } = {}) {
  if (!method) return (await request(url, { cache: 'no-cache' })).json();
  /** @type {Record<string, string>} */
  const headers = { 'Content-Type': 'application/json' };
  if (ifMatch !== undefined) headers['If-Match'] = `"${ifMatch}"`;
  const answer = await write(url, { method, headers, body: JSON.stringify(body ?? {}) });
  return answer.status === 204 ? null : answer.json();
}

/**
 * Send a file as it is; the answer's JSON.
 * @param {string} url
 * @param {Blob} file
 * @param {number} timeout_ms
 */
export async function send(url, file, timeout_ms) {
  const signal = AbortSignal.timeout(timeout_ms);
  return (await write(url, { method: 'POST', body: file, signal })).json();
}

export const api = {
  /** Every slide, page after page. @returns {Promise<SlidePage>} */
  async slides() {
    /** @type {SlidePage} */
    let page = await json('/api/v1/slides?limit=200');
    const items = [...page.items];
    while (page.next) {
      page = await json(`/api/v1/slides?limit=200&after=${encodeURIComponent(page.next)}`);
      items.push(...page.items);
    }
    return { ...page, items };
  },

  /** @param {string} id @returns {Promise<Slide>} */
  slide: id => json(`/api/v1/slides/${id}`),

  /**
   * @param {string} id
   * @param {{mpp_x: number, mpp_y: number, set_by: string}} resolution
   * @returns {Promise<Slide>}
   */
  setResolution: (id, resolution) => json(`/api/v1/slides/${id}/resolution`, 'PUT', resolution),

  /** @param {string} slideId @returns {Promise<Analysis>} */
  analyse: slideId => json(`/api/v1/slides/${slideId}/analyses`, 'POST'),

  /** @param {string} id @returns {Promise<Analysis>} */
  analysis: id => json(`/api/v1/analyses/${id}`),

  /** @param {string} id @returns {Promise<Analysis>} */
  cancel: id => json(`/api/v1/analyses/${id}/cancel`, 'POST'),

  /** @param {string} id @param {{x: number, y: number}} pointL0 */
  focus: (id, pointL0) =>
    json(`/api/v1/analyses/${id}/focus`, 'POST', {
      x_l0_px: Math.round(pointL0.x),
      y_l0_px: Math.round(pointL0.y),
    }),

  /** @param {string} id @returns {Promise<HeatmapInfo>} */
  heatmap: id => json(`/api/v1/analyses/${id}/heatmap`),

  /** @param {string} id @param {string} since @returns {Promise<HeatmapChanges>} */
  changes: (id, since) =>
    json(`/api/v1/analyses/${id}/heatmap/changes?since=${encodeURIComponent(since)}`),

  /** @returns {Promise<{worker: {alive: boolean}}>} */
  health: async () => (await fetch('/healthz', { cache: 'no-store' })).json(),

  /** @param {string} url */
  text: async url => (await request(url)).text(),

  /** @param {string} url */
  bytes: async url => (await request(url)).arrayBuffer(),
};
