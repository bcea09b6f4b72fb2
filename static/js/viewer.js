// @ts-check
/** The viewer page: puts its parts together. */

import { AnalysisWatcher, isActive } from './analysis.js';
import { ApiError, api, connection, unlessAway } from './api.js';
import { showSlideGone, watchConnection } from './banner.js';
import { followView, presentHash, readHash } from './deeplink.js';
import { parseDescriptor } from './descriptor.js';
import { byId, recall, remember, setText, throttle } from './dom.js';
import { startFlags } from './flags/index.js';
import { HeatmapView } from './heatmap-view.js';
import { Legend } from './legend.js';
import { MagnificationBar } from './magnification.js';
import { neighbours } from './neighbours.js';
import { OverlayState } from './overlay-state.js';
import { Overview } from './overview.js';
import { AnalysisPanel, listenToResolutionForm, showSlideFacts } from './panel.js';
import { joinComparison, paneSide } from './pane.js';
import { Peek } from './peek.js';
import { toL0 } from './plane.js';
import { Probe } from './probe.js';
import { showReader } from './reader.js';
import { ReadingPanel } from './reading/panel.js';
import { Scale } from './scale.js';
import { addScaleBar } from './scalebar.js';
import { HelpSheet, listenToKeys } from './shortcuts.js';
import { fillTexts, TEXTS } from './texts.js';
import { showCautions } from './tour/cautions.js';
import { Models } from './tour/models.js';
import { Tour } from './tour/tour.js';
import { createMap } from './viewer-map.js';

/**
 * @typedef {import('./types.d.ts').Slide} Slide
 * @typedef {import('./types.d.ts').Analysis} Analysis
 * @typedef {import('./scale.js').Scale} SlideScale
 */

const PAN_PX = 90;
const ZOOM_STEP = 0.5;
const NARROW = '(max-width: 760px)';
const ASK_ABOUT_SLIDE_MS = 3000;

/** @param {string} text said politely, and shown for a moment */
function announce(text) {
  const toast = byId('toast');
  setText(toast, text);
  toast.classList.add('is-shown');
  window.setTimeout(() => toast.classList.remove('is-shown'), 2500);
}

/** @param {Slide} slide */
function showSlide(slide) {
  document.title = `${slide.name} – Sentinode`;
  setText(byId('slide-name'), slide.name);
  showSlideFacts(slide);
  const calibrated = !!(slide.mpp_x && slide.mpp_y);
  for (const badge of document.querySelectorAll('.uncalibrated-badge')) {
    /** @type {HTMLElement} */ (badge).hidden = calibrated;
  }
  byId('resolution').hidden = calibrated;
  const change = byId('resolution-change');
  change.hidden = slide.mpp_source !== 'user';
  change.addEventListener('click', () => {
    byId('resolution').hidden = false;
    byId('mpp-x').focus();
  });
  listenToResolutionForm(slide, () => location.reload());
}

/** @param {boolean} open */
function setPanel(open) {
  document.body.classList.toggle('panel-open', open);
  byId('panel-toggle').setAttribute('aria-expanded', String(open));
}

function preparePanel() {
  const narrow = window.matchMedia(NARROW);
  setPanel(!narrow.matches && !paneSide && recall('panel') !== 'closed');
  const toggle = () => {
    const open = !document.body.classList.contains('panel-open');
    setPanel(open);
    if (!narrow.matches && !paneSide) remember('panel', open ? 'open' : 'closed');
  };
  byId('panel-toggle').addEventListener('click', toggle);
  byId('state-chip').addEventListener('click', () => setPanel(true));
  return toggle;
}

function toggleFullScreen() {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void document.documentElement.requestFullscreen();
}

/**
 * @param {Slide} slide
 * @param {1 | -1} direction
 */
async function goTo(slide, direction) {
  try {
    const found = await neighbours(slide.id);
    const id = direction > 0 ? found.next : found.previous;
    if (id) location.assign(`/slides/${id}`);
    else announce(direction > 0 ? TEXTS.viewer.noNext : TEXTS.viewer.noPrevious);
  } catch (error) {
    unlessTold(error);
  }
}

/**
 * For `.catch` of what a slide's page asks: the banner tells that nobody answers, or that the slide
 * is gone.
 * @param {unknown} error
 */
function unlessTold(error) {
  if (error instanceof ApiError && [404, 410].includes(error.status)) showSlideGone();
  else unlessAway(error);
}

/** @param {Slide} slide */
function compare(slide) {
  if (!paneSide) location.assign(`/compare?left=${slide.id}${presentHash()}`);
}

/** @param {Slide} slide */
function goBack(slide) {
  if (paneSide) window.parent.location.assign(`/slides/${slide.id}${presentHash()}`);
  else location.assign('/');
}

