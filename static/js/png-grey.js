// @ts-check
/**
 * Reads the numbers of an 8-bit grey PNG. Canvas would do it too, but some browsers alter what a
 * canvas gives back (colour management, protection against fingerprinting), and these are
 * measurements, not a picture.
 */

const HEADER_BYTES = 8;

/**
 * @typedef {{width: number, height: number, values: Uint8Array}} GreyImage
 * @param {ArrayBuffer} buffer
 * @returns {Promise<GreyImage>}
 */
export async function decodeGreyPng(buffer) {
  const view = new DataView(buffer);
  /** @type {BlobPart[]} */
  const parts = [];
  let [width, height] = [0, 0];
  for (let at = HEADER_BYTES; at < buffer.byteLength;) {
    const length = view.getUint32(at);
    const name = view.getUint32(at + 4);
    if (name === 0x49484452) [width, height] = readHeader(view, at + 8); // IHDR
    if (name === 0x49444154) parts.push(new Uint8Array(buffer, at + 8, length)); // IDAT
    at += length + 12;
  }
  const inflated = new Blob(parts).stream().pipeThrough(new DecompressionStream('deflate'));
  const raw = new Uint8Array(await new Response(inflated).arrayBuffer());
  return { width, height, values: unfilter(raw, width, height) };
}

/**
 * @param {DataView} view
 * @param {number} at
 * @returns {[number, number]}
 */
function readHeader(view, at) {
  const [depth, colour, , , interlace] = new Uint8Array(view.buffer, at + 8, 5);
  if (depth !== 8 || colour !== 0 || interlace !== 0)
    throw new Error('Not a plain 8-bit grey PNG.');
  return [view.getUint32(at), view.getUint32(at + 4)];
}

/**
 * Undoes the filters of PNG (specification, section 9), one byte a pixel.
 * @param {Uint8Array} raw
 * @param {number} width
 * @param {number} height
 */
function unfilter(raw, width, height) {
  const values = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (width + 1)];
    const line = raw.subarray(y * (width + 1) + 1, (y + 1) * (width + 1));
    const row = values.subarray(y * width, (y + 1) * width);
    const above = y ? values.subarray((y - 1) * width, y * width) : new Uint8Array(width);
    for (let x = 0; x < width; x++) {
      const left = x ? row[x - 1] : 0;
      row[x] = line[x] + predict(filter, left, above[x], x ? above[x - 1] : 0);
    }
  }
  return values;
}

/**
 * @param {number} filter
 * @param {number} left
 * @param {number} up
 * @param {number} upLeft
 */
function predict(filter, left, up, upLeft) {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const guess = left + up - upLeft;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - upLeft)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : upLeft;
}
