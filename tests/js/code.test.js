/** Access codes: what is forgiven, and what the check symbol catches (R13). */

import assert from "node:assert/strict";
import { test } from "node:test";

import { format, fromFragment, fromInput, normalize, problem } from "../../static/shared/code.js";

const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GOOD = "K7QF3XM29TDA";

test("the_example_of_the_protocol_is_well_formed", () => {
  assert.equal(problem("K7QF-3XM2-9TDA"), null);
});

test("case_spaces_dashes_and_look_alikes_are_forgiven", () => {
  for (const typed of ["k7qf3xm29tda", " K7QF 3XM2 9TDA ", "K7QF–3XM2—9TDA", "K7QF.3XM2.9TDA", "\u200bK7QF\u00a03XM2\u00ad9TDA", "Ｋ７QF-3XM2-9TDA"]) {
    assert.equal(normalize(typed), GOOD, typed);
    assert.equal(problem(typed), null, typed);
  }
  assert.equal(normalize("o-i-l-u"), "011V");
});

test("every_single_error_is_caught", () => {
  for (let at = 0; at < GOOD.length; at++) {
    for (const symbol of SYMBOLS) {
      if (symbol === GOOD[at]) continue;
      assert.equal(problem(GOOD.slice(0, at) + symbol + GOOD.slice(at + 1)), "code-typo", `${symbol} at ${at}`);
    }
  }
});

test("every_swap_of_neighbours_is_caught", () => {
  const others = ["0123456789A", "ZYXWVTSRQPN", "5H5H5H5H5H5"].map(complete);
  for (const code of [GOOD, ...others]) {
    for (let at = 0; at + 1 < code.length; at++) {
      const swapped = code.slice(0, at) + code[at + 1] + code[at] + code.slice(at + 2);
      if (swapped !== code) assert.equal(problem(swapped), "code-typo", `${code} at ${at}`);
    }
  }
});

test("what_is_no_code_is_told_by_what_is_wrong", () => {
  assert.equal(problem(""), "code-empty");
  assert.equal(problem(" - "), "code-empty");
  assert.equal(problem("K7QF-3XM2-9TD"), "code-length");
  assert.equal(problem("K7QF-3XM2-9TDAA"), "code-length");
  assert.equal(problem("K7QF-3XM2-9TDÄ"), "code-typo");
});

test("a_code_is_shown_in_groups_of_four", () => {
  assert.equal(format("k7qf3xm29tda"), "K7QF-3XM2-9TDA");
  assert.equal(format("k7qf3"), "K7QF-3");
  assert.equal(format(""), "");
});

test("a_fragment_gives_code_and_secret", () => {
  const secret = "AAECAwQFBgcICQoLDA0ODw";
  assert.deepEqual(fromFragment(`#K7QF-3XM2-9TDA.${secret}`), { code: GOOD, secret });
  assert.deepEqual(fromFragment("#K7QF-3XM2-9TDA"), { code: GOOD, secret: null });
  assert.deepEqual(fromFragment(`#K7QF%2D3XM2-9TDA.${secret}).`), { code: GOOD, secret });
  assert.deepEqual(fromFragment("#K7QF-3XM2-9TDA.cutoff"), { code: GOOD, secret: null });
  assert.deepEqual(fromFragment(`#K7QF-3XM2-9TDA.${secret}AB`), { code: GOOD, secret: null });
  assert.deepEqual(fromFragment("#%"), { code: "", secret: null });
  assert.equal(fromFragment(""), null);
  assert.equal(fromFragment("#"), null);
});

test("a_whole_link_may_be_pasted_as_a_code", () => {
  const secret = "AAECAwQFBgcICQoLDA0ODw";
  assert.deepEqual(fromInput(`https://video.example/#K7QF-3XM2-9TDA.${secret}`), { code: GOOD, secret });
  assert.deepEqual(fromInput("k7qf 3xm2 9tda"), { code: GOOD, secret: null });
  assert.deepEqual(fromInput(""), { code: "", secret: null });
});

/** @param {string} eleven */
function complete(eleven) {
  const found = [...SYMBOLS].filter((symbol) => problem(eleven + symbol) === null);
  assert.equal(found.length, 1, "exactly one check symbol fits");
  return eleven + found[0];
}