/** @param {Slide} slide */
async function showPosition(slide) {
  const { position, total } = await neighbours(slide.id);
  setText(byId('slide-position'), position ? TEXTS.reading.position(position, total) : '');
}

/** @param {Analysis} analysis */
function showChip(analysis) {
  const chip = byId('state-chip');
  const share = TEXTS.analysis.percent(analysis.progress);
  const name = TEXTS.states[analysis.state];
  chip.hidden = false;
  chip.dataset.state = analysis.state;
  setText(chip, analysis.state === 'running' ? `${name} ${share}` : name);
}

/**
 * Tiles that do not come, or an analysis: is the server gone, or the slide another one?
 * @param {string} slideId
 */
function askAboutSlide(slideId) {
  return throttle(() => {
    api.slide(slideId).catch(error => {
      if (error instanceof ApiError && [404, 410].includes(error.status)) showSlideGone();
    });
  }, ASK_ABOUT_SLIDE_MS);
}

/**
 * @param {Slide} slide
 * @param {HeatmapView} view
 * @param {OverlayState} overlay
 * @param {Tour} tour
 */
function watchAnalysis(slide, view, overlay, tour) {
  const panel = new AnalysisPanel({
    start: () => {
      panel.showAsking();
      void watcher.request();
    },
    cancel: () => void watcher.cancel(),
  });
  const watcher = new AnalysisWatcher(slide.id, {
    onAnalysis: analysis => {
      panel.show(analysis);
      showChip(analysis);
      showCautions(analysis);
      tour.follow(analysis, slide.locked);
      models.follow(analysis);
      overlay.setRunning(isActive(analysis));
    },
    onHeatmap: info => {
      view.open(info);
      panel.setThreshold(info.threshold);
    },
    onChanges: changes => view.update(changes),
    onError: error => {
      if (!(error instanceof ApiError)) return; // the banner tells that nobody answers
      if (error.status === 410) return showSlideGone();
      if (error.status === 404) askAboutSlide(slide.id)();
      panel.showProblem({ reason: error.message, hint: error.hint });
    },
    onWorker: alive => panel.showWorker(alive),
  });
  const models = new Models(slide, view, analysis => watcher.follow(analysis));
  watcher.locked = slide.locked;
  if (slide.locked) setText(byId('heat-none'), TEXTS.reading.locked);
  startAnalysis(slide, watcher, panel);
  return watcher;
}

/**
 * @param {Slide} slide
 * @param {AnalysisWatcher} watcher
 * @param {AnalysisPanel} panel
 */
function startAnalysis(slide, watcher, panel) {
  const calibrated = !!(slide.mpp_x && slide.mpp_y);
  const onOpen = byId('viewer').dataset.analyseOnOpen === 'true';
  const ended = ['failed', 'cancelled'].includes(slide.analysis?.state ?? '');
  if (slide.analysis && (ended || !calibrated || !onOpen)) {
    watcher.follow(slide.analysis); // an analysis that failed or was cancelled waits for a person
  } else if (calibrated && onOpen) {
    panel.showAsking();
    void watcher.request();
  } else {
    panel.showNone(calibrated);
  }
}

/**
 * @param {import('./mover.js').Mover} mover
 * @param {L.Map} map
 * @param {SlideScale} scale
 * @param {() => void} fit
 */
function moveActions(mover, map, scale, fit) {
  const pan = (/** @type {number} */ x, /** @type {number} */ y) => ({
    press: () => mover.panBy(x * PAN_PX, y * PAN_PX),
  });
  const panFar = (/** @type {number} */ direction) => ({
    press: () => mover.panBy(0, (direction * map.getSize().y) / 2),
  });
  const steps = scale.steps.map((step, index) => [
    `step${index}`,
    {
      press: () => {
        if (scale.has(step)) mover.goTo(scale.zoomOf(step));
        else announce(TEXTS.viewer.onlyTo(scale.label(scale.native)));
      },
    },
  ]);
  return {
    panLeft: pan(-1, 0),
    panRight: pan(1, 0),
    panUp: pan(0, -1),
    panDown: pan(0, 1),
    panUpFar: panFar(-1),
    panDownFar: panFar(1),
    zoomIn: { press: () => mover.zoomBy(ZOOM_STEP) },
    zoomOut: { press: () => mover.zoomBy(-ZOOM_STEP) },
    fit: { press: fit },
    ...Object.fromEntries(steps),
  };
}

/**
 * @param {Slide} slide
 * @param {OverlayState} overlay
 * @param {() => void} togglePanel
 * @param {(peeking: boolean) => void} setPeeking
 */
