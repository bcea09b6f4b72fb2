// The parts of Leaflet 1.9 that are not in its public types and that the layers here build on.
// 1.9.4 is pinned and the last of its line; this file is the list to check when that changes.
import type * as L from 'leaflet';

export interface TileLevel {
  el: HTMLElement;
  zoom: number;
  origin: L.Point;
  /** Zoom and pixel origin for which the tiles of this level were last laid out (ours). */
  layoutZoom?: number;
  layoutOrigin?: L.Point;
}

export type TileEntry = L.InternalTiles[string];

declare module 'leaflet' {
  interface GridLayerOptions {
    /** Whether tiles are fetched ahead (ours). */
    lookAhead?: boolean;
  }
  interface GridLayer {
    options: L.GridLayerOptions;
    _level: TileLevel | undefined;
    _noPrune: boolean;
    _container: HTMLElement | undefined;
    _addTile(coords: L.Coords, container: Node): void;
    _removeTile(key: string): void;
    _isValidTile(coords: L.Coords): boolean;
    _clampZoom(zoom: number): number;
    _invalidateAll(): void;
    _getTiledPixelBounds(center: L.LatLng): L.Bounds;
    _pruneTiles(): void;
    _pxBoundsToTileRange(bounds: L.Bounds): L.Bounds;
    _resetGrid(): void;
    _resetView(event?: unknown): void;
    _setView(center: L.LatLng, zoom: number, noPrune?: boolean, noUpdate?: boolean): void;
    _setZoomTransform(level: TileLevel, center: L.LatLng, zoom: number): void;
    _setZoomTransforms(center: L.LatLng, zoom: number): void;
    _update(center?: L.LatLng): void;
    _updateLevels(): TileLevel | undefined;
  }
  interface Map {
    _animatingZoom: boolean | undefined;
    _getNewPixelOrigin(center: L.LatLng, zoom: number): L.Point;
    _limitZoom(zoom: number): number;
    _move(center: L.LatLng, zoom: number, data?: object): this;
    _moveEnd(zoomChanged: boolean): this;
    _rawPanBy(offset: L.Point): void;
    _moveStart(zoomChanged: boolean, noMoveStart: boolean): this;
    _stop(): this;
  }
}
