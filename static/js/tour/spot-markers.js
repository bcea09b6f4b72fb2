// @ts-check
import { make } from '../dom.js';
import { toLatLng } from '../plane.js';
import { TEXTS } from '../texts.js';

/**
 * @typedef {import('./types.d.ts').HotSpot} HotSpot
 * @typedef {import('./spots.js').Spots} Spots
 */

const SIDE_PX = 24;
const STEM_PX = 14;
const APART_PX = 28;

/** The numbers of the hot spots on the slide, each on a stem, so that none covers its own spot. */
export class SpotMarkers {
  /**
   * @param {L.Map} map
   * @param {Spots} spots
   * @param {(rank: number) => void} goTo
   */
  constructor(map, spots, goTo) {
    this._map = map;
    this._spots = spots;
    this._goTo = goTo;
    this._shown = true;
    this._peeking = false;
    /** @type {Map<number, L.Marker>} */
    this._markers = new Map();
    spots.addEventListener('change', () => this.show());
    map.on('moveend zoomend resize', () => this.show());
  }

  /** @param {boolean} shown */
  setShown(shown) {
    this._shown = shown;
    this.show();
  }

  /** @param {boolean} peeking while the raw tissue is shown */
  setPeeking(peeking) {
    this._peeking = peeking;
    this.show();
  }

  show() {
    const wanted = this._shown && !this._peeking ? this._chosen() : [];
    const ranks = new Set(wanted.map(spot => spot.rank));
    for (const [rank, marker] of this._markers) {
      if (!ranks.has(rank)) {
        marker.remove();
        this._markers.delete(rank);
      }
    }
    for (const spot of wanted) this._mark(spot);
  }

  /** Those in sight; of two that would cover each other the one of the better rank. */
  _chosen() {
    const size = this._map.getSize();
    const { items, current } = this._spots;
    const first = items.find(spot => spot.rank === current);
    /** @type {{spot: HotSpot, at: L.Point}[]} */
    const chosen = [];
    for (const spot of first ? [first, ...items] : items) {
      const at = this._map.latLngToContainerPoint(toLatLng(spot.x_l0_px, spot.y_l0_px));
      const inSight =
        at.x > -SIDE_PX && at.y > -SIDE_PX && at.x < size.x + SIDE_PX && at.y < size.y + 60;
      if (inSight && chosen.every(other => other.at.distanceTo(at) >= APART_PX)) {
        chosen.push({ spot, at });
      }
    }
    return chosen.map(({ spot }) => spot);
  }

  /** @param {HotSpot} spot */
  _mark(spot) {
    const marker = this._markers.get(spot.rank) ?? this._made(spot);
    const badge = marker.getElement()?.firstElementChild;
    if (!(badge instanceof HTMLElement)) return;
    const { seen, opinion } = spot.review;
    badge.dataset.review = opinion ?? (seen ? 'seen' : 'unseen');
    badge.classList.toggle('is-current', spot.rank === this._spots.current);
    marker.setZIndexOffset(spot.rank === this._spots.current ? 10_000 : 1000 - spot.rank);
  }

  /** @param {HotSpot} spot */
  _made(spot) {
    const badge = make('span', { class: 'spot-mark', text: String(spot.rank) });
    const icon = L.divIcon({
      className: 'spot-marker',
      html: badge,
      iconSize: [SIDE_PX, SIDE_PX + STEM_PX],
      iconAnchor: [SIDE_PX / 2, SIDE_PX + STEM_PX],
    });
    const marker = L.marker(toLatLng(spot.x_l0_px, spot.y_l0_px), {
      icon,
      keyboard: false, // the list in the panel is for keys
      title: TEXTS.tour.markTitle(spot.rank, spot.peak_probability),
    });
    marker.on('click', () => this._goTo(spot.rank));
    marker.addTo(this._map);
    this._markers.set(spot.rank, marker);
    return marker;
  }
}
