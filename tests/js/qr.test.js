/** QR codes, read by a foreign reader (jsQR) from pixels. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { MOST, pathOf, qr } from "../../static/desk/invitation/qr.js";

/** @type {typeof import("jsqr").default} */
const read = createRequire(import.meta.url)("jsqr");
const PIXELS = 4;

/** @type {(at: number) => string[]} */
const ALPHABETS = (at) => [..."AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_.#/:?&=%äöüßé€日本🙂"].slice(at % 5);

test("every_length_up_to_the_most_is_read_as_it_was_written", () => {
  const sides = new Set();
  for (let length = 0; length <= MOST; length++) {
    const text = link(length);
    const rows = qr(text);
    sides.add(rows.length);
    assert.equal(decoded(rows), text, `${length} bytes`);
  }
  assert.deepEqual([...sides], [21, 25, 29, 33, 37, 41, 45, 49, 53], "each version from 1 to 9");
});

test("texts_of_any_letters_are_read_as_they_were_written", () => {
  for (let round = 0; round < 60; round++) {
    const letters = ALPHABETS(round);
    const text = Array.from({ length: 3 + round }, () => letters[Math.floor(Math.random() * letters.length)]).join("");
    if (Buffer.byteLength(text) <= MOST) assert.equal(decoded(qr(text)), text);
  }
});

test("each_of_the_eight_masks_is_chosen_by_some_text_and_read", () => {
  const masks = new Set();
  for (let round = 0; masks.size < 8 && round < 2000; round++) {
    const text = link(40 + (round % 60));
    const rows = qr(text);
    const mask = maskOf(rows);
    if (!masks.has(mask)) assert.equal(decoded(rows), text);
    masks.add(mask);
  }
  assert.equal(masks.size, 8);
});

test("it_is_read_although_a_stain_covers_a_part", () => {
  const text = link(100);
  const rows = qr(text);
  const side = rows.length;
  for (let row = 0; row < 5; row++) for (let column = 0; column < 5; column++) rows[side - 12 - row][side - 12 - column] = true;
  assert.equal(decoded(rows), text);
});

test("a_text_that_is_too_long_is_refused", () => {
  assert.equal(MOST, 180);
  assert.throws(() => qr("x".repeat(MOST + 1)), RangeError);
  assert.throws(() => qr("ä".repeat(MOST / 2 + 1)), RangeError);
});

test("the_path_covers_exactly_the_dark_modules_with_a_margin_of_four_light_ones", () => {
  const rows = qr(link(90));
  const { path, side } = pathOf(rows);
  assert.equal(side, rows.length + 8);
  /** @type {boolean[][]} */
  const covered = Array.from({ length: side }, () => Array(side).fill(false));
  for (const [, x, y, width, height] of boxes(path)) {
    for (let row = y; row < y + height; row++) for (let column = x; column < x + width; column++) covered[row][column] = true;
  }
  assert.deepEqual(covered.slice(4, -4).map((row) => row.slice(4, -4)), rows);
  assert.equal(covered.flat().filter(Boolean).length, rows.flat().filter(Boolean).length, "nothing in the margin");
});

/** Something like a link. @param {number} bytes */
function link(bytes) {
  const symbols = "ABCDEFGHJKMNPQRSTVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const rest = Array.from({ length: bytes }, () => symbols[Math.floor(Math.random() * symbols.length)]).join("");
  return `https://video.example.org/#${rest}`.slice(-bytes || Infinity);
}

/** @param {boolean[][]} rows */
function decoded(rows) {
  const side = (rows.length + 8) * PIXELS;
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  rows.forEach((row, y) => row.forEach((dark, x) => {
    for (let at = 0; dark && at < PIXELS * PIXELS; at++) {
      const offset = (((y + 4) * PIXELS + Math.floor(at / PIXELS)) * side + (x + 4) * PIXELS + (at % PIXELS)) * 4;
      pixels.fill(0, offset, offset + 3);
    }
  }));
  const found = read(pixels, side, side);
  return found && Buffer.from(found.binaryData).toString("utf8");
}

/** As the format bits beside the upper left corner tell it. @param {boolean[][]} rows */
function maskOf(rows) {
  return [2, 3, 4].reduce((value, column) => 2 * value + Number(rows[8][column]), 0) ^ 0b101;
}

/** @param {string} path @returns {number[][]} */
function boxes(path) {
  const found = [...path.matchAll(/M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z/g)];
  assert.equal(found.map(([text]) => text).join(""), path);
  return found.map((match) => match.map(Number));
}
