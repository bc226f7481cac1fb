/**
 * A QR code (ISO/IEC 18004) for a short text such as a link: bytes, error correction level M (15 %), the smallest
 * version that holds it, up to {@link MOST} bytes. Made here, because a link's secret must not reach a server.
 * Pure; {@link pathOf} draws it.
 */

/** By version, from 1 to 9: blocks, and error-correction bytes of each. */
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5];
const CHECKS = [10, 16, 26, 18, 24, 16, 18, 22, 22];
/** Mode, length and the four bits of the end: as long as the length is one byte, which it is no longer from version 10 on. */
const HEAD_BYTES = 2;
/** Level M in the format bits. */
const LEVEL_M = 0;
/** Light modules around it, without which no camera finds it. */
const MARGIN = 4;
/** Twice a link of the usual length. */
export const MOST = dataBytes(BLOCKS.length) - HEAD_BYTES;

/** Where each of the eight masks turns a module over. @type {((row: number, column: number) => boolean)[]} */
const MASKS = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

/**
 * @param {string} text
 * @returns {boolean[][]} rows of modules, true is dark; the margin belongs around it
 */
export function qr(text) {
  const bytes = new TextEncoder().encode(text);
  const version = 1 + BLOCKS.findIndex((_, at) => bytes.length + HEAD_BYTES <= dataBytes(at + 1));
  if (version === 0) throw new RangeError(`this QR code holds ${MOST} bytes, not ${bytes.length}`);
  const words = interleaved(padded(bytes, version), version);
  const drafts = MASKS.map((_, mask) => draw(words, version, mask));
  const costs = drafts.map(penalty);
  return drafts[costs.indexOf(Math.min(...costs))];
}

/**
 * The dark modules as the path of an SVG, and the side of its viewBox, margin included. Every module is drawn along its row
 * and along its column: where two meet, no hairline of paper is left, however a printer rounds.
 * @param {boolean[][]} rows
 */
export function pathOf(rows) {
  const columns = rows.map((_, at) => rows.map((row) => row[at]));
  const across = runs(rows).map(({ line, from, length }) => `M${MARGIN + from} ${MARGIN + line}h${length}v1h${-length}z`);
  const down = runs(columns).map(({ line, from, length }) => `M${MARGIN + line} ${MARGIN + from}h1v${length}h-1z`);
  return { path: [...across, ...down].join(""), side: rows.length + 2 * MARGIN };
}

/** Dark ones side by side. @param {boolean[][]} lines */
function runs(lines) {
  return lines.flatMap((modules, line) =>
    [...modules.map(Number).join("").matchAll(/1+/g)].map(({ 0: { length }, index: from }) => ({ line, from: from ?? 0, length })));
}

// ---- bytes ----

/** Modules that are neither pattern nor format, in bytes. @param {number} version */
function allBytes(version) {
  const size = 17 + 4 * version;
  const centres = alignments(version).length;
  const aligned = centres === 0 ? 0 : 25 * (centres * centres - 3) - 10 * (centres - 2); // those on a timing line share five modules with it
  const patterns = 3 * 64 + 2 * (size - 16) + aligned + 31 + (version >= 7 ? 36 : 0);
  return Math.floor((size * size - patterns) / 8);
}

/** @param {number} version */
function dataBytes(version) {
  return allBytes(version) - BLOCKS[version - 1] * CHECKS[version - 1];
}

/** @param {Uint8Array} bytes @param {number} version */
function padded(bytes, version) {
  const bits = [0, 1, 0, 0];
  const put = (/** @type {number} */ value, /** @type {number} */ count) => {
    for (let at = count - 1; at >= 0; at--) bits.push((value >> at) & 1);
  };
  put(bytes.length, 8);
  for (const byte of bytes) put(byte, 8);
  put(0, 4);
  const data = [];
  for (let at = 0; at + 8 <= bits.length; at += 8) data.push(bits.slice(at, at + 8).reduce((value, bit) => 2 * value + bit, 0));
  for (let at = 0; data.length < dataBytes(version); at++) data.push(at % 2 === 0 ? 0xec : 0x11);
  return data;
}

/** Cut into blocks, each with its checks; then the first byte of each, the second of each, and so on. @param {number[]} data @param {number} version */
function interleaved(data, version) {
  const [blocks, checks] = [BLOCKS[version - 1], CHECKS[version - 1]];
  const short = Math.floor(data.length / blocks);
  const longer = data.length % blocks;
  /** @type {number[][]} */
  const parts = [];
  for (let block = 0, at = 0; block < blocks; block++) {
    const length = short + (block < blocks - longer ? 0 : 1);
    parts.push(data.slice(at, at + length));
    at += length;
  }
  const rests = parts.map((part) => remainder(part, checks));
  const columns = (/** @type {number[][]} */ lists) => Array.from({ length: Math.max(...lists.map(({ length }) => length)) }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1))).flat();
  return [...columns(parts), ...columns(rests)];
}

