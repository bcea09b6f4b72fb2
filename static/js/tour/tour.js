// @ts-check
import { byId, make, recall, remember, setText } from '../dom.js';
import { flagHere } from '../flags/index.js';
import { toL0, viewRect } from '../plane.js';
import { TEXTS } from '../texts.js';
import { goToL0 } from '../viewer-map.js';
import { SpotList } from './spot-list.js';
import { SpotMarkers } from './spot-markers.js';
import { Spots } from './spots.js';
import { Sweep } from './sweep.js';
import { Trail } from './trail.js';

/**
 * @typedef {import('./types.d.ts').Surroundings} Surroundings
 * @typedef {import('./types.d.ts').Opinion} Opinion
 */

const POWERS = [10, 20, 40];
const USUAL_POWER = 20;

/** Going through a slide: from hot spot to hot spot, or over all of its tissue. */
export class Tour {
  /** @param {Surroundings} page */
  constructor(page) {
    this._page = page;
    /** @type {'spots' | 'sweep'} */
    this._mode = 'spots';
    this._begun = false;
    this._goOn = byId('tour-go-on', HTMLInputElement);
    this._marks = byId('tour-marks', HTMLInputElement);
    this.spots = new Spots();
    const { slide, map, scale } = page;
    const goTo = (/** @type {number} */ rank) => void this._goTo(rank);
    const mpp = scale.mpp ? Math.min(scale.mpp.x, scale.mpp.y) : 1;
    this._list = new SpotList(this.spots, slide.id, mpp, goTo);
    this._markers = new SpotMarkers(map, this.spots, goTo);
    this._preparePower();
    this._prepareChoices();
    this._sweep = new Sweep(
      page,
      () => this._power,
      () => this._showBar(),
    );
    new Trail(page);
    this._prepareBar();
    this.spots.addEventListener('change', () => this._showBar());
    this.spots.addEventListener('problem', event => {
      page.announce(/** @type {CustomEvent<string>} */ (event).detail);
    });
    this.spots.follow(null, slide.locked);
    this._setMode('spots');
  }

  /** What keys do. */
  get actions() {
    return {
      nextSpot: { press: () => void this.step(1) },
      previousSpot: { press: () => void this.step(-1) },
      agree: { press: () => void this.judge('agree') },
      disagree: { press: () => void this.judge('disagree') },
      flagHere: { press: () => this.flagHere() },
      toggleMarks: { press: () => this._marks.click() },
    };
  }

  /**
   * @param {import('../types.d.ts').Analysis} analysis
   * @param {boolean} locked
   */
  follow(analysis, locked) {
    this.spots.follow(analysis, locked);
    setText(byId('spots-score'), analysis.score === null ? '' : TEXTS.tour.score(analysis.score));
    byId('spots-score').title = analysis.score_rule ?? '';
  }

  /** @param {boolean} peeking while the raw tissue is shown */
  setPeeking(peeking) {
    this._markers.setPeeking(peeking);
  }

  /** @param {1 | -1} direction */
  async step(direction) {
    if (this._mode === 'sweep') {
      this._begin();
      return this._sweep.step(direction);
    }
    const { spots } = this;
    if (spots.state !== 'ready' || !spots.kept) {
      const none = spots.state === 'ready' ? TEXTS.tour.none : TEXTS.tour.states[spots.state];
      return this._page.announce(none || spots.problem);
    }
    const rank = this._following(direction);
    if (rank === null) return this._page.announce(this._atTheEnd());
    await this._goTo(rank);
  }

  /** @param {1 | -1} direction */
  _following(direction) {
    const { spots } = this;
    if (spots.current === null) return spots.firstUnseen ?? (direction > 0 ? 1 : spots.kept);
    const rank = spots.current + direction;
    if (rank >= 1 && rank <= spots.kept) return rank;
    return direction > 0 && !spots.allSeen ? spots.firstUnseen : null;
  }

  _atTheEnd() {
    const { spots } = this;
    if (spots.current === 1 && spots.kept > 1) return TEXTS.tour.first;
    const { kept, agreed, disagreed } = /** @type {NonNullable<Spots['page']>} */ (spots.page);
    return spots.allSeen ? TEXTS.tour.allSeen(kept, agreed, disagreed) : TEXTS.tour.last;
  }

  /** @param {number} rank */
  async _goTo(rank) {
    this._setMode('spots');
    this._begin();
    this.spots.setCurrent(rank);
    const spot = await this.spots.spot(rank);
    if (!spot || this.spots.current !== rank) return;
    const arrived = await goToL0(spot.x_l0_px, spot.y_l0_px, this._power);
    if (arrived && this.spots.current === rank) await this.spots.markSeen(rank);
  }

  /**
   * Say it of the present hot spot; again takes it back.
   * @param {Opinion} opinion
   */
  async judge(opinion) {
    const { current, items } = this.spots;
    const spot = this._mode === 'spots' && current !== null ? items[current - 1] : undefined;
    if (!spot) return this._page.announce(TEXTS.tour.noSpot);
    const again = spot.review.opinion === opinion;
    this.spots.judge(spot.rank, again ? null : opinion);
    const said = again ? TEXTS.tour.takenBack : TEXTS.tour.said(opinion, spot.rank);
    const goesOn = !again && this._goOn.checked && spot.rank < this.spots.kept;
    if (goesOn) await this._goTo(spot.rank + 1);
    else this._page.announce(this.spots.allSeen && !again ? this._atTheEnd() : said);
  }

