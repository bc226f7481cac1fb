/**
 * The sign-in page and the practice's page for everybody: axe on each of their states in both languages, light and dark, wide and narrow,
 * and signing in by keyboard alone. `VISAVIS_SHOTS=DIR` keeps a picture of every state.
 */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { STATES as PRACTICE } from "../../static/desk/practice/samples.js";
import { STATES as SIGN_IN } from "../../static/desk/sign-in/samples.js";
import entry from "../../static/desk/words/entry.de.js";
import practice from "../../static/desk/words/practice.de.js";
import { violations } from "./lib/axe.js";
import { launch } from "./lib/browser.js";
import { Server } from "./lib/server.js";
import { SIZES, axeLooks, draw, measured, notLookedAt, openUnwired } from "./lib/states.js";
import { cleanUp, leaveAll } from "./lib/visit.js";

const SHOTS = process.env.VISAVIS_SHOTS;
const PAGES = [
  { name: "sign-in", folder: "sign-in", part: "entry", states: SIGN_IN, words: entry },
  { name: "practice", folder: "practice", part: "practice", states: PRACTICE, words: practice },
];

/** @type {Server} */
let server;
/** @type {import("./lib/browser.js").Browser} */
let browser;

before(async () => {
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  server = await Server.start();
  browser = await launch("chromium");
});
afterEach(leaveAll);
after(() => cleanUp(server));

for (const { name: page, folder, part, states, words } of PAGES) {
  describe(`every state of the page “${page}”`, () => {
    for (const language of /** @type {const} */ (["de", "en"])) {
      for (const scheme of /** @type {const} */ (["light", "dark"])) {
        test(`breaks no rule of axe and needs no sideways scrolling (${language}, ${scheme})`, { skip: notLookedAt(language, scheme) }, async () => {
          const visit = await openUnwired(browser, `${server.origin}/desk/${page}.html`, { folder, part, language, scheme });
          /** @type {string[]} */
          const found = [];
          for (const [width, height] of SIZES) {
            await visit.page.setViewport({ width, height });
            for (const [at, { name, state }] of states.entries()) {
              await draw(visit, state);
              const troubles = [...(axeLooks(width, at) ? await violations(visit) : []), ...(await measured(visit))];
              found.push(...troubles.map((trouble) => `${name} at ${width} px: ${trouble}`));
              if (SHOTS) await visit.shoot(join(SHOTS, `${page}-${name}-${language}-${scheme}-${width}.png`), !name.includes("shown"));
            }
          }
          assert.equal(found.join("\n"), "");
        });
      }
    }

    test("is among the samples: no sentence is left out", async () => {
      const visit = await openUnwired(browser, `${server.origin}/desk/${page}.html`, { folder, part, language: "de", scheme: "light" });
      const said = new Set();
      for (const { state } of states) for (const text of await draw(visit, state)) said.add(text);
      const all = [...said].join("\n");
      const left = Object.entries(words).filter(([key, text]) => !PASSING.test(key) && !text.split(/\{\w+\}/).every((piece) => all.includes(piece.trim())));
      assert.deepEqual(left.map(([key]) => key), []);
    });
  });
}

/** What is told in passing (`#told`), in no state of the page; and the same sentence at another field. */
const PASSING = /^(practice\.done|workplaces\.(refused|releasedNow|withdrawn)|people\.(given|withdrawn)|own\.(passwordChanged|passkeyAdded|ended)|software\.removed|data\.exported(Partly)?|entry\.(practiceMissing|practiceOdd|userMissing|userOdd|nameMissing|workplaceMissing|code-empty|code-length))$/;
