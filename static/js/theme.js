// @ts-check
// Light or dark chrome. A plain script, run before the page is drawn: nothing flashes in the other
// colours. Until somebody chooses, the system's choice holds.
(() => {
  const KEY = 'sentinode.theme';
  const root = document.documentElement;
  const system = window.matchMedia('(prefers-color-scheme: light)');

  function chosen() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is switched off
    }
  }

  function show(theme = chosen() ?? (system.matches ? 'light' : 'dark')) {
    root.dataset.theme = theme === 'light' ? 'light' : 'dark';
    for (const button of document.querySelectorAll('[data-theme-switch]')) {
      button.setAttribute('aria-pressed', String(root.dataset.theme === 'dark'));
    }
  }

  show();
  system.addEventListener('change', () => show());
  window.addEventListener('storage', event => {
    if (event.key === KEY) show(); // chosen in another window
  });
  document.addEventListener('DOMContentLoaded', () => show());
  document.addEventListener('click', event => {
    if (!(event.target instanceof Element) || !event.target.closest('[data-theme-switch]')) return;
    const theme = root.dataset.theme === 'light' ? 'dark' : 'light';
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // storage is switched off or full: the choice lasts as long as the page
    }
    show(theme);
  });
})();
