/** What no page of ours may hold: recording (R25), lasting storage (R33), foreign addresses (R32), HTML in strings (R50). */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../static", import.meta.url));
const files = readdirSync(root, { recursive: true })
  .map((name) => join(root, String(name)))
  .filter((path) => statSync(path).isFile())
  .map((path) => ({ path, text: readFileSync(path, "utf8") }));

/** @type {[string, RegExp][]} */
const FORBIDDEN = [
  ["recording", /MediaRecorder|captureStream|RecordRTC/],
  ["lasting storage", /localStorage|indexedDB|document\.cookie|serviceWorker/],
  ["HTML in strings", /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser/],
  ["inline handlers and styles", /<[^>]+\s(?:on\w+|style)="/],
  ["changed session descriptions", /sdp\s*\.\s*replace|sdp\s*=[^=]/],
  ["foreign addresses", /(?:https?:|wss?:)?\/\/(?!www\.w3\.org\/2000\/svg)[a-z0-9-]+\.[a-z]{2,}/i],
];

/** A workplace's key pair, which nothing else can hold so that it cannot be taken out, and whether it hears a knock; a patient's page loads neither. */
const LASTING = [join(root, "desk", "places.js"), join(root, "desk", "list", "kept.js")];

test("the_pages_are_there", () => {
  assert.ok(files.length >= 14);
});

for (const [what, pattern] of FORBIDDEN) {
  test(`no_file_of_the_pages_holds_${what.replaceAll(" ", "_")}`, () => {
    for (const { path, text } of files) {
      if (what !== "lasting storage" || !LASTING.includes(path)) assert.doesNotMatch(text, pattern, path);
    }
  });
}
