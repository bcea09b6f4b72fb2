// @ts-check
/**
 * A Leaflet grid layer whose tiles always cover whole device pixels.
 *
 * Leaflet scales the container of a zoom level with a CSS transform. At fractional zooms tile edges
 * then fall between device pixels and the background shines through as lines. Here every tile is
 * laid out with edges rounded to device pixels, each edge once for both neighbours: no gap, no
 * overlap, and no tile is off by more than half a device pixel. The transform is used only while a
 * zoom is under way.
 *
 * @typedef {{left: number, top: number, right: number, bottom: number}} Box
 */
export class SnappedGridLayer extends L.GridLayer {
  /** @param {L.GridLayerOptions} options */
  constructor(options) {
    // Leaflet sets tiles aside outside minZoom…maxZoom and takes z-indexes from maxZoom.
    super({ minZoom: -40, maxZoom: 40, noWrap: true, updateInterval: 80, ...options });
    /** False while a zoom is animated or pinched. */
    this._settled = true;
  }

  /**
   * The zoom whose tiles are shown at a zoom of the map.
   * @param {number} zoom
   */
  levelFor(zoom) {
    return Math.round(zoom);
  }

  /**
   * What a tile covers, in pixels of its own level.
   * @param {L.Coords} coords
   * @returns {Box}
   */
  tileBox(coords) {
    const { x: width, y: height } = this.getTileSize();
    const [left, top] = [coords.x * width, coords.y * height];
    return { left, top, right: left + width, bottom: top + height };
  }

  /**
   * What a tile covers, in device pixels from the slide's origin.
   * @param {L.Coords} coords
   * @param {number} scale device px per pixel of the level
   * @returns {Box}
   */
  snappedBox(coords, scale) {
    const { left, top, right, bottom } = this.tileBox(coords);
    return {
      left: Math.round(left * scale),
      top: Math.round(top * scale),
      right: Math.round(right * scale),
      bottom: Math.round(bottom * scale),
    };
  }

  /**
   * Called after a tile was given its place; `box` is in device pixels from the slide's origin.
   * @param {import('./leaflet-internals.d.ts').TileEntry} _tile
   * @param {Box} _box
   * @param {number} _scale device px per level-0 px
   */
  onTilePlaced(_tile, _box, _scale) {}

  getEvents() {
    const settle = () => this._resetView();
    return {
      .../** @type {Record<string, L.LeafletEventHandlerFn>} */ (super.getEvents?.()),
      zoomend: settle,
    };
  }

  /** @param {number} zoom */
  _clampZoom(zoom) {
    const { minNativeZoom = -Infinity, maxNativeZoom = Infinity } = this.options;
    return Math.min(maxNativeZoom, Math.max(minNativeZoom, this.levelFor(zoom)));
  }

  /**
   * As Leaflet's own, but the level follows from the unrounded zoom.
   * @param {L.LatLng} center
   * @param {number} zoom
   * @param {boolean} [noPrune] set while a zoom is under way
   * @param {boolean} [noUpdate]
   */
  _setView(center, zoom, noPrune, noUpdate) {
    this._settled = !noPrune;
    const tileZoom = this._clampZoom(zoom);
    if (!noUpdate || tileZoom !== this._tileZoom) {
      this._tileZoom = tileZoom;
      this._dropUnfinished();
      this._updateLevels();
      this._resetGrid();
      this._update(center);
      if (!noPrune) this._pruneTiles();
      this._noPrune = !!noPrune;
    }
    this._setZoomTransforms(center, zoom);
  }

  /** Nobody waits for the tiles of a level that is no longer looked at. */
  _dropUnfinished() {
    for (const [key, tile] of Object.entries(this._tiles)) {
      if (tile.coords.z !== this._tileZoom && !tile.loaded) this._removeTile(key);
    }
  }

  /** Tiles keep their place in the slide's own plane: a jump of the view makes none of them wrong. */
  _invalidateAll() {}

  /**
   * @param {import('./leaflet-internals.d.ts').TileLevel} level
   * @param {L.LatLng} center
   * @param {number} zoom
   */
  _setZoomTransform(level, center, zoom) {
    const origin = this._map._getNewPixelOrigin(center, zoom);
    if (this._settled || level.layoutZoom === undefined || !level.layoutOrigin) {
      this._layOut(level, zoom, origin);
      return;
    }
    const scale = 2 ** (zoom - level.layoutZoom);
    const offset = level.layoutOrigin.multiplyBy(scale).subtract(origin);
    L.DomUtil.setTransform(level.el, offset, scale);
  }

  /**
   * @param {import('./leaflet-internals.d.ts').TileLevel} level
   * @param {number} zoom
   * @param {L.Point} origin
   */
  _layOut(level, zoom, origin) {
    const moved = level.layoutZoom !== zoom || !level.layoutOrigin?.equals(origin);
    level.layoutZoom = zoom;
    level.layoutOrigin = origin;
    L.DomUtil.setTransform(level.el, L.point(0, 0), 1);
    if (!moved) return;
    for (const tile of Object.values(this._tiles)) {
      if (tile.coords.z === level.zoom) this._place(tile, level);
    }
  }

  /**
   * @param {L.Coords} coords
   * @param {Node} container
   */
  _addTile(coords, container) {
    super._addTile(coords, container);
    const tile = this._tiles[this._tileCoordsToKey(coords)];
    if (tile && this._level) this._place(tile, this._level);
  }

  /**
   * @param {import('./leaflet-internals.d.ts').TileEntry} tile
   * @param {import('./leaflet-internals.d.ts').TileLevel} level
   */
  _place(tile, level) {
    if (level.layoutZoom === undefined || !level.layoutOrigin) return;
    const ratio = window.devicePixelRatio;
    const scale = 2 ** (level.layoutZoom - level.zoom) * ratio;
    const snapped = this.snappedBox(tile.coords, scale);
    const x = Math.round(level.layoutOrigin.x * ratio);
    const y = Math.round(level.layoutOrigin.y * ratio);
    // Not by transform, as Leaflet does it: that makes a layer of each tile, and the browser then
    // puts these together with soft edges.
    tile.el.style.transform = '';
    tile.el.style.left = `${(snapped.left - x) / ratio}px`;
    tile.el.style.top = `${(snapped.top - y) / ratio}px`;
    tile.el.style.width = `${(snapped.right - snapped.left) / ratio}px`;
    tile.el.style.height = `${(snapped.bottom - snapped.top) / ratio}px`;
    this.onTilePlaced(tile, snapped, 2 ** level.layoutZoom * ratio);
  }
}
