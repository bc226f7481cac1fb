/**
 * After sign-out no tab, no entry of the history and no way back shows a patient (R62): in both browsers, with the network and without.
 * A page that a browser keeps whole for its way back is looked at in the moment at which it comes back, before any of its own code runs.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { launch } from "./lib/browser.js";
import { openDesk } from "./lib/desk.js";
import { signOut } from "./lib/practice.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const NAME = "Zephyrine Kanarienvogel";
const NOTE = "Kanariennotiz";
/** What is behind the sign-in page: the practice's page, a consultation, the list, the form. */
const BACK = 4;

/** @type {Record<string, import("./lib/browser.js").Browser>} */
let browsers;
/** @type {Server} */
let server;

before(async () => {
  browsers = { chromium: await launch("chromium"), firefox: await launch("firefox") };
});
afterEach(() => leaveAll().finally(() => server.stop()));
after(() => cleanUp());

for (const [index, kind] of ["chromium", "firefox"].entries()) {
  // Each test in the other browser tomorrow, and in each browser half of them today.
  const skip = (/** @type {number} */ place) => notItsTurn((index + place) % 2, 2);
  describe(`in ${kind}`, () => {
    for (const isOffline of [false, true]) {
      test(`nothing behind the sign-in page shows a patient, ${isOffline ? "without" : "with"} a network`, { skip: skip(Number(isOffline)) }, async () => {
        const visit = await atTheDesk(browsers[kind]);
        await visit.click("nav a[href='/desk/practice.html']");
        await visit.onScreen("workplaces");
        await signOut(visit);
        await forget(visit);
        if (isOffline) await disconnect(visit);
        for (let step = 1; step <= BACK; step++) await back(visit, step, isOffline);
        if (isOffline) await reconnect(visit);
        // As somebody would who types the address: Firefox's driver does not lead out of its own page of the missing network.
        await until("the sign-in page", async () => {
          const shown = await visit.page.evaluate(() => document.body?.dataset.screen);
          if (shown !== "signIn") await visit.page.evaluate((where) => location.replace(where), `${server.origin}/desk/sign-in.html`);
          return shown === "signIn";
        }, { every: 500 });
        // That page's scripts are the browser's own.
        visit.errors.length = 0;
        const shown = (await seen(visit)).filter(({ named }) => named);
        assert.deepEqual(shown, [], "in no moment");
      });
    }

    test("a page that is left keeps neither names nor keys, and comes back while the session lives", { skip: skip(0) }, async () => {
      const visit = await atTheDesk(browsers[kind]);
      await visit.click("nav a[href='/desk/practice.html']");
      await visit.onScreen("workplaces");
      const left = (await seen(visit)).filter(({ when }) => when === "hide");
      assert.deepEqual(left.map(({ named }) => named), [false]);
      await visit.page.evaluate(() => history.back()).catch(() => {});
      await visit.onScreen("list");
      await visit.see("the name", (name) => document.body.textContent?.includes(name), NAME);
    });

    test("every other tab is signed out, too: the list, a consultation, the sheet for paper", { skip: skip(1) }, async () => {
      const visit = await atTheDesk(browsers[kind]);
      const others = [];
      for (const path of ["/desk/", `/desk/${await visit.read(() => /** @type {any} */ (window).__consultation)}`]) others.push(await another(visit, path));
      for (const other of others) await other.see("the name", (name) => document.body.textContent?.includes(name), NAME);
      const own = await another(visit, "/desk/practice.html");
      await own.onScreen("workplaces");
      await signOut(own);
      for (const other of [visit, ...others]) {
        await other.onScreen("signIn");
        const here = await other.read((texts) => texts.some((text) => document.documentElement.textContent?.includes(text)), [NAME, NOTE]);
        assert.equal(here, false);
        assert.equal(await other.read(() => sessionStorage.getItem("visavis.desk.token") ?? sessionStorage.getItem("visavis.desk")), null);
      }
    });
  });
}

