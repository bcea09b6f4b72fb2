// @ts-check
import { byId, make, setText } from '../dom.js';
import { TEXTS } from '../texts.js';

/** @typedef {import('../types.d.ts').Analysis} Analysis */

/**
 * What speaks against taking a result at its word: in the panel, and beside the legend.
 * @param {Analysis} analysis
 */
export function showCautions({ state, warnings }) {
  const shown = state === 'done' ? warnings : [];
  const list = byId('analysis-cautions');
  const key = JSON.stringify(shown);
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  list.replaceChildren(
    ...shown.map(({ text, hint }) =>
      make('li', {}, [
        make('span', { class: 'caution-text', text }),
        make('span', { class: 'caution-hint', text: hint ?? '' }),
      ]),
    ),
  );
  list.hidden = !shown.length;
  const names = /** @type {Record<string, string>} */ (TEXTS.cautions.names);
  const short = shown.map(({ code, text }) => names[code] ?? text);
  byId('heat-cautions').hidden = !short.length;
  setText(byId('heat-cautions'), short.length ? TEXTS.cautions.legend(short) : '');
}
