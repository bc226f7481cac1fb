/**
 * The consultation page for everybody: axe on each of its states in both languages, light and dark, wide and narrow; the
 * whole way by keyboard alone; 400 % zoom without sideways scrolling. `VISAVIS_SHOTS=DIR` keeps a picture of every state.
 */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { STATES } from "../../static/consultation/samples.js";
import de from "../../static/shared/words/de.js";
import { violations } from "./lib/axe.js";
import { launch } from "./lib/browser.js";
import { NAME, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { axeLooks, notLookedAt } from "./lib/states.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const SHOTS = process.env.VISAVIS_SHOTS;
/** A desk, a phone, a phone on its side, and 1280 px at 400 % (WCAG 1.4.10): 320 px. */
const SIZES = [[1280, 800], [360, 640], [640, 360], [320, 740]];
const WIDTHS = SIZES.map(([width]) => width);
const TARGET_PX = 48;

/** @type {Server} */
let server;
/** @type {{ doctor: import("./lib/browser.js").Browser, patient: import("./lib/browser.js").Browser }} */
let browsers;

before(async () => {
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  server = await Server.start({ args: ["--practice-name", "Praxis am Markt", "--practice-phone", "030 1234567"] });
  browsers = { doctor: await launch("chromium"), patient: await launch("chromium") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

describe("every state of the page", () => {
  for (const language of /** @type {const} */ (["de", "en"])) {
    for (const scheme of /** @type {const} */ (["light", "dark"])) {
      test(`breaks no rule of axe and needs no sideways scrolling (${language}, ${scheme}, ${WIDTHS.join(" and ")} px)`, { skip: notLookedAt(language, scheme) }, async () => {
        const visit = await openUnwired(language, scheme);
        /** @type {string[]} */
        const found = [];
        const visited = new Set();
        for (const [width, height] of SIZES) {
          await visit.page.setViewport({ width, height });
          for (const [at, { name, state }] of STATES.entries()) {
            await draw(visit, { ...state, language });
            visited.add(name);
            const troubles = [...(axeLooks(width, at) ? await violations(visit) : []), ...(await measured(visit))];
            found.push(...troubles.map((trouble) => `${name} at ${width} px: ${trouble}`));
            if (SHOTS) await visit.shoot(join(SHOTS, `${name}-${language}-${scheme}-${width}.png`));
          }
        }
        assert.equal(found.join("\n"), "");
        assert.equal(visited.size, STATES.length, "every state has its own name and was drawn");
      });
    }
  }

  test("is among the samples: no screen, panel, problem, trouble or end is left out", async () => {
    const visit = await openUnwired("de", "light");
    /** @type {Set<string>} */
    const shown = new Set();
    const said = new Set();
    for (const { state } of STATES) {
      const seen = await draw(visit, { ...state, language: "de" });
      for (const id of seen.ids) shown.add(id);
      for (const text of seen.texts) said.add(text);
    }
    const all = await visit.read(() => [...document.querySelectorAll("section, dialog")].map(({ id }) => id));
    assert.deepEqual(all.filter((id) => !shown.has(id)), [], "screens and panels that no sample shows");
    const causes = Object.entries(de).filter(([key]) => /^(problem\.[\w-]+(\.title)?|(trouble|held|hint|ready)\..*|end\.\w+\.title|browser\.[\w-]+\.text|path\..*)$/.test(key));
    const left = causes.filter(([key, text]) => !["problem.retry", "problem.otherCode"].includes(key) && !said.has(text));
    assert.deepEqual(left.map(([key]) => key), [], "sentences that no sample shows");
  });
});

test("imprint, privacy notice and terms break no rule either, and are read without script", async () => {
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    const visit = await openUnwired("de", scheme);
    for (const page of ["imprint", "privacy", "terms"]) {
      await visit.page.goto(`${server.origin}/legal/${page}`);
      assert.deepEqual(await visit.read(() => [document.scripts.length, document.querySelectorAll("main section").length]), [0, 2]);
      for (const width of WIDTHS) {
        await visit.page.setViewport({ width, height: 740 });
        assert.deepEqual([...(await violations(visit)), ...(await measured(visit))], [], `${page}, ${scheme}, ${width} px`);
      }
    }
  }
});

test("nobody meets a broken rule on the way through a real call", async () => {
  const { doctor, patient } = await meet(server, browsers);
  /** @param {string} where */
  const clean = async (where) => {
    for (const visit of [doctor, patient]) assert.deepEqual(await violations(visit), [], `${visit.who}, ${where}`);
    if (SHOTS) for (const visit of [doctor, patient]) await visit.shoot(join(SHOTS, `real-${where}-${visit.who}.png`));
  };
  await clean("call");
  await doctor.click("#more");
  await doctor.visible("#panel-more");
  await clean("menu");
  await doctor.click("#panel-more [data-do=sendBack]");
  await patient.onScreen("waiting");
  await doctor.visible(".knock");
  await clean("knock");
  await doctor.admit();
  await Promise.all([doctor.receives(), patient.receives()]);
  await doctor.click("#hangup");
  await patient.onScreen("end");
  await clean("end");
});

test("a menu that is closed and opened again in the same moment stays open", async () => {
  const { doctor } = await meet(server, browsers);
  await doctor.click("#more");
  await doctor.visible("#panel-more");
  await doctor.read(async () => {
    const panel = /** @type {HTMLDialogElement} */ (document.querySelector("#panel-more"));
    const closed = new Promise((done) => panel.addEventListener("close", () => setTimeout(done)));
    panel.close();
    /** @type {HTMLElement} */ (document.querySelector("#more")).click();
    await closed;
  });
  assert.equal(await doctor.read(() => document.querySelector("#panel-more")?.checkVisibility()), true);
});

test("the whole way by keyboard alone, for patient and doctor", async () => {
  const consultation = await server.plan();
  const doctor = await Visit.open("doctor", browsers.doctor, consultation.doctor.link);
  await doctor.onScreen("check");
  await doctor.press("#join");
  await doctor.onScreen("room");

  const patient = await Visit.open("patient", browsers.patient, server.origin);
  await patient.onScreen("code");
  await patient.tabTo("#code");
  await patient.page.keyboard.type(consultation.patient.code);
  await patient.page.keyboard.press("Enter");
  await patient.onScreen("welcome");
  await patient.tabTo("#name");
  await patient.page.keyboard.type(NAME);
  await patient.page.keyboard.press("Enter");
  await patient.onScreen("check");
  await patient.devicesAnswer();
  await patient.press("#screen-check [data-device=microphone]", "Space");
  await patient.see("the microphone is off", () => document.querySelector("#screen-check [data-device=microphone][role=switch]")?.getAttribute("aria-checked") === "false");
  await patient.press("#join", "Space");
  await patient.onScreen("waiting");

  await doctor.visible(".knock");
  await doctor.press(".knock [data-do=admit]");
  await Promise.all([doctor.receives(), patient.receives()]);
  await patient.press("#bar [data-device=microphone]", "Space");
  await patient.see("the microphone is on again", () => document.querySelector("#bar [data-device=microphone]")?.getAttribute("aria-checked") === "true");
  await doctor.says(".partner [data-device=microphone]", de["device.microphone.on"]);
  await patient.press("#own-tile .grip");
  await patient.see("the pictures are swapped", () => document.querySelector("#stage")?.hasAttribute("data-swapped"));
  await patient.page.keyboard.press("ArrowDown");
  await patient.see("the small picture moved", () => /** @type {HTMLElement} */ (document.querySelector("#stage")).dataset.corner === "end-bottom");

  await doctor.press("#more");
  await doctor.visible("#panel-more");
  await doctor.page.keyboard.press("Escape");
  await doctor.see("the menu is closed and its button has the focus", () =>
    !document.querySelector("#panel-more")?.checkVisibility() && document.activeElement?.id === "more");
  await doctor.page.keyboard.press("Enter");
  await doctor.press("#panel-more [data-do=sendBack]");
  await patient.onScreen("waiting");
  await doctor.visible(".knock");
  await doctor.press(".knock [data-do=admit]");
  await Promise.all([doctor.receives(), patient.receives()]);
  await patient.press("#hangup");
  await patient.onScreen("end");
  await patient.press("#rejoin");
  await Promise.all([doctor.receives(), patient.receives()]);
  await doctor.press("#hangup");
  await doctor.onScreen("end");
  await patient.onScreen("end");
});

/**
 * The page without `main.js`: nothing changes what a test draws.
 * @param {string} language
 * @param {"light" | "dark"} scheme
 */
async function openUnwired(language, scheme) {
  const visit = await Visit.open("page", browsers.patient, "about:blank", { scheme });
  await visit.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }]);
  await visit.page.setRequestInterception(true);
  visit.page.on("request", (request) =>
    request.url().endsWith("/main.js") ? request.respond({ contentType: "text/javascript", body: "" }) : request.continue());
  await visit.page.goto(server.origin);
  await visit.read(async (which) => {
    const page = /** @type {any} */ (window);
    page.__view = await import(`${location.origin}/consultation/view.js`);
    page.__words = (await import(`${location.origin}/shared/words/${which}.js`)).default;
  }, language);
  return visit;
}

