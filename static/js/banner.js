// @ts-check
import { connection } from './api.js';
import { byId, setText } from './dom.js';
import { TEXTS } from './texts.js';

const BACK_SHOWN_MS = 2500;

/**
 * One line across the page while the server does not answer; it goes away by itself.
 * @param {() => void} [onBack] what to ask for again
 */
export function watchConnection(onBack) {
  const banner = byId('banner');
  connection.addEventListener('lost', () => {
    if (isGone()) return;
    banner.hidden = false;
    banner.classList.remove('is-good');
    setText(byId('banner-text'), TEXTS.connection.lost);
  });
  connection.addEventListener('back', () => {
    if (isGone()) return;
    if (!banner.hidden) {
      banner.classList.add('is-good');
      setText(byId('banner-text'), TEXTS.connection.back);
      window.setTimeout(() => {
        if (banner.classList.contains('is-good')) banner.hidden = true;
      }, BACK_SHOWN_MS);
    }
    onBack?.();
  });
}

function isGone() {
  return 'slideGone' in document.body.dataset;
}

/**
 * The slide's file is not the one that was opened any more. Nothing about it can be asked for or done
 * here: `connection` tells everybody 'gone', and the way back to the worklist is the only one shown.
 */
export function showSlideGone() {
  if (isGone()) return;
  document.body.dataset.slideGone = 'true'; // the style sheet hides what else is offered
  byId('banner').hidden = false;
  byId('banner').classList.remove('is-good');
  setText(byId('banner-text'), TEXTS.connection.changed);
  byId('banner-worklist').hidden = false;
  connection.dispatchEvent(new Event('gone'));
}