/** Reed-Solomon over GF(2^8) with 0x11D. @param {number[]} data @param {number} checks */
function remainder(data, checks) {
  let generator = [1];
  for (let power = 0, root = 1; power < checks; power++, root = times(root, 2)) {
    const shifted = [...generator, 0];
    generator = shifted.map((value, at) => value ^ times(generator[at - 1] ?? 0, root));
  }
  const rest = [...data, ...Array(checks).fill(0)];
  for (let at = 0; at < data.length; at++) {
    const factor = rest[at];
    for (let step = 0; step < generator.length; step++) rest[at + step] ^= times(generator[step], factor);
  }
  return rest.slice(data.length);
}

/** @param {number} a @param {number} b */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) product = (product << 1) ^ (product & 0x80 ? 0x11d : 0) ^ ((b >> bit) & 1 ? a : 0);
  return product & 0xff;
}

// ---- picture ----

/** Centres of the small squares, along each side. @param {number} version @returns {number[]} */
function alignments(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const last = 10 + 4 * version;
  const step = 2 * Math.ceil((last - 6) / (count - 1) / 2);
  return [6, ...Array.from({ length: count - 1 }, (_, at) => last - step * (count - 2 - at))];
}

/** @param {number[]} words @param {number} version @param {number} mask */
function draw(words, version, mask) {
  const size = 17 + 4 * version;
  /** Null: still free. @type {(boolean | null)[][]} */
  const grid = Array.from({ length: size }, () => Array(size).fill(null));
  patterns(grid, version, mask);
  let bit = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5; // the timing line
    const up = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step++) {
      const row = up ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (grid[row][column] !== null) continue;
        const dark = ((words[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
        grid[row][column] = (dark === 1) !== MASKS[mask](row, column);
        bit++;
      }
    }
  }
  return /** @type {boolean[][]} */ (grid);
}

/** @param {(boolean | null)[][]} grid @param {number} version @param {number} mask */
function patterns(grid, version, mask) {
  const size = grid.length;
  const last = size - 1;
  const set = (/** @type {number} */ row, /** @type {number} */ column, /** @type {boolean} */ dark) => {
    if (row >= 0 && row < size && column >= 0 && column < size) grid[row][column] = dark;
  };
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [row, column] of [[3, 3], [3, last - 3], [last - 3, 3]]) square(row, column, 4, set);
  const centres = alignments(version);
  for (const row of centres) {
    for (const column of centres) {
      const corner = [row, column].filter((at) => at === 6).length === 2 || (row === 6 && column === last - 6) || (column === 6 && row === last - 6);
      if (!corner) square(row, column, 2, set);
    }
  }
  const format = withChecks((LEVEL_M << 3) | mask, 10, 0x537) ^ 0x5412;
  for (let at = 0; at < 15; at++) {
    const dark = ((format >> at) & 1) === 1;
    set(at < 6 ? at : at < 8 ? at + 1 : last - (14 - at), 8, dark);
    set(8, at < 8 ? last - at : at === 8 ? 7 : 14 - at, dark);
  }
  set(last - 7, 8, true);
  if (version < 7) return;
  const told = withChecks(version, 12, 0x1f25);
  for (let at = 0; at < 18; at++) {
    const [along, across] = [Math.floor(at / 3), last - 10 + (at % 3)];
    const dark = ((told >> at) & 1) === 1;
    set(along, across, dark);
    set(across, along, dark);
  }
}

/**
 * Rings around a centre: of the large squares the outermost is the light margin.
 * @param {number} row
 * @param {number} column
 * @param {number} reach
 * @param {(row: number, column: number, dark: boolean) => void} set
 */
function square(row, column, reach, set) {
  for (let down = -reach; down <= reach; down++) {
    for (let aside = -reach; aside <= reach; aside++) {
      const ring = Math.max(Math.abs(down), Math.abs(aside));
      set(row + down, column + aside, reach === 2 ? ring !== 1 : ring !== 2 && ring !== 4);
    }
  }
}

/** A value and its BCH checks. @param {number} value @param {number} checks @param {number} generator */
function withChecks(value, checks, generator) {
  let rest = value;
  for (let step = 0; step < checks; step++) rest = (rest << 1) ^ ((rest >> (checks - 1)) & 1 ? generator : 0);
  return (value << checks) | rest;
}

/** How badly a picture reads: runs, blocks, false corners, imbalance. @param {boolean[][]} rows */
function penalty(rows) {
  const size = rows.length;
  const columns = rows.map((_, at) => rows.map((row) => row[at]));
  let cost = 0;
  for (const line of [...rows, ...columns]) {
    const text = line.map(Number).join("");
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) cost += run.length - 2;
    for (const false_ of ["10111010000", "00001011101"]) for (let at = text.indexOf(false_); at >= 0; at = text.indexOf(false_, at + 1)) cost += 40;
  }
  for (let row = 1; row < size; row++) {
    for (let column = 1; column < size; column++) {
      const block = [rows[row][column], rows[row - 1][column], rows[row][column - 1], rows[row - 1][column - 1]];
      if (block.every((dark) => dark === block[0])) cost += 3;
    }
  }
  const dark = rows.flat().filter(Boolean).length;
  return cost + 10 * Math.floor(Math.abs((20 * dark) / (size * size) - 10));
}
