/** The desk's catalogues: complete, friendly, and used as they are. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../static/desk/", import.meta.url);
const names = readdirSync(folder, { recursive: true }).map(String);
const pages = names.filter((name) => name.endsWith(".html") && name !== "sheet.html").map(read).join("\n"); // the sheet has the patient's words
const scripts = names.filter((name) => name.endsWith(".js") && !name.startsWith("words/") && !name.endsWith("samples.js"));
const sources = [pages, ...scripts.map(read), read("../shared/dom.js")].join("\n");
const parts = names.flatMap((name) => /^words\/(\w+)\.de\.js$/.exec(name)?.[1] ?? []);

/** @param {string} part @param {string} language @returns {Promise<Record<string, string>>} */
async function catalogue(part, language) {
  return (await import(new URL(`words/${part}.${language}.js`, folder).href)).default;
}

for (const part of parts) {
  test(`the_words_of_${part}_are_the_same_sentences_in_the_same_order_with_the_same_holes`, async () => {
    const [de, en] = await Promise.all([catalogue(part, "de"), catalogue(part, "en")]);
    assert.deepEqual(Object.keys(en), Object.keys(de));
    for (const [key, text] of Object.entries(de)) assert.deepEqual(holes(en[key]), holes(text), key);
  });

  test(`no_sentence_of_${part}_shouts_or_is_empty`, async () => {
    for (const language of ["de", "en"]) {
      for (const [key, text] of Object.entries(await catalogue(part, language))) {
        assert.ok(text.trim() !== "", key);
        assert.ok(!text.includes("!"), `${key} has no exclamation mark`);
      }
    }
  });

  test(`every_sentence_of_${part}_is_used`, async () => {
    const fixed = new Set([...sources.matchAll(/["`']([\w.-]+)["`']/g)].map(([, key]) => key));
    const begun = [...sources.matchAll(/`([\w-]+\.(?:[\w-]+\.)?\w*)\$\{/g)].map(([, start]) => start);
    const ends = [...sources.matchAll(/\}([A-Z]\w+)`/g)].map(([, end]) => end);
    for (const key of Object.keys(await catalogue(part, "de"))) {
      const used = fixed.has(key) || begun.some((start) => key.startsWith(start)) || ends.some((end) => key.endsWith(end));
      assert.ok(used || ["language", "locale", "direction"].includes(key), `${key} is used`);
    }
  });
}

test("no_sentence_of_entry_and_practice_is_long", async () => {
  for (const part of ["frame", "entry", "practice"]) {
    for (const language of ["de", "en"]) {
      for (const [key, text] of Object.entries(await catalogue(part, language))) {
        for (const sentence of text.split(/[.?:](?:\s|$)/)) assert.ok(sentence.split(/\s+/).length <= 20, `${key}: ${sentence}`);
      }
    }
  }
});

test("every_key_of_the_markup_has_words", async () => {
  const known = new Set();
  for (const part of parts) for (const key of Object.keys(await catalogue(part, "de"))) known.add(key);
  const keys = [...pages.matchAll(/data-(?:say|saying|label|text)="([^"]*)"/g)].map(([, key]) => key);
  assert.ok(keys.length > 100);
  for (const key of keys) assert.ok(known.has(key), key);
});

/** @param {string} text */
function holes(text) {
  return [...text.matchAll(/\{\w+\}/g)].map(String).sort();
}

/** @param {string} name */
function read(name) {
  return readFileSync(new URL(name, folder), "utf8");
}
