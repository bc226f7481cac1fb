/**
 * The tab that *Start* opens for the doctor (R09): its code comes from window to window, is good for minutes and one device, and ends with
 * the session while nobody has used it. In both browsers.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { openDesk } from "./lib/desk.js";
import { signOut } from "./lib/practice.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** A code, with its secret or without. */
const CODE = /[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}/;

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
  const skip = (/** @type {number} */ place) => notItsTurn((index + place) % 2, 2);
  describe(`in ${kind}`, () => {
    test("no address and no history holds the doctor's code, and the tab nothing of the practice's session", { skip: skip(0) }, async () => {
      const { desk } = await atAConsultation(browsers[kind]);
      const { tab, addresses } = await start(desk, browsers[kind]);
      await tab.onScreen("check");
      await tab.reload(); // before the code was used
      await tab.toRoom();
      await tab.reload();
      await tab.onScreen("room");
      assert.deepEqual(addresses.filter((address) => CODE.test(address) || address.includes("#")), []);
      assert.equal(await tab.read(() => location.href), `${server.origin}/`);
      assert.equal(await tab.read(() => Object.keys(sessionStorage).some((name) => name.startsWith("visavis.desk"))), false);
      assert.equal(await tab.read(() => window.opener), null);
    });

    test("whoever starts twice, or takes long, gets another code from the list, and nobody needs to know", { skip: skip(1) }, async () => {
      const { desk } = await atAConsultation(browsers[kind]);
      const first = await start(desk, browsers[kind]);
      await first.tab.onScreen("check");
      const second = await start(desk, browsers[kind]); // which makes the first one's code worthless
      await second.tab.onScreen("check");
      await first.tab.page.bringToFront();
      await first.tab.toRoom();
      await second.tab.page.bringToFront();
      await second.tab.join("waiting");
    });

    test("after sign-out a tab that had not joined says what to do, and one in its room goes on over a reload", { skip: skip(0) }, async () => {
      const { desk } = await atAConsultation(browsers[kind]);
      const { tab: room } = await start(desk, browsers[kind]);
      await room.toRoom();
      await desk.page.bringToFront();
      const { tab: late } = await start(desk, browsers[kind]);
      await late.onScreen("check");
      await desk.page.bringToFront();
      await signOut(desk);
      await late.page.bringToFront();
      await late.devicesAnswer();
      await late.click("#join");
      await late.onScreen("problem");
      await late.says("#problem-title", de["problem.code-used.title"]);
      await late.says("#problem-next", de["problem.code-used.next"]);
      await room.page.bringToFront();
      await room.reload();
      await room.onScreen("room");
    });
  });
}

/** The list, with a consultation that is open. @param {import("./lib/browser.js").Browser} browser */
async function atAConsultation(browser) {
  server = await Server.start();
  const desk = await openDesk(server, browser);
  await desk.click("#now");
  await desk.onScreen("detail");
  return { desk };
}

/**
 * *Start*, and the tab that it opens with all addresses that the tab ever had.
 * @param {Visit} desk
 * @param {import("./lib/browser.js").Browser} browser
 */
async function start(desk, browser) {
  const before = await desk.context.pages();
  await desk.page.bringToFront();
  await desk.click("#screen-detail [data-do=start]");
  const page = await until("the doctor's tab", async () => (await desk.context.pages()).find((page) => !before.includes(page)));
  /** @type {string[]} */
  const addresses = [page.url()];
  page.on("framenavigated", (frame) => addresses.push(frame.url()));
  const tab = await Visit.adopt("doctor", browser, desk.context, page);
  await tab.page.bringToFront();
  return { tab, addresses };
}