function pageActions(slide, overlay, togglePanel, setPeeking) {
  const toggleHeat = () => overlay.set({ shown: !overlay.settings.shown });
  const peek = new Peek(() => overlay.settings.shown, setPeeking, toggleHeat);
  const help = new HelpSheet();
  const button = byId('heat-toggle');
  button.addEventListener('pointerdown', event => peek.press(event));
  button.addEventListener('pointerup', event => peek.release(event));
  button.addEventListener('pointerleave', () => peek.cancel());
  button.addEventListener('click', event => {
    if (event.detail === 0) toggleHeat(); // by keyboard or a screen reader: no pointer events
  });
  byId('help-open').addEventListener('click', () => help.toggle());
  byId('compare-open').addEventListener('click', () => compare(slide));
  byId('full-screen').addEventListener('click', toggleFullScreen);
  byId('slide-previous').addEventListener('click', () => goTo(slide, -1));
  byId('slide-next').addEventListener('click', () => goTo(slide, 1));
  return {
    toggleHeat: {
      press: (/** @type {Event} */ event) => peek.press(event),
      release: (/** @type {Event} */ event) => peek.release(event),
    },
    thresholdDown: { press: () => overlay.stepLower(-1) },
    thresholdUp: { press: () => overlay.stepLower(1) },
    nextSlide: { press: () => void goTo(slide, 1) },
    previousSlide: { press: () => void goTo(slide, -1) },
    back: { press: () => goBack(slide) },
    compare: { press: () => compare(slide) },
    fullScreen: { press: toggleFullScreen },
    panel: { press: togglePanel },
    help: { press: () => help.toggle() },
  };
}

/** @param {Slide} slide */
async function open(slide) {
  showSlide(slide);
  const togglePanel = preparePanel();
  const info = parseDescriptor(await api.text(slide.dzi_url), slide.dzi_url);
  const scale = new Scale(slide);
  const link = readHash(location.hash, scale);
  const overlay = new OverlayState(link.overlay);
  const { map, mover, fit, layers } = createMap(byId('map'), info, scale, link);
  new MagnificationBar(map, scale, { fit, zoomTo: zoom => mover.goTo(zoom) });
  addScaleBar(map, scale);
  const legend = new Legend(overlay);
  const probe = new Probe(map, scale, overlay, p => legend.setProbe(p));
  const overview = new Overview(map, slide.thumbnail_url, info, overlay);
  const view = new HeatmapView({ map, slide: info, overlay, legend, overview, probe });
  const tour = new Tour({ slide, map, scale, announce });
  const watcher = watchAnalysis(slide, view, overlay, tour);
  map.on(
    'moveend',
    watcher.focusOn(() => toL0(map.getCenter())),
  );
  for (const layer of layers) layer.on('tilemissing', askAboutSlide(slide.id));
  connection.addEventListener('gone', () => {
    for (const layer of layers) layer.giveUp();
    watcher.stop();
  });
  watchConnection(() => {
    for (const layer of layers) layer.retryFailed();
    view.retry();
  });
  followView(map, scale, overlay);
  joinComparison({ map, mover, scale, slide });
  const reading = new ReadingPanel(slide.id, slide.reading, {
    overlay: () => ({
      shown: overlay.settings.shown && view.isOpen,
      threshold: view.isOpen ? overlay.settings.lower : null,
      analysisId: watcher.analysis?.state === 'done' ? watcher.analysis.id : null,
    }),
    announce,
    goOn: () => void goTo(slide, 1),
  });
  showReader().catch(unlessAway);
  showPosition(slide).catch(unlessTold);
  const actions = {
    verdict: { press: () => reading.ask() },
    ...tour.actions,
    ...moveActions(mover, map, scale, fit),
    ...pageActions(slide, overlay, togglePanel, peeking => {
      view.setPeeking(peeking);
      tour.setPeeking(peeking);
      document.body.classList.toggle('is-peeking', peeking);
    }),
  };
  listenToKeys(actions); // the slide is moved by keys before the flags are there
  window.addEventListener('hashchange', event => {
    // Not location.hash: followView may have written the old view there meanwhile.
    const wanted = readHash(new URL(event.newURL).hash, scale);
    const { x, y } = toL0(wanted.center ?? map.getCenter());
    void mover.flyTo(x, y, wanted.zoom);
    overlay.set(wanted.overlay);
  });
  Object.assign(actions, await startFlags({ map, mover, slide, info, announce, setPanel }));
}

async function start() {
  fillTexts(document);
  try {
    await open(await api.slide(byId('viewer').dataset.slideId ?? ''));
    document.body.dataset.ready = 'true';
  } catch (error) {
    const known = error instanceof ApiError;
    byId('stage-problem').hidden = false;
    setText(byId('stage-problem-reason'), known ? error.message : TEXTS.unknownError);
    setText(byId('stage-problem-hint'), known ? error.hint : TEXTS.unknownErrorHint);
    if (!known) throw error;
  }
}

void start();