test("the sheet for paper is blank, or gone, once its practice signed out", async () => {
  const visit = await atTheDesk(browsers.chromium);
  await visit.read((hash) => void (location.hash = hash), await visit.read(() => /** @type {any} */ (window).__consultation));
  await visit.onScreen("detail");
  const tab = new Promise((done) => visit.page.once("popup", done));
  await visit.click("[data-way=print]");
  const sheet = await Visit.adopt("sheet", browsers.chromium, visit.context, /** @type {any} */ (await tab));
  await sheet.visible("#sheet");
  await signOut(visit);
  await until("the sheet is gone", async () => sheet.page.isClosed() || (await sheet.read(() => document.body.childElementCount === 0)));
});

/** At the list, with one consultation that was opened before. @param {import("./lib/browser.js").Browser} browser */
async function atTheDesk(browser) {
  server = await Server.start();
  const visit = await openDesk(server, browser);
  await visit.page.evaluateOnNewDocument(watch, [NAME, NOTE]);
  await visit.reload();
  await visit.onScreen("list");
  await visit.read(() => void (location.hash = "#plan"));
  await visit.onScreen("plan");
  await visit.read((typed) => {
    for (const [field, value] of Object.entries(typed)) {
      const input = /** @type {HTMLInputElement} */ (document.querySelector(`#plan-${field}`));
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }, { name: NAME, note: NOTE });
  await visit.click("#plan-save");
  await visit.onScreen("detail");
  await visit.see("the record is saved", () => /** @type {HTMLElement} */ (document.querySelector("#unsaved")).hidden);
  await visit.read(() => void (/** @type {any} */ (window).__consultation = location.hash));
  await visit.click(".back");
  await visit.onScreen("list");
  await visit.see("the name", (name) => document.body.textContent?.includes(name), NAME);
  return visit;
}

/** In the page, before its own code: what it shows when it comes and when it goes. @param {string[]} names */
function watch(names) {
  const KEY = "test.seen";
  /** @param {string} when @param {PageTransitionEvent} event */
  const note = (when, { persisted }) => {
    if (!location.href.startsWith("http")) return; // the browser's own page, that there is no network
    const named = names.some((name) => document.documentElement.textContent?.includes(name));
    const before = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    sessionStorage.setItem(KEY, JSON.stringify([...before, { when, path: location.pathname, persisted, named }]));
  };
  addEventListener("pageshow", (event) => note("show", event));
  // After the page's own listener, whose module has run by then.
  document.addEventListener("DOMContentLoaded", () => addEventListener("pagehide", (event) => note("hide", event)));
}

/** @param {Visit} visit @returns {Promise<{ when: string, path: string, persisted: boolean, named: boolean }[]>} */
function seen(visit) {
  return visit.read(() => JSON.parse(sessionStorage.getItem("test.seen") ?? "[]"));
}

/** @param {Visit} visit */
function forget(visit) {
  return visit.read(() => sessionStorage.removeItem("test.seen"));
}

/** One step back, until what comes has settled and shows nobody. @param {Visit} visit @param {number} step @param {boolean} isOffline */
async function back(visit, step, isOffline) {
  await visit.page.evaluate(() => history.back()).catch(() => {});
  await until(`${step} back: a page without a patient`, async () => {
    const { screen, text } = await visit.page.evaluate(() => ({ screen: document.body?.dataset.screen, text: document.documentElement?.textContent ?? "" }));
    if (text.includes(NAME) || text.includes(NOTE)) return false;
    return isOffline || screen === "signIn";
  }, { why: () => visit.tell() });
}

/** Nothing answers any more. Firefox's driver does not lead back out of its offline mode: there the server ends. @param {Visit} visit */
async function disconnect({ browser, page }) {
  if (browser.kind === "chromium") await page.setOfflineMode(true);
  else await server.halt();
}

/** @param {Visit} visit */
async function reconnect({ browser, page }) {
  if (browser.kind === "chromium") await page.setOfflineMode(false);
  else await server.resume();
}

/** A tab opened from this one, with its session. @param {Visit} visit @param {string} path */
async function another(visit, path) {
  const tab = new Promise((done) => visit.page.once("popup", done));
  await visit.page.evaluate((where) => void window.open(where), path);
  return Visit.adopt("another", visit.browser, visit.context, /** @type {any} */ (await tab));
}
