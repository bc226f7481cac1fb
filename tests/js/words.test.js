/** The catalogues: complete, friendly, and used as they are. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import de from "../../static/shared/words/de.js";
import en from "../../static/shared/words/en.js";

const folder = new URL("../../static/consultation/", import.meta.url);
const page = read("index.html");
const own = readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "samples.js");
const scripts = [...own, "../shared/dom.js"].map(read).join("\n");

test("both_catalogues_have_the_same_sentences_in_the_same_order", () => {
  assert.deepEqual(Object.keys(en), Object.keys(de));
});

test("a_sentence_asks_for_the_same_words_in_both_languages", () => {
  for (const [key, text] of Object.entries(de)) assert.deepEqual(holes(en[key]), holes(text), key);
});

test("no_sentence_shouts_or_is_empty_or_long", () => {
  for (const [key, text] of [...Object.entries(de), ...Object.entries(en)]) {
    assert.ok(text.trim() !== "", key);
    assert.ok(!text.includes("!"), `${key} has no exclamation mark`);
    for (const sentence of text.split(/[.?:](?:\s|$)/)) assert.ok(sentence.split(/\s+/).length <= 15, `${key}: ${sentence}`);
  }
});

test("every_key_of_the_markup_has_words", () => {
  const keys = [...page.matchAll(/data-say="([^"]*)"/g)].map(([, key]) => key);
  assert.ok(keys.length > 20);
  for (const key of keys) assert.ok(key in de, key);
});

test("every_sentence_is_used", () => {
  const sources = page + scripts;
  const fixed = [...sources.matchAll(/["`]([\w.-]+)["`]/g)].map(([, key]) => key);
  const prefixes = [...sources.matchAll(/`([\w-]+\.(?:[\w-]+\.)?)\$\{/g)].map(([, prefix]) => prefix);
  const bare = ["waiting."]; // chosen by the last part
  for (const key of Object.keys(de)) {
    const used = fixed.includes(key) || [...prefixes, ...bare].some((prefix) => key.startsWith(prefix));
    assert.ok(used || ["language", "locale", "direction"].includes(key), `${key} is used`);
  }
});

/** @param {string} text */
function holes(text) {
  return [...text.matchAll(/\{\w+\}/g)].map(String).sort();
}

/** @param {string} name */
function read(name) {
  return readFileSync(new URL(name, folder), "utf8");
}
