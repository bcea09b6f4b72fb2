// @ts-check
/** @typedef {import('./types.d.ts').DeepZoomInfo} DeepZoomInfo */

const DEEP_ZOOM_NAMESPACE = 'http://schemas.microsoft.com/deepzoom/2008';

/**
 * What a .dzi says. Throws if it is no descriptor that this layer can show.
 * @param {string} xml
 * @param {string} url the address of the descriptor; the tiles lie beside it
 * @returns {DeepZoomInfo}
 */
export function parseDescriptor(xml, url) {
  const image = new DOMParser().parseFromString(xml, 'application/xml').documentElement;
  const size = image.getElementsByTagNameNS(DEEP_ZOOM_NAMESPACE, 'Size')[0];
  const [widthPx, heightPx] = ['Width', 'Height'].map(name => Number(size?.getAttribute(name)));
  const tileSizePx = Number(image.getAttribute('TileSize'));
  const format = image.getAttribute('Format') ?? '';
  if (!widthPx || !heightPx || !tileSizePx || !format || image.getAttribute('Overlap') !== '0') {
    throw new Error('The Deep Zoom descriptor is incomplete, or its tiles overlap.');
  }
  const maxLevel = Math.ceil(Math.log2(Math.max(widthPx, heightPx)));
  const tilesUrl = url.replace(/\.dzi$/, '_files');
  return { tilesUrl, tileSizePx, format, widthPx, heightPx, maxLevel };
}
