/**
 * The practice's list for everybody: axe on each of its states in both languages, light and dark, wide and narrow.
 * `VISAVIS_SHOTS=DIR` keeps a picture of every state.
 */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { STATES } from "../../static/desk/list/samples.js";
import de from "../../static/desk/words/list.de.js";
import { violations } from "./lib/axe.js";
import { launch } from "./lib/browser.js";
import { Server } from "./lib/server.js";
import { SIZES, axeLooks, notLookedAt } from "./lib/states.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const SHOTS = process.env.VISAVIS_SHOTS;
const TARGET_PX = 48;

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

describe("every state of the list, the detail and the form", () => {
  for (const language of /** @type {const} */ (["de", "en"])) {
    for (const scheme of /** @type {const} */ (["light", "dark"])) {
      test(`breaks no rule of axe and needs no sideways scrolling (${language}, ${scheme})`, { skip: notLookedAt(language, scheme) }, async () => {
        const visit = await openUnwired(language, scheme);
        /** @type {string[]} */
        const found = [];
        for (const [width, height] of SIZES) {
          await visit.page.setViewport({ width, height });
          for (const [at, { name }] of STATES.entries()) {
            await draw(visit, name, language);
            const troubles = [...(axeLooks(width, at) ? await violations(visit) : []), ...(await measured(visit))];
            found.push(...troubles.map((trouble) => `${name} at ${width} px: ${trouble}`));
            if (SHOTS) await visit.shoot(join(SHOTS, `${name}-${language}-${scheme}-${width}.png`), true);
          }
        }
        assert.equal(found.join("\n"), "");
      });
    }
  }

  test("is among the samples: no screen, mark or sentence is left out", async () => {
    const visit = await openUnwired("de", "light");
    const said = new Set();
    for (const { name } of STATES) for (const text of await draw(visit, name, "de")) said.add(text);
    const all = [...said].join("\n");
    const left = Object.entries(de).filter(([, text]) => !text.split(/\{\w+\}/).every((part) => all.includes(part.trim())));
    assert.deepEqual(left.map(([key]) => key), []);
  });
});

/**
 * The page without `main.js`: nothing changes what a test draws.
 * @param {string} language
 * @param {"light" | "dark"} scheme
 */
async function openUnwired(language, scheme) {
  const visit = await Visit.open("page", browser, "about:blank", { scheme });
  await visit.page.emulateTimezone("Europe/Berlin");
  await visit.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }]);
  await visit.page.setRequestInterception(true);
  visit.page.on("request", (request) =>
    request.url().endsWith("/main.js") ? request.respond({ contentType: "text/javascript", body: "" }) : request.continue());
  await visit.page.goto(`${server.origin}/desk/index.html`);
  await visit.read(async (which) => {
    const page = /** @type {any} */ (window);
    page.__view = await import(`${location.origin}/desk/list/view.js`);
    const { STATES } = await import(`${location.origin}/desk/list/samples.js`);
    page.__states = Object.fromEntries(STATES.map((/** @type {any} */ { name, state }) => [name, state]));
    page.__words = await (await import(`${location.origin}/desk/words.js`)).load(which, "list", "invitation");
  }, language);
  return visit;
}

/**
 * @param {Visit} visit
 * @param {string} name
 * @param {string} language
 * @returns {Promise<string[]>} every text that is to be seen or heard
 */
async function draw(visit, name, language) {
  const drawn = await visit.read((which, spoken) => {
    const { __view: view, __words: words, __states: states } = /** @type {any} */ (window);
    view.render({ ...states[which], language: spoken }, words);
    const parts = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility());
    const screen = [...document.querySelectorAll("main > section:not(#door)")].filter((element) => element.checkVisibility()).map(({ id }) => id);
    return { screen, wanted: states[which].screen, texts: [document.title, ...parts.flatMap((element) => [element.textContent ?? "", element.getAttribute("aria-label") ?? ""])] };
  }, name, language);
  assert.deepEqual(drawn.screen, [`screen-${drawn.wanted}`], name);
  return drawn.texts;
}

/**
 * What axe does not measure: sideways scrolling, text that leaves the window, and targets that are too small (R40).
 * @param {Visit} visit
 * @returns {Promise<string[]>}
 */
function measured(visit) {
  return visit.read((least) => {
    /** @param {Element} element */
    const name = (element) => `${element.localName}${element.id ? `#${element.id}` : `.${element.className}`}`;
    const found = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} px wide`);
    const top = document.querySelector("dialog[open]") ?? document;
    for (const element of top.querySelectorAll("h1, h2, h3, p, a, button, input, select, textarea, summary, label, li, dd")) {
      if (!element.checkVisibility() || element.closest(".unseen, .symbols")) continue;
      const box = element.getBoundingClientRect();
      if (box.left < -1 || box.right > clientWidth + 1) found.push(`${name(element)} leaves the window: ${Math.round(box.left)} to ${Math.round(box.right)} px`);
      const target = element.matches("button, select, textarea, summary, input:not([type=checkbox], [type=radio]), label:has(input[type=checkbox], input[type=radio]), a") && !element.closest("dd, p:not(:has(> .back))");
      if (target && (box.width < least - 0.5 || box.height < least - 0.5)) found.push(`${name(element)} is only ${Math.round(box.width)} x ${Math.round(box.height)} px`);
    }
    return found;
  }, TARGET_PX);
}
