// @ts-check
import { byId, make, setText } from '../dom.js';
import { area, probability } from '../format.js';
import { TEXTS } from '../texts.js';

/**
 * @typedef {import('./types.d.ts').HotSpot} HotSpot
 * @typedef {import('./spots.js').Spots} Spots
 */

/** A thumbnail shows at least so much around a spot. */
const LEAST_UM = 160;
const MARGIN = 1.25;
const THUMBNAIL_PX = 144;

/** The ranked list in the panel. */
export class SpotList {
  /**
   * @param {Spots} spots
   * @param {string} slideId
   * @param {number} mpp µm per level-0 px
   * @param {(rank: number) => void} goTo
   */
  constructor(spots, slideId, mpp, goTo) {
    this._spots = spots;
    this._slideId = slideId;
    this._mpp = mpp;
    this._goTo = goTo;
    this._list = byId('spots');
    this._more = byId('spots-more', HTMLButtonElement);
    /** @type {Map<number, ReturnType<SpotList['_row']>>} */
    this._rows = new Map();
    /** @type {number | null} */
    this._shownCurrent = null;
    this._more.addEventListener('click', () => void spots.more());
    spots.addEventListener('change', () => this.show());
    this.show();
  }

  show() {
    const { state, items, page } = this._spots;
    const ready = state === 'ready' && page !== null;
    const any = ready && items.length > 0;
    setText(byId('spots-note'), this._note());
    byId('spots-note').hidden = any;
    byId('spots-none').hidden = !ready || any;
    byId('spots-some').hidden = !any;
    if (!any) this._rows.clear();
    if (!any || !page) return this._list.replaceChildren();
    setText(byId('spots-progress'), this._progress());
    byId('spots-progress').dataset.state = this._spots.isSaving ? 'saving' : 'saved';
    byId('spots-progress').classList.toggle('is-complete', this._spots.allSeen);
    const bar = byId('spots-bar', HTMLProgressElement);
    bar.max = page.kept;
    bar.value = page.seen;
    setText(byId('spots-unsigned'), this._spots.isUnsigned ? TEXTS.tour.unsigned : '');
    setText(
      byId('spots-kept'),
      page.count > page.kept ? TEXTS.tour.kept(page.kept, page.count) : '',
    );
    this._more.hidden = page.next === null;
    this._showRows(items);
  }

  _note() {
    const { state, problem } = this._spots;
    const texts = TEXTS.tour.states;
    return state === 'problem' ? problem : state === 'ready' ? texts.ready : texts[state];
  }

  _progress() {
    const { page, allSeen } = this._spots;
    if (!page) return '';
    const { kept, seen, agreed, disagreed } = page;
    return allSeen
      ? TEXTS.tour.allSeen(kept, agreed, disagreed)
      : TEXTS.tour.seen(seen, kept, agreed, disagreed);
  }

  /** @param {HotSpot[]} items */
  _showRows(items) {
    if (this._rows.size > items.length || this._rows.get(1)?.spot !== items[0]) {
      this._rows.clear();
      this._list.replaceChildren();
    }
    for (const spot of items.slice(this._rows.size)) {
      const row = this._row(spot);
      this._rows.set(spot.rank, row);
      this._list.append(row.element);
    }
    for (const row of this._rows.values()) this._mark(row);
    const { current } = this._spots;
    if (current !== null && current !== this._shownCurrent) {
      this._reveal(this._rows.get(current)?.element);
    }
    this._shownCurrent = current;
  }

  /**
   * Scroll the list, and nothing else on the page.
   * @param {HTMLElement | undefined} row
   */
  _reveal(row) {
    if (!row) return;
    const top = row.offsetTop - this._list.offsetTop;
    const { scrollTop, clientHeight } = this._list;
    if (top < scrollTop) this._list.scrollTop = top;
    else if (top + row.offsetHeight > scrollTop + clientHeight) {
      this._list.scrollTop = top + row.offsetHeight - clientHeight;
    }
  }

  /** @param {HotSpot} spot */
  _row(spot) {
    const picture = make('img', { class: 'spot-picture' });
    picture.loading = 'lazy';
    picture.alt = '';
    picture.width = picture.height = 64;
    picture.src = this._thumbnail(spot);
    const state = make('span', { class: 'spot-state' });
    const others = make('span', { class: 'spot-others' });
    const size = TEXTS.tour.size(spot.longest_um, spot.size_class);
    const facts = make('span', { class: 'spot-facts' }, [
      make('span', { class: 'spot-head' }, [
        make('span', { class: 'spot-rank', text: String(spot.rank) }),
        make('span', { class: 'spot-peak', text: probability(spot.peak_probability) }),
        state,
      ]),
      make('span', { class: 'spot-size', text: size }),
      make('span', { class: 'spot-size', text: TEXTS.tour.area(area(spot.area_mm2)) }),
      others,
    ]);
    const button = make('button', { class: 'spot' }, [picture, facts]);
    button.type = 'button';
    button.title = TEXTS.tour.mean(probability(spot.mean_probability));
    button.addEventListener('click', () => this._goTo(spot.rank));
    return { spot, element: make('li', {}, [button]), button, state, others };
  }

  /** @param {ReturnType<SpotList['_row']>} row */
  _mark({ spot, button, state, others }) {
    const { seen, opinion } = spot.review;
    const texts = TEXTS.tour.reviews;
    state.dataset.review = opinion ?? (seen ? 'seen' : 'unseen');
    setText(state, opinion ? texts[opinion] : seen ? texts.seen : texts.unseen);
    setText(
      others,
      spot.opinions.map(({ reader, opinion: o }) => TEXTS.tour.other(reader, o)).join('; '),
    );
    if (spot.rank === this._spots.current) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }

  /** @param {HotSpot} spot */
  _thumbnail(spot) {
    const [left, top, right, bottom] = spot.bbox_l0_px;
    const extent = Math.max(right - left, bottom - top) * MARGIN;
    const least = LEAST_UM / this._mpp;
    const side = Math.max(extent, least);
    const [x, y] =
      extent > least ? [(left + right) / 2, (top + bottom) / 2] : [spot.x_l0_px, spot.y_l0_px];
    const box = {
      x_l0_px: (x - side / 2).toFixed(0),
      y_l0_px: (y - side / 2).toFixed(0),
      width_l0_px: side.toFixed(0),
      height_l0_px: side.toFixed(0),
      longest_px: String(THUMBNAIL_PX),
    };
    return `/api/v1/slides/${this._slideId}/regions.jpeg?${new URLSearchParams(box)}`;
  }
}
