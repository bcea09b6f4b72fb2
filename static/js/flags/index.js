// @ts-check
/** Flags on the viewer's page: puts their parts together. */

import { ApiError, ConnectionLost } from '../api.js';
import { byId, recall, remember, setText } from '../dom.js';
import { toL0 } from '../plane.js';
import { isTaken, singleKeysEnabled } from '../shortcuts.js';
import { TEXTS } from '../texts.js';
import { askAboutConflict } from './conflict.js';
import { FlagFiles } from './files.js';
import { FlagForm } from './form.js';
import { fromParts } from './geometry.js';
import { Labels } from './labels.js';
import { FlagLayer } from './layer.js';
import { FlagListPanel } from './list.js';
import { claimFlags } from './memory.js';
import { SketchLayer } from './sketch.js';
import { FlagStore } from './store.js';
import { Tools } from './tools.js';

/**
 * @typedef {import('../types.d.ts').Slide} Slide
 * @typedef {import('./types.d.ts').Flag} Flag
 * @typedef {import('./types.d.ts').FlagKind} FlagKind
 * @typedef {import('./types.d.ts').FlagFields} FlagFields
 *
 * @typedef {object} Page
 * @property {L.Map} map
 * @property {import('../mover.js').Mover} mover
 * @property {Slide} slide
 * @property {{widthPx: number, heightPx: number}} info
 * @property {(text: string) => void} announce
 * @property {(open: boolean) => void} setPanel
 */

const TOOLS = /** @type {FlagKind[]} */ (['point', 'box', 'polygon', 'freehand', 'ruler']);
/** Flags fill this share of the view when one goes to them; points are looked at this closely. */
const FILLS = 0.5;
const POINT_ZOOM = -1;

/** @type {((fields?: Partial<FlagFields>, hotspot?: Flag['hotspot']) => Flag | null) | null} */
let flagAtCenter = null;

/**
 * Flag the centre of the view, as the key F does; null before the flags are there.
 * @param {Partial<FlagFields>} [fields] label, reason, state
 * @param {Flag['hotspot']} [hotspot] the hot spot it is set for
 */
export function flagHere(fields = {}, hotspot = null) {
  return flagAtCenter?.(fields, hotspot) ?? null;
}

/**
 * @param {Page} page
 * @returns {Promise<Record<string, {press: () => void}>>} the actions of keys
 */
export async function startFlags(page) {
  const { map, slide, info, announce } = page;
  preparePanes(map);
  const labels = await loadLabels(announce);
  if (!labels) return {};
  await claimFlags(slide.id);
  const mpp = slide.mpp_x && slide.mpp_y ? { x: slide.mpp_x, y: slide.mpp_y } : null;
  const store = new FlagStore(slide.id, mpp, labels, askAboutConflict);
  const layer = new FlagLayer(store, { width: info.widthPx, height: info.heightPx });
  const sketch = new SketchLayer(labels);
  map.addLayer(layer).addLayer(sketch);
  const zoomTo = zoomer(page);
  const tools = new Tools(map, store, layer, sketch, {
    announce,
    label: lastLabel,
    zoomTo,
    slide_l0_px: { width: info.widthPx, height: info.heightPx },
  });
  const form = new FlagForm(store, tools, label => remember('flag-label', label ?? ''));
  const goTo = (/** @type {Flag} */ flag) => {
    store.select(flag);
    zoomTo(flag.bbox_l0_px);
  };
  const list = new FlagListPanel(store, goTo);
  new FlagFiles(slide.id, () => store.lookAgain());
  flagAtCenter = (fields = {}, hotspot = null) => {
    const { x, y } = toL0(map.getCenter());
    const flag = store.create(
      {
        kind: 'point',
        geometry: fromParts('point', [[[[x, y]]]]),
        label: lastLabel(),
        name: null,
        reason: '',
        state: 'open',
        assignee: null,
        ...fields,
      },
      hotspot,
    );
    store.select(flag);
    announce(TEXTS.flags.made(TEXTS.flags.kinds.point));
    return flag;
  };
  prepareToolbar(tools);
  showSaving(store);
  const undo = async () => {
    const step = await store.undo();
    announce(step ? TEXTS.flags.undone : TEXTS.flags.nothingToUndo);
  };
  const redo = async () => {
    const step = await store.redo();
    announce(step ? TEXTS.flags.redone : TEXTS.flags.nothingToRedo);
  };
  listenToFlagKeys(store, tools, form, { undo, redo, showForm: () => page.setPanel(true) });
  void list.load();
  document.body.dataset.flags = 'ready';
  return {
    ...Object.fromEntries(
      TOOLS.map(kind => [`flag-${kind}`, { press: () => tools.take(kind, { byKeyboard: true }) }]),
    ),
    toggleFlags: {
      press: () => {
        const hidden = document.body.classList.toggle('flags-hidden');
        announce(hidden ? TEXTS.flags.hidden : TEXTS.flags.shown);
      },
    },
    flagCut: { press: () => tools.cut(true) },
  };
}