  /** Set a flag at the present hot spot while it is in sight, else in the middle of the view. */
  flagHere() {
    const { spot, x, y } = this._place();
    const hotspot = spot ? { analysis_id: this.spots.analysisId, rank: spot.rank } : null;
    const flag = flagHere({ geometry: { type: 'Point', coordinates: [x, y] } }, hotspot);
    const said = spot ? TEXTS.tour.flagged(spot.rank) : TEXTS.tour.flaggedHere;
    this._page.announce(flag ? said : TEXTS.tour.flagsLoading);
  }

  _place() {
    const { map, slide } = this._page;
    const { current, items } = this.spots;
    const spot = this._mode === 'spots' && current !== null ? items[current - 1] : undefined;
    const { left, top, right, bottom } = viewRect(map);
    if (spot) {
      const { x_l0_px: x, y_l0_px: y } = spot;
      if (x >= left && x <= right && y >= top && y <= bottom) return { spot, x, y };
    }
    const middle = toL0(map.getCenter());
    const within = (/** @type {number} */ at, /** @type {number | null} */ size) =>
      Math.min(Math.max(0, at), (size ?? 1) - 1);
    return { x: within(middle.x, slide.width_px), y: within(middle.y, slide.height_px) };
  }

  // ---- what the reader set ------------------------------------------------------------------

  get _power() {
    return Number(byId('tour-power', HTMLSelectElement).value);
  }

  _preparePower() {
    const { scale } = this._page;
    const select = byId('tour-power', HTMLSelectElement);
    const has = POWERS.filter(power => scale.has(power));
    const powers = has.length ? has : [scale.native];
    select.append(
      ...powers.map(power => {
        const option = make('option', { text: scale.label(power) });
        option.value = String(power);
        return option;
      }),
    );
    const wanted = Number(recall('tour-power') ?? USUAL_POWER);
    select.value = String(powers.includes(wanted) ? wanted : powers[powers.length - 1]);
    select.addEventListener('change', () => {
      remember('tour-power', select.value);
      if (this._mode === 'spots' && this.spots.current !== null)
        void this._goTo(this.spots.current);
    });
  }

  _prepareChoices() {
    this._goOn.checked = recall('tour-go-on') !== 'off';
    this._marks.checked = recall('tour-marks') !== 'off';
    this._markers.setShown(this._marks.checked);
    this._goOn.addEventListener('change', () => {
      remember('tour-go-on', this._goOn.checked ? 'on' : 'off');
    });
    this._marks.addEventListener('change', () => {
      remember('tour-marks', this._marks.checked ? 'on' : 'off');
      this._markers.setShown(this._marks.checked);
    });
    for (const [id, mode] of /** @type {const} */ ([
      ['tour-spots', 'spots'],
      ['tour-sweep', 'sweep'],
      ['spots-sweep', 'sweep'],
    ])) {
      byId(id).addEventListener('click', () => {
        this._setMode(mode);
        if (id === 'spots-sweep') byId('tour-sweep').focus();
      });
    }
  }

  /** @param {'spots' | 'sweep'} mode */
  _setMode(mode) {
    this._mode = mode;
    byId('tour-spots').setAttribute('aria-pressed', String(mode === 'spots'));
    byId('tour-sweep').setAttribute('aria-pressed', String(mode === 'sweep'));
    byId('spots-part').hidden = mode !== 'spots';
    byId('sweep-part').hidden = mode !== 'sweep';
    this._showBar();
  }

  // ---- the bar over the slide: the tour without the panel --------------------------------------

  _prepareBar() {
    const on = (/** @type {string} */ id, /** @type {() => unknown} */ act) =>
      byId(id).addEventListener('click', () => void act());
    on('tour-previous', () => this.step(-1));
    on('tour-next', () => this.step(1));
    on('tour-agree', () => this.judge('agree'));
    on('tour-disagree', () => this.judge('disagree'));
    on('tour-flag', () => this.flagHere());
    on('tour-close', () => {
      this._begun = false;
      this.spots.setCurrent(null);
      this._showBar();
      byId('map').focus({ preventScroll: true });
    });
  }

  _begin() {
    this._begun = true;
    this._showBar();
  }

  _showBar() {
    const spot = this.spots.current === null ? null : this.spots.items[this.spots.current - 1];
    const sweeping = this._mode === 'sweep';
    const shown = this._begun && (sweeping ? !!this._sweep?.fields : this.spots.current !== null);
    byId('tour-bar').hidden = !shown;
    if (!shown) return;
    for (const id of ['tour-agree', 'tour-disagree']) byId(id).hidden = sweeping;
    const { kept } = this.spots;
    setText(
      byId('tour-status'),
      sweeping ? this._sweep.status : TEXTS.tour.status(this.spots.current ?? 0, kept),
    );
    setText(byId('tour-facts'), sweeping || !spot ? '' : TEXTS.tour.facts(spot));
    for (const opinion of /** @type {const} */ (['agree', 'disagree'])) {
      const pressed = spot?.review.opinion === opinion;
      byId(`tour-${opinion}`).setAttribute('aria-pressed', String(pressed));
    }
  }
}