/**
 * @param {Visit} visit
 * @param {import("../../static/consultation/types.js").State} state
 * @returns {Promise<{ ids: string[], texts: string[] }>} the screens and panels that are to be seen, and every text in them
 */
async function draw(visit, state) {
  const drawn = await visit.read((sample) => {
    const { __view: view, __words: words } = /** @type {any} */ (window);
    view.render(sample, words);
    const seen = [...document.querySelectorAll("section, dialog")].filter((element) => element.checkVisibility());
    const parts = seen.flatMap((element) => [...element.querySelectorAll("*")]).filter((element) => element.checkVisibility());
    return { ids: seen.map(({ id }) => id), texts: parts.map((element) => element.textContent ?? "") };
  }, state);
  assert.ok(drawn.ids.includes(`screen-${state.screen}`), `${state.screen} is drawn`);
  return drawn;
}

/**
 * What axe does not measure: sideways scrolling, text that leaves the window, and targets that are too small (R40).
 * @param {Visit} visit
 * @returns {Promise<string[]>}
 */
function measured(visit) {
  return visit.read((least) => {
    /** @param {Element} element */
    const name = (element) => `${element.localName}${element.id ? `#${element.id}` : ""}${element.getAttribute("data-do") ? `[data-do=${element.getAttribute("data-do")}]` : ""}`;
    const found = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} px wide`);
    for (const panel of document.querySelectorAll("dialog[open]")) {
      if (panel.scrollWidth > panel.clientWidth) found.push(`${panel.id} scrolls sideways`);
    }
    const top = document.querySelector("dialog[open]") ?? document;
    for (const element of top.querySelectorAll("h1, h2, h3, p, button, input, select, summary, label, li")) {
      if (!element.checkVisibility() || element.closest(".unseen, .symbols")) continue;
      const box = element.getBoundingClientRect();
      if (box.left < -1 || box.right > clientWidth + 1) found.push(`${name(element)} leaves the window: ${Math.round(box.left)} to ${Math.round(box.right)} px`);
      const inView = box.top >= -1 && box.bottom <= innerHeight + 1;
      if (element.closest("#bar") && getComputedStyle(document.body).overflowY === "hidden" && !inView) found.push(`${name(element)} lies outside: ${Math.round(box.top)} to ${Math.round(box.bottom)} px`);
      const target = element.matches("button, input, select, summary");
      if (target && (box.width < least - 0.5 || box.height < least - 0.5)) found.push(`${name(element)} is only ${Math.round(box.width)} x ${Math.round(box.height)} px`);
    }
    return found;
  }, TARGET_PX);
}
