// @ts-check
/**
 * The pictures of tiles that are not on the map: fetched ahead, or seen a moment ago. Bounded by
 * their pixels; those used longest ago go first.
 *
 * @typedef {{image: HTMLImageElement, ready: Promise<void>}} Picture `ready` once it can be drawn
 */

/** Decoded, a pixel takes four bytes: 64 MB at most. */
const KEPT_PX = 16e6;
/** Of the six connections a browser opens to a server, some stay free for what is looked at. */
const AHEAD_AT_ONCE = 4;

export class TilePictures {
  constructor() {
    /** Whole pictures, the one used last at the end. @type {Map<string, HTMLImageElement>} */
    this._kept = new Map();
    this._kept_px = 0;
    /** Those fetched ahead that are not here yet. @type {Map<string, Picture>} */
    this._coming = new Map();
    /** @type {string[]} */
    this._wanted = [];
  }

  /**
   * A picture for the map: from here if it can be, else from the server.
   * @param {string} url
   * @returns {Picture}
   */
  take(url) {
    const kept = this._kept.get(url);
    if (kept) {
      this._forget(url, kept);
      return { image: kept, ready: Promise.resolve() };
    }
    const coming = this._coming.get(url);
    this._coming.delete(url);
    return coming ?? fetchPicture(url, 'high');
  }

  /** @param {string} url whether the picture is here or on its way */
  has(url) {
    return this._kept.has(url) || this._coming.has(url);
  }

  /**
   * A whole picture that the map does not show any more.
   * @param {string} url
   * @param {HTMLImageElement} image
   */
  keep(url, image) {
    const known = this._kept.get(url);
    if (known) this._forget(url, known);
    this._kept.set(url, image);
    this._kept_px += image.naturalWidth * image.naturalHeight;
    for (const [oldest, old] of this._kept) {
      if (this._kept_px <= KEPT_PX) break;
      this._forget(oldest, old);
    }
  }

  /**
   * Fetch these while nobody waits for anything else; whatever was asked for before and is not among
   * them is given up.
   * @param {string[]} urls most likely first
   * @param {'low' | 'high'} [priority]
   */
  fetchAhead(urls, priority = 'low') {
    for (const [url, { image }] of this._coming) {
      if (!urls.includes(url)) {
        this._coming.delete(url);
        abort(image);
      }
    }
    this._wanted = urls.filter(url => !this.has(url));
    this._fetchNext(priority);
  }

  /** What is on its way may come; nothing more is asked for. */
  fetchNoMore() {
    this._wanted = [];
  }

  /** @param {'low' | 'high'} priority */
  _fetchNext(priority) {
    while (this._coming.size < AHEAD_AT_ONCE) {
      const url = this._wanted.shift();
      if (url === undefined) return;
      const picture = fetchPicture(url, priority);
      this._coming.set(url, picture);
      const isHere = () => {
        if (this._coming.get(url) !== picture) return false; // on the map or given up by now
        return this._coming.delete(url);
      };
      picture.ready.then(
        () => {
          if (isHere()) this.keep(url, picture.image);
          this._fetchNext(priority);
        },
        () => {
          if (isHere()) this._fetchNext(priority); // the map asks again if it needs that tile
        },
      );
    }
  }

  /**
   * @param {string} url
   * @param {HTMLImageElement} image
   */
  _forget(url, image) {
    this._kept.delete(url);
    this._kept_px -= image.naturalWidth * image.naturalHeight;
  }
}

/**
 * @param {string} url
 * @param {'low' | 'high'} priority
 * @returns {Picture}
 */
function fetchPicture(url, priority) {
  const image = new Image();
  image.alt = '';
  image.draggable = false;
  image.fetchPriority = priority;
  // The picture is decoded before it is shown. Should the browser have thrown that away meanwhile, it
  // decodes again before it draws: an 'async' image would leave a hole for a frame.
  image.decoding = 'sync';
  image.src = url;
  return { image, ready: image.decode() };
}

/**
 * Stops the request of a picture that is not here yet.
 * @param {HTMLImageElement} image
 */
export function abort(image) {
  image.removeAttribute('src');
}
