// @ts-check
import { json } from '../api.js';

/** @typedef {import('./types.d.ts').Label} Label */

const NONE_MARK = '?';

/** The labels of the laboratory. */
export class Labels {
  /**
   * @param {Label[]} items
   * @param {string} unknownColour
   */
  constructor(items, unknownColour) {
    this.items = items;
    this._unknown = unknownColour;
    this._byName = new Map(items.map(label => [label.name, label]));
    this._byKey = new Map(items.map(label => [label.key, label]));
  }

  static async load() {
    const { items, unknown_colour } = await json('/api/v1/labels');
    return new Labels(items, unknown_colour);
  }

  /** @param {string} letter */
  byKey(letter) {
    return this._byKey.get(letter.toUpperCase()) ?? null;
  }

  /** @param {string | null} name */
  colourOf(name) {
    return this._byName.get(name ?? '')?.colour ?? this._unknown;
  }

  /** @param {string | null} name */
  markOf(name) {
    return this._byName.get(name ?? '')?.mark ?? NONE_MARK;
  }

  /** @param {string | null} name */
  isFilled(name) {
    return this._byName.get(name ?? '')?.filled ?? true;
  }

  /** @param {string | null} name */
  wantsReason(name) {
    return this._byName.get(name ?? '')?.reason_required ?? false;
  }
}

/**
 * Black or white, whichever is read more easily on a colour (WCAG 2.2, relative luminance).
 * @param {string} colour #rrggbb
 */
export function inkOn(colour) {
  const parts = [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16) / 255);
  const [r, g, b] = parts.map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff';
}
