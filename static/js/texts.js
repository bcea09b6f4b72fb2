// @ts-check
/** Every text that the pages show by script, in one place. */

import { area, count, duration, probability } from './format.js';

/** @typedef {import('./types.d.ts').Summary} Summary */

export const TEXTS = {
  unknownError: 'Something unexpected happened.',
  unknownErrorHint: 'Reload the page; if it stays, look at the log of the server.',
  uncalibrated: 'uncalibrated',
  uncalibratedHint:
    'The resolution of this slide is unknown: lengths and magnifications cannot be shown.',
  calibrated: 'calibrated',
  notCalibrated: 'not calibrated',
  calibratedHint:
    'A value of 0.8 means: about 80 of 100 such cells of the validation data held tumour.',
  notCalibratedHint: 'The values rank cells; they are not frequencies.',

  connection: {
    lost: 'Sentinode does not answer. Trying again by itself; what you see stays.',
    back: 'Sentinode answers again.',
    changed: 'The file of this slide was changed or removed while you looked at it.',
    reload: 'Reload',
  },

  worklist: {
    title: 'Worklist',
    loading: 'Loading the slides …',
    scanning: 'Looking through the folders …',
    count: (/** @type {number} */ shown, /** @type {number} */ all) =>
      shown === all ? `${count(all, 'slide')}` : `${shown} of ${count(all, 'slide')}`,
    sort: 'Sort by',
    sortSuspicion: 'suspicion',
    sortName: 'name',
    filter: 'Filter by name',
    stale: 'The order has changed – sort again',
    noMatch: 'No slide has this in its name.',
    clearFilter: 'Clear the filter',
    emptyTitle: 'No slides yet',
    emptyFolders: 'Sentinode looks for slides in:',
    emptyHint:
      'Copy slides into one of these folders; they appear here by themselves. SVS, NDPI, MRXS, SCN, BIF, Philips and generic tiled TIFF, OME-TIFF and DICOM can be read.',
    emptyNoFolders: 'No folder of slides is set. Stop Sentinode and start it with a folder:',
    emptyCommand: 'make serve SLIDES=/path/to/slides',
    folderProblem: (/** @type {string} */ name) => `Folder “${name}”:`,
    peak: 'highest',
    positive: 'above threshold',
    noTissue: 'no tissue found, nothing was analysed',
    sizeUnknown: 'size unknown',
    thumbnailOf: (/** @type {string} */ name) => `Overview of ${name}`,
  },

  states: {
    unreadable: 'cannot be read',
    unanalysed: 'not analysed',
    queued: 'waiting',
    running: 'running',
    cancelling: 'stopping',
    cancelled: 'cancelled',
    failed: 'failed',
    done: 'done',
  },

  viewer: {
    map: 'Slide image. Arrow keys pan, plus and minus zoom, question mark lists all keys.',
    back: 'Back to the worklist',
    previous: 'Previous slide',
    next: 'Next slide',
    noPrevious: 'This is the first slide of the worklist.',
    noNext: 'This is the last slide of the worklist.',
    fullScreen: 'Full screen',
    help: 'Keyboard shortcuts',
    panel: 'Side panel',
    fit: 'Fit',
    fitHint: 'Whole slide',
    magnification: 'Magnification',
    digital: 'digital zoom',
    digitalHint: 'Beyond the resolution of the scan: no more detail is shown.',
    onlyTo: (/** @type {string} */ label) => `This slide was scanned at ${label}.`,
    overview: 'Overview',
    overviewHint: 'Drag the frame, or click to move there.',
    unreadableTitle: 'This slide cannot be shown',
  },

  probe: {
    none: 'Point at the slide, or tap it, to read values.',
    notAnalysed: 'not analysed',
    loading: '…',
    outside: 'outside the analysed area',
    tumour: 'tumour probability',
    block: (/** @type {number} */ side) => `highest of ${side} × ${side} cells`,
    atCentre: 'at the centre',
  },

  heat: {
    title: 'Heat map',
    toggle: 'Show the heat map',
    toggleHint: 'Show or hide (H). Hold to see the raw tissue.',
    none: 'There is no heat map yet.',
    scale: 'Tumour probability',
    lower: 'Lower limit',
    upper: 'Upper limit',
    shown: (/** @type {number} */ low, /** @type {number} */ high) =>
      `Shown: ${probability(low)} to ${probability(high)}`,
    operatingPoint: (/** @type {number} */ p) => `Threshold of the model: ${probability(p)}`,
    reset: 'Reset',
    resetHint: 'Back to the threshold of the model',
    opacity: 'Opacity',
    colormap: 'Colours',
    colormaps: {
      viridis: 'Viridis',
      inferno: 'Inferno',
      cividis: 'Cividis',
      amber: 'Amber to red',
    },
    smooth: 'Smooth the cells (looks only)',
    hatch: 'Hatch what was not analysed',
    maximum: (/** @type {number} */ side) =>
      `At this zoom each spot shows the highest of ${side} × ${side} cells.`,
    model: (/** @type {string} */ name, /** @type {string} */ version) =>
      `${name}, version ${version}`,
    spacing: (/** @type {number} */ um) => `reads at ${um} µm/px`,
  },

  analysis: {
    title: 'Analysis',
    start: 'Analyse this slide',
    unanalysed: 'This slide was not analysed yet.',
    needsResolution: 'The analysis needs the resolution of this slide.',
    asking: 'Asking for the analysis …',
    queued: 'Waiting for its turn.',
    queuedBehind: (/** @type {number} */ place) => `Waiting: number ${place} in the queue.`,
    workerDown: 'The background worker does not answer.',
    workerDownHint: 'The analysis starts when it is back (python -m viewer worker).',
    running: 'Running',
    percent: (/** @type {number} */ share) => `${Math.floor(share * 100)} %`,
    left: (/** @type {number} */ seconds) => `about ${duration(seconds)} left`,
    preparing: 'finding the tissue …',
    cancelling: 'Stopping …',
    cancelled: (/** @type {number} */ share) =>
      `Cancelled at ${Math.floor(share * 100)} %. What was computed is kept.`,
    failed: 'The analysis failed.',
    done: 'Done.',
    noTissue: 'No tissue was found, so nothing was analysed. This says nothing about cancer.',
    cancel: 'Cancel',
    resume: 'Continue',
    retry: 'Try again',
    peak: 'Highest probability',
    positiveArea: (/** @type {number | null} */ p) =>
      p === null ? 'Area above the threshold' : `Area at ${probability(p)} or more`,
    analysedArea: 'Area analysed',
    result: (/** @type {Summary} */ summary) => [
      summary.peak_probability === null ? '–' : probability(summary.peak_probability),
      summary.positive_area_mm2 === null ? '–' : area(summary.positive_area_mm2),
      summary.analysed_area_mm2 === null ? '–' : area(summary.analysed_area_mm2),
    ],
  },

  slide: {
    title: 'Slide',
    size: 'Size',
    pixels: 'Pixels',
    resolution: 'Resolution',
    unknown: 'unknown',
    scanned: 'Objective',
    format: 'Format',
    setBy: (/** @type {string} */ who, /** @type {string} */ when) => `set by ${who}, ${when}`,
    change: 'Change',
  },

  resolution: {
    intro: 'How many µm does one pixel cover? The scanner’s protocol says it; it is never guessed.',
    x: 'µm per pixel, across',
    y: 'µm per pixel, down',
    name: 'Your name',
    save: 'Save',
    range: 'A number from 0.05 to 20.',
    nameMissing: 'Who sets the resolution? It is kept with it.',
  },

  help: {
    title: 'Keyboard shortcuts',
    close: 'Close',
    enabled: 'Single-key shortcuts are on',
    groups: { move: 'Move', zoom: 'Zoom', heat: 'Heat map', slides: 'Slides', page: 'Page' },
    keys: {
      panLeft: 'Pan left',
      panRight: 'Pan right',
      panUp: 'Pan up',
      panDown: 'Pan down',
      panUpFar: 'Up by half the view',
      panDownFar: 'Down by half the view',
      zoomIn: 'Zoom in',
      zoomOut: 'Zoom out',
      fit: 'Whole slide',
      magnification: (/** @type {number} */ step) => `${step}×`,
      toggleHeat: 'Heat map on or off; hold for the raw tissue',
      thresholdDown: 'Lower limit down',
      thresholdUp: 'Lower limit up',
      nextSlide: 'Next slide',
      previousSlide: 'Previous slide',
      back: 'Back to the worklist',
      fullScreen: 'Full screen',
      panel: 'Side panel',
      help: 'This list',
    },
  },
};

/**
 * Write the texts into a page: data-text names the content of an element, data-label its accessible
 * name and tooltip.
 * @param {ParentNode} root
 */
export function fillTexts(root) {
  for (const element of root.querySelectorAll('[data-text]')) {
    element.textContent = textOf(element.getAttribute('data-text') ?? '');
  }
  for (const element of root.querySelectorAll('[data-label]')) {
    const text = textOf(element.getAttribute('data-label') ?? '');
    element.setAttribute('aria-label', text);
    if (element instanceof HTMLButtonElement || element instanceof HTMLAnchorElement) {
      element.title = text;
    }
  }
  for (const input of root.querySelectorAll('input[data-placeholder]')) {
    /** @type {HTMLInputElement} */ (input).placeholder = textOf(
      input.getAttribute('data-placeholder') ?? '',
    );
  }
}

/** @param {string} path such as 'viewer.fit' */
function textOf(path) {
  /** @type {unknown} */
  let found = TEXTS;
  for (const key of path.split('.')) found = /** @type {Record<string, unknown>} */ (found)[key];
  if (typeof found !== 'string') throw new Error(`There is no text '${path}'.`);
  return found;
}
