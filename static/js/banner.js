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
    banner.hidden = false;
    banner.classList.remove('is-good');
    setText(byId('banner-text'), TEXTS.connection.lost);
  });
  connection.addEventListener('back', () => {
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

/** The slide's file is not the one that was opened any more: only a reload helps. */
export function showSlideChanged() {
  byId('banner').hidden = false;
  byId('banner').classList.remove('is-good');
  setText(byId('banner-text'), TEXTS.connection.changed);
  byId('banner-reload').hidden = false;
  byId('banner-reload').addEventListener('click', () => location.reload());
}