/** @param {L.Map} map flags lie over the heat map, what is being drawn over all of them */
function preparePanes(map) {
  for (const [name, zIndex] of /** @type {[string, string][]} */ ([
    ['flags', '420'],
    ['sketch', '430'],
  ])) {
    const pane = map.createPane(name);
    pane.style.zIndex = zIndex;
    pane.style.pointerEvents = 'none';
  }
}

/** @param {(text: string) => void} announce */
async function loadLabels(announce) {
  try {
    return await Labels.load();
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof ConnectionLost)) throw error;
    announce(error.message); // the slide is shown all the same
    return null;
  }
}

function lastLabel() {
  return recall('flag-label') || null;
}

/** @param {Page} page */
function zoomer({ map, mover }) {
  return (/** @type {import('./types.d.ts').Bounds} */ [left, top, right, bottom]) => {
    const size = map.getSize();
    const across = Math.max((right - left) / size.x, (bottom - top) / size.y);
    const zoom = across > 0 ? Math.log2(FILLS / across) : POINT_ZOOM;
    const within = Math.min(Math.max(map.getMinZoom(), zoom), 0.5);
    void mover.flyTo((left + right) / 2, (top + bottom) / 2, within);
  };
}

/** @param {Tools} tools */
function prepareToolbar(tools) {
  const buttons = TOOLS.map(kind => {
    const button = byId(`tool-${kind}`, HTMLButtonElement);
    button.addEventListener('click', () => tools.take(kind));
    return { kind, button };
  });
  byId('tool-here').addEventListener('click', () => void flagHere());
  const show = () => {
    for (const { kind, button } of buttons) {
      button.setAttribute('aria-pressed', String(tools.tool === kind && !tools.cutting));
    }
  };
  tools.addEventListener('change', show);
  show();
}

/** @param {FlagStore} store */
function showSaving(store) {
  const { outbox } = store;
  const places = [byId('flag-saving'), byId('flag-saving-short')];
  const again = byId('flag-save-again');
  const show = () => {
    const { saving, savingShort } = TEXTS.flags;
    setText(places[0], saving[outbox.state](outbox.queue.length));
    const short = /** @type {Record<string, string>} */ (savingShort);
    setText(places[1], short[outbox.state] ?? savingShort.waiting);
    for (const place of places) place.dataset.state = outbox.state;
    places[1].hidden = outbox.state === 'saved';
    again.hidden = outbox.state === 'saved' || outbox.state === 'saving';
  };
  outbox.addEventListener('state', show);
  again.addEventListener('click', () => outbox.retry());
  window.addEventListener('beforeunload', event => {
    // Kept in this browser all the same; but perhaps it is not the reader's own.
    if (outbox.state === 'waiting' || outbox.state === 'nameless') event.preventDefault();
  });
  show();
}

/**
 * Keys that mean something while a flag is drawn or selected: they go before the page's own.
 * @param {FlagStore} store
 * @param {Tools} tools
 * @param {FlagForm} form
 * @param {{undo: () => Promise<void>, redo: () => Promise<void>, showForm: () => void}} acts
 */
function listenToFlagKeys(store, tools, form, { undo, redo, showForm }) {
  const handle = (/** @type {KeyboardEvent} */ event) => {
    const key = event.key.toLowerCase();
    const command = event.ctrlKey || event.metaKey;
    if (command && key === 'z') void (event.shiftKey ? redo() : undo());
    else if (command && key === 'y') void redo();
    else if (tools.key(event)) return true;
    else if (store.selected && !command && event.key === 'Enter') {
      showForm();
      form.focus();
    } else if (store.selected && event.shiftKey && !command && singleKeysEnabled()) {
      const label = key.length === 1 ? store.labels.byKey(key) : null;
      if (!label) return false;
      form.setLabel(label.name);
    } else return false;
    return true;
  };
  document.addEventListener(
    'keydown',
    event => {
      if (event.altKey || isTaken(event) || document.querySelector('dialog[open]')) return;
      const onControl = event.target instanceof HTMLButtonElement || isLink(event.target);
      if (onControl && (event.key === 'Enter' || event.key === ' ')) return;
      if (!handle(event)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    { capture: true },
  );
}

/** @param {EventTarget | null} target */
function isLink(target) {
  return target instanceof HTMLAnchorElement || target instanceof HTMLElement
    ? ['A', 'SUMMARY'].includes(/** @type {HTMLElement} */ (target).tagName)
    : false;
}
