// @ts-check
/** Every text that the pages show by script, in one place. */

import {
  area,
  count,
  duration,
  micrometresOrMillimetres,
  probability,
  thousands,
} from './format.js';

/**
 * @typedef {import('./types.d.ts').Summary} Summary
 * @typedef {import('./tour/types.d.ts').HotSpot} HotSpot
 * @typedef {import('./tour/types.d.ts').Agreement} Agreement
 */

export const TEXTS = {
  unknownError: 'Something unexpected happened.',
  unknownErrorHint: 'Reload the page; if it stays, look at the log of the server.',
  theme: 'Dark colours',
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
    changed:
      'The file of this slide was changed or removed. What you see stays; nothing more can be done with it here.',
    worklist: 'To the worklist',
  },

  worklist: {
    title: 'Worklist',
    loading: 'Loading the slides …',
    scanning: 'Looking through the folders …',
    count: (/** @type {number} */ total) => count(total, 'slide'),
    start: 'Open the first slide',
    startHint: 'Enter does the same',
    sort: 'Sort by',
    sorts: {
      suspicion: 'suspicion',
      name: 'name',
      added: 'newest',
      state: 'state',
      leastSuspicion: 'suspicion, lowest first',
      nameBackwards: 'name, Z to A',
      oldest: 'oldest',
    },
    filter: 'Find by name',
    filters: 'Filters',
    filtersClear: 'Clear filters',
    filterNames: {
      state: 'Reading',
      verdict: 'Verdict',
      analysis: 'Analysis',
      warning: 'Warnings',
      flagged: 'Flags',
      mine: 'Whose',
    },
    any: 'any',
    everybody: 'everybody’s',
    mine: 'mine',
    withFlags: 'with flags',
    withoutFlags: 'without flags',
    noVerdict: 'none yet',
    analyses: {
      done: 'done',
      busy: 'waiting or running',
      stopped: 'failed or cancelled',
      unanalysed: 'not analysed',
      unreadable: 'cannot be read',
    },
    warningKinds: {
      any: 'any warning',
      uncalibrated: 'no resolution',
      failed: 'analysis failed',
      unreadable: 'cannot be read',
      stain: 'unusual stain',
      resolution: 'resolution out of range',
      nearlyAll: 'nearly all tissue positive',
      noTissue: 'no tissue found',
    },
    layoutList: 'As a list',
    layoutGrid: 'As a grid',
    exports: 'Export:',
    csv: 'CSV',
    json: 'JSON',
    builtIn: {
      all: 'All',
      mine: 'Mine',
      unread: 'Unread',
      'second-opinion': 'Second opinion',
    },
    views: {
      title: 'Views',
      save: 'Save this view',
      saveTitle: 'Save this view',
      saveWhy: 'Search, filters and order are kept under a name of yours.',
      name: 'Name of the view',
      nameMissing: 'A view needs a name.',
      saveButton: 'Save',
      cancel: 'Cancel',
      remove: 'Delete this view',
      removeNamed: (/** @type {string} */ name) => `Delete the view “${name}”`,
    },
    more: 'More slides',
    stale: 'The list has changed – show it anew',
    noMatch: 'No slide fits this search and these filters.',
    clearFilter: 'Show all slides',
    emptyTitle: 'No slides yet',
    emptyFolders: 'Sentinode looks for slides in:',
    emptyHint:
      'Copy slides into one of these folders; they appear here by themselves. SVS, NDPI, MRXS, SCN, BIF, Philips and generic tiled TIFF, OME-TIFF and DICOM can be read.',
    emptyNoFolders: 'No folder of slides is set. Stop Sentinode and start it with a folder:',
    emptyCommand: 'make serve SLIDES=/path/to/slides',
    folderProblem: (/** @type {string} */ name) => `Folder “${name}”:`,
    score: 'score',
    spots: (/** @type {number} */ n) => (n === 1 ? 'hot spot' : 'hot spots'),
    flags: (/** @type {number} */ n) => (n === 1 ? 'flag' : 'flags'),
    locked: 'closed until your verdict',
    added: (/** @type {string} */ when) => `added ${when}`,
    noTissue: 'no tissue found, nothing was analysed',
    sizeUnknown: 'size unknown',
    thumbnailOf: (/** @type {string} */ name) => `Overview of ${name}`,
  },

  compare: {
    open: 'Compare side by side',
    back: 'Back to the slide',
    left: 'Left slide',
    right: 'Right slide',
    linked: 'Move together',
    pageTitle: (/** @type {string} */ left, /** @type {string} */ right) =>
      `${left === right ? left : `${left} and ${right}`} – Sentinode`,
  },

  reader: {
    title: 'Who reads?',
    why: 'Verdicts, flags and comments are kept with a name.',
    name: 'Your name',
    missing: 'Say your name.',
    save: 'Go on',
    cancel: 'Cancel',
    unknown: 'Nothing was saved, for want of a name.',
    as: (/** @type {string} */ name) => `Reading as ${name}`,
    nobody: 'Say who reads',
    change: 'Change who reads',
    fixed: 'Your name comes from how you signed in.',
  },

  reading: {
    title: 'Reading',
    states: {
      unread: 'unread',
      in_review: 'in review',
      reviewed: 'reviewed',
      second_opinion: 'second opinion wanted',
    },
    verdicts: {
      no_tumour: 'No tumour',
      itc: 'Isolated tumour cells',
      micro: 'Micrometastasis',
      macro: 'Macrometastasis',
      tumour: 'Tumour, size not given',
      unsatisfactory: 'Unsatisfactory slide',
    },
    by: (/** @type {string} */ name) => `by ${name}`,
    assignedTo: (/** @type {string} */ name) => `assigned to ${name}`,
    verdictBy: (/** @type {string} */ value, /** @type {string} */ name) =>
      `${/** @type {Record<string, string>} */ (TEXTS.reading.verdicts)[value] ?? value}, ${name}`,
    verdictAt: (/** @type {string} */ name, /** @type {string} */ when) => `${name}, ${when}`,
    others: (/** @type {string[]} */ names) => `Also open with ${names.join(', ')}`,
    give: 'Give a verdict',
    giveAnother: 'Give another verdict',
    locked:
      'Blind first read: heat map, hot spots and score open after your first verdict on this slide.',
    secondOpinion: 'Ask for a second opinion',
    secondOpinionEnd: 'No second opinion needed',
    assignee: 'Assigned to',
    nobody: 'nobody',
    toMe: 'Assign to me',
    assign: 'Assign',
    history: (/** @type {number} */ n) => count(n, 'verdict'),
    dialogTitle: 'Verdict',
    dialogHint: 'Keys 1 to 6 choose, Enter gives the verdict.',
    comment: 'Comment (optional)',
    submit: 'Give this verdict',
    cancel: 'Cancel',
    andNext: 'Then open the next slide of the worklist',
    choose: 'Choose one of the six.',
    blind: 'first read, without the heat map',
    withHeat: 'with the heat map shown',
    withoutHeat: 'heat map hidden',
    kept: (/** @type {string} */ value) =>
      `Kept: ${/** @type {Record<string, string>} */ (TEXTS.reading.verdicts)[value] ?? value}`,
    report: 'Report of this slide',
    stale: 'Somebody changed this meanwhile; what you see is how it is now.',
    position: (/** @type {number} */ place, /** @type {number} */ total) => `${place} of ${total}`,
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
    value: (/** @type {number | null} */ p) =>
      p === null ? TEXTS.probe.notAnalysed : probability(p),
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

  cautions: {
    names: {
      no_tissue: 'no tissue found',
      nearly_all_positive: 'nearly all tissue above the threshold',
      resolution_outside_training: 'resolution outside the trained range',
      stain_unusual: 'unusual stain',
      nothing_positive: 'nothing above the threshold',
      model_not_calibrated: 'model not calibrated',
    },
    legend: (/** @type {string[]} */ names) => `Caution: ${names.join('; ')}.`,
  },

  models: {
    shown: 'Model',
    notRun: 'Not run on this slide yet',
    compare: 'Compare with another model',
    with: 'With',
    largest: 'Go to the largest difference',
    difference: 'Show the difference on the slide',
    agreement: (/** @type {Agreement} */ found) => [
      ['Cells compared', thousands(found.cells_compared)],
      ['Above in both', thousands(found.cells_both)],
      ['Above in this one only', thousands(found.cells_only_this)],
      ['Above in the other only', thousands(found.cells_only_other)],
      ['Above in neither', thousands(found.cells_neither)],
      ['Analysed by one only', thousands(found.cells_not_compared)],
      ['Mean difference', difference(found.mean_absolute_difference)],
      ['Largest difference', difference(found.max_absolute_difference)],
    ],
  },

  difference: {
    scale: 'Difference of the tumour probabilities',
    bar: 'Colours from −1, the other model higher, over 0 to +1, the shown model higher',
    higher: (/** @type {string} */ name) => `Orange: higher in ${name} (shown)`,
    lower: (/** @type {string} */ name) => `Blue: higher in ${name} (the other)`,
    equal: 'Clear: no difference',
    hatched: 'Hatched: analysed by one of them only, or by none',
    uncalibrated:
      'Values of a model that is not calibrated only rank cells: a difference is not one of frequencies.',
    maximum: (/** @type {number} */ side) =>
      `At this zoom each spot shows the highest of ${side} × ${side} cells of the one less that of the other. These may lie in different cells: zoom in to compare cell by cell.`,
    block: (/** @type {number} */ side) => `each the highest of ${side} × ${side} cells`,
    values: (/** @type {number | null} */ mine, /** @type {number | null} */ other) => {
      if (mine === null && other === null) return TEXTS.probe.notAnalysed;
      const both = `this ${TEXTS.probe.value(mine)} · other ${TEXTS.probe.value(other)}`;
      if (mine === null || other === null) return both;
      const shown = Number(probability(mine)) - Number(probability(other)); // that it adds up
      return `${both} · difference ${signed(shown)}`;
    },
    otherCells: (/** @type {{size: boolean, place: boolean, extent: boolean}} */ differ) => {
      const what = [
        differ.size ? 'size' : '',
        differ.place ? 'place' : '',
        differ.extent ? 'number' : '',
      ];
      return `Not possible for these two: their cells differ in ${what.filter(Boolean).join(' and ')}.`;
    },
  },

  tour: {
    title: 'Tour',
    modeSpots: 'Hot spots',
    modeSweep: 'Sweep',
    power: 'At',
    list: 'Hot spots by rank',
    more: 'More hot spots',
    marks: 'Numbers on the slide',
    goOn: 'Go on after J and K',
    measured:
      'Sizes are measured on the heat map. They are no diagnosis; 0.2 and 2 mm only name them.',
    none: 'No cell reaches the threshold of the model, so there is no hot spot. This is no proof of absence.',
    toSweep: 'Go through the tissue field by field',
    states: {
      none: 'Hot spots appear here once the slide is analysed.',
      waiting: 'Hot spots appear here once the whole slide is analysed.',
      locked: 'Hot spots open after your first verdict on this slide. The sweep is open.',
      loading: 'Looking for hot spots …',
      ready: '',
      problem: '',
    },
    score: (/** @type {number} */ score) => `Score of the slide: ${probability(score)}`,
    kept: (/** @type {number} */ kept, /** @type {number} */ all) =>
      `The first ${thousands(kept)} of ${thousands(all)} are listed.`,
    seen: (
      /** @type {number} */ seen,
      /** @type {number} */ all,
      /** @type {number} */ agreed,
      /** @type {number} */ disagreed,
    ) => `${seen} of ${all} seen${opinions(agreed, disagreed)}`,
    allSeen: (
      /** @type {number} */ all,
      /** @type {number} */ agreed,
      /** @type {number} */ disagreed,
    ) =>
      `${all === 1 ? 'The hot spot is' : `All ${all} hot spots are`} seen${opinions(agreed, disagreed)}`,
    unsigned: 'What you saw is not kept yet: say who reads, in the line at the top.',
    reviews: { unseen: 'not seen', seen: 'seen', agree: 'agreed', disagree: 'disagreed' },
    other: (/** @type {string} */ reader, /** @type {'agree' | 'disagree'} */ opinion) =>
      `${reader} ${opinion === 'agree' ? 'agrees' : 'disagrees'}`,
    sizes: { macro: 'macro', micro: 'micro', itc: 'ITC' },
    size: (/** @type {number} */ um, /** @type {'macro' | 'micro' | 'itc'} */ size) =>
      `${micrometresOrMillimetres(um)} long (${TEXTS.tour.sizes[size]})`,
    area: (/** @type {string} */ mm2) => mm2,
    mean: (/** @type {string} */ mean) => `Mean probability ${mean}`,
    markTitle: (/** @type {number} */ rank, /** @type {number} */ peak) =>
      `Hot spot ${rank}: ${probability(peak)}`,
    status: (/** @type {number} */ rank, /** @type {number} */ all) => `Hot spot ${rank} of ${all}`,
    facts: (/** @type {HotSpot} */ spot) =>
      `${probability(spot.peak_probability)}, ${TEXTS.tour.size(spot.longest_um, spot.size_class)}`,
    bar: 'Tour',
    previous: 'Previous (Shift + N)',
    next: 'Next (N)',
    agree: 'Agree',
    disagree: 'Disagree',
    flag: 'Flag',
    close: 'End the tour',
    first: 'This is the first hot spot.',
    last: 'This is the last hot spot.',
    noSpot: 'Go to a hot spot first (N).',
    said: (/** @type {'agree' | 'disagree'} */ opinion, /** @type {number} */ rank) =>
      `${opinion === 'agree' ? 'Agreed' : 'Disagreed'} with hot spot ${rank}`,
    takenBack: 'Taken back.',
    flagged: (/** @type {number} */ rank) => `Flag set at hot spot ${rank}`,
    flaggedHere: 'Flag set in the middle of the view',
    flagsLoading: 'Flags are not ready yet; try again in a moment.',
  },

  sweep: {
    about:
      'All tissue, field by field at this magnification, in strips, there and back. N goes to the next field. What you saw is kept.',
    start: 'Start the sweep',
    next: 'Next field',
    previous: 'Previous',
    again: 'Start anew',
    end: 'End the sweep',
    at: (/** @type {number} */ power) => `At ${Number(power.toFixed(2))}×`,
    small:
      'This window is smaller than the fields of this sweep: enlarge it, or start anew for this window.',
    status: (/** @type {number} */ at, /** @type {number} */ all, /** @type {number} */ seen) =>
      `Field ${thousands(at)} of ${thousands(all)}, ${Math.floor((100 * seen) / all)} % seen`,
    through: (/** @type {number} */ all) => `All ${count(all, 'field')} seen.`,
    missing: (/** @type {number} */ n) =>
      `This is the last field; ${count(n, 'field')} not seen yet.`,
  },

  trail: {
    record: 'Record what I view at 10× or more',
    share: (/** @type {number} */ share) =>
      `${Math.floor(share * 100)} % of the tissue was on your screen at 10× or more.`,
    unknown: 'Where the tissue lies is not known yet.',
    uncalibrated: 'Without a resolution there are no magnifications.',
    forget: 'Forget',
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

  flags: {
    title: 'Flags',
    tools: 'Drawing tools',
    tool: {
      here: 'Flag the middle of the view (F)',
      point: 'Point (O)',
      box: 'Box (R)',
      polygon: 'Polygon (P)',
      freehand: 'Freehand outline (D)',
      ruler: 'Ruler (M)',
    },
    hints: {
      point: 'Click, or press Space for the middle of the view.',
      box: 'Drag, or click two corners. By keys: Space sets a corner at the middle of the view.',
      polygon: 'Click the corners; Enter or a double click finishes. Space: at the middle.',
      freehand: 'Draw with the button down. By keys: Space lowers and lifts the pen.',
      ruler: 'Click both ends, or press Space at each.',
      cut: 'Outline the hole; Enter finishes.',
      pen: 'The pen is down: move the slide under it, Space lifts it.',
    },
    kinds: {
      point: 'Point',
      box: 'Box',
      polygon: 'Polygon',
      freehand: 'Freehand',
      ruler: 'Ruler',
    },
    states: {
      open: 'open',
      agreed: 'agreed',
      disagreed: 'disagreed',
      resolved: 'resolved',
    },
    actions: {
      created: 'Made',
      changed: 'Changed',
      deleted: 'Deleted',
      restored: 'Restored',
    },
    numbered: (/** @type {number} */ n, /** @type {string} */ kind) => `Flag ${n}: ${kind}`,
    made: (/** @type {string} */ kind) => `${kind} flagged.`,
    deleted: 'Flag deleted. Ctrl + Z brings it back.',
    undone: 'Undone.',
    redone: 'Done again.',
    nothingToUndo: 'There is nothing to undo.',
    nothingToRedo: 'There is nothing to do again.',
    hidden: 'Flags are hidden; A shows them.',
    shown: 'Flags are shown.',
    tooFew: 'An outline needs three corners, a line two.',
    cutWhat: 'Select an area first; then a hole can be cut into it.',
    vertex: (/** @type {number} */ n, /** @type {number} */ of) =>
      `Corner ${n} of ${of}: arrows move it, Del removes it, Space adds one after it.`,
    length: (/** @type {number} */ um) =>
      um < 1000 ? `${um.toFixed(um < 100 ? 1 : 0)} µm` : `${(um / 1000).toFixed(2)} mm`,
    noSize: 'No size: the resolution of this slide is unknown.',
    label: 'Label',
    noLabel: 'no label',
    anyLabel: 'any label',
    stateTitle: 'State',
    anyState: 'any state',
    reason: 'Reason',
    reasonWanted: 'Reason (needed for this label)',
    assignee: 'Assigned to',
    toMe: 'Me',
    cut: 'Cut a hole (C)',
    delete: 'Delete (Del)',
    close: 'Close (Esc)',
    by: (/** @type {string} */ who, /** @type {string} */ when) => `${who}, ${when}`,
    changedBy: (/** @type {string} */ who, /** @type {string} */ when) =>
      `changed by ${who}, ${when}`,
    comment: 'Comment',
    commentSend: 'Send',
    comments: (/** @type {number} */ n) => count(n, 'comment'),
    history: 'History',
    count: (/** @type {number} */ shown, /** @type {number} */ all) =>
      shown === all ? count(all, 'flag') : `${shown} of ${count(all, 'flag')}`,
    search: 'Search name, label or reason',
    empty:
      'No flags yet. Press F to flag the middle of the view, or take a drawing tool at the left.',
    noMatch: 'No flag fits this search and these filters.',
    more: 'More flags',
    saveAgain: 'Save now',
    retry: 'Try again',
    discard: 'Give up my change',
    saving: {
      saved: () => 'Saved',
      saving: () => 'Saving …',
      waiting: (/** @type {number} */ n) =>
        `${count(n, 'change')} kept here until Sentinode answers`,
      nameless: (/** @type {number} */ n) =>
        `${count(n, 'change')} kept here until you say who reads`,
      problem: (/** @type {number} */ n) => `${count(n, 'change')} not saved`,
    },
    savingShort: { saved: '', saving: 'saving', waiting: 'not saved' },
    conflict: {
      title: 'Somebody else changed this flag first',
      changed: (/** @type {string} */ who, /** @type {string} */ when) =>
        `${who} changed it on ${when}, while you had it open.`,
      deleted: (/** @type {string} */ who, /** @type {string} */ when) =>
        `${who} deleted it on ${when}, while you had it open.`,
      mineTitle: 'Yours',
      theirsTitle: 'Theirs',
      shape: 'Outline',
      sameShape: 'the same',
      otherShape: 'another one',
      asDrawn: 'as you drew it',
      history: 'Whatever you choose, every version stays in the history.',
      keepBoth: 'Keep theirs, and mine as a copy',
      theirs: 'Keep theirs alone',
      mine: 'Put mine in its place',
      bringBack: 'Bring it back with my change',
      keepTheirs: 'Keep it as it is now',
      deleteAnyway: 'Delete it all the same',
    },
    files: 'Files',
    asGeojson: 'GeoJSON for QuPath',
    asAsap: 'XML for ASAP',
    asCsv: 'CSV table',
    import: 'Take flags from a file (GeoJSON, ASAP XML or CSV)',
    importing: 'Taking the file …',
    importRest: 'Take the others',
    imported: (
      /** @type {{created: number, updated: number, unchanged: number, skipped_count: number}} */ r,
    ) =>
      `${count(r.created, 'flag')} taken, ${r.updated} changed, ${r.unchanged} as before, ` +
      `${r.skipped_count} left out.`,
    andMore: (/** @type {number} */ n) => `and ${n} more`,
  },

  help: {
    title: 'Keyboard shortcuts',
    close: 'Close',
    enabled: 'Single-key shortcuts are on',
    groups: {
      move: 'Move',
      zoom: 'Zoom',
      heat: 'Heat map',
      tour: 'Tour',
      reading: 'Reading',
      flags: 'Flags',
      slides: 'Slides',
      page: 'Page',
    },
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
      verdict: 'Give a verdict',
      compare: 'Compare side by side',
      nextSpot: 'Next hot spot, or next field of the sweep',
      previousSpot: 'Previous hot spot or field',
      agree: 'Agree with the hot spot; again takes it back',
      disagree: 'Disagree with the hot spot; again takes it back',
      flagHere: 'Flag the hot spot, or the middle of the view',
      toggleMarks: 'Numbers of the hot spots on or off',
      toggleFlags: 'Flags on or off',
      flagPoint: 'Draw a point',
      flagBox: 'Draw a box',
      flagPolygon: 'Draw a polygon',
      flagFreehand: 'Draw freehand',
      flagRuler: 'Measure a length',
      flagCut: 'Cut a hole into the selected flag',
      flagPlace: 'Set a corner at the middle of the view, while drawing',
      flagFinish: 'Finish the drawing; describe the selected flag',
      flagVertex: 'Next corner of the selected flag; arrows move it',
      flagMove: 'Move the selected flag',
      flagDelete: 'Delete the corner or the flag',
      flagUndo: 'Undo',
      flagRedo: 'Do again',
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
 * @param {number} agreed
 * @param {number} disagreed
 */
function opinions(agreed, disagreed) {
  const parts = [agreed ? `${agreed} agreed` : '', disagreed ? `${disagreed} disagreed` : ''];
  const said = parts.filter(Boolean).join(', ');
  return said && `: ${said}`;
}

/** @param {number | null} value */
function difference(value) {
  return value === null ? '–' : value.toFixed(3);
}

/** @param {number} value with its sign; what rounds to 0 has none */
function signed(value) {
  const rounded = probability(Math.abs(value));
  if (Number(rounded) === 0) return rounded;
  return `${value > 0 ? '+' : '−'}${rounded}`;
}

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
