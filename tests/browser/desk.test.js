/**
 * The practice's list with a real server: planned by keyboard, changed while a colleague changes it, called off; who waits
 * is seen, heard and started; what could not be saved is not lost. And nothing of a patient leaves the browser in the clear.
 */

import assert from "node:assert/strict";
import { afterEach, before, after, test } from "node:test";
import de from "../../static/desk/words/list.de.js";
import { violations } from "./lib/axe.js";
import { launch } from "./lib/browser.js";
import { openDesk } from "./lib/desk.js";
import { NAME } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @typedef {{ visit: Visit, server: Server, bodies: string[] }} At */

/** @type {{ desk: import("./lib/browser.js").Browser, patient: import("./lib/browser.js").Browser }} */
let browsers;
/** @type {Server[]} */
const servers = [];

before(async () => {
  browsers = { desk: await launch("chromium"), patient: await launch("chromium") };
});
afterEach(async () => {
  await leaveAll();
  for (const server of servers.splice(0)) await server.stop();
});
after(() => cleanUp());

const CANARY = "Kanarienvogel";

test("a whole plan by keyboard: no word of the patient leaves the browser, and everything is there again after a reload", async () => {
  const { visit, bodies, server } = await atTheDesk();
  await visit.press("a[href='#plan']");
  await visit.onScreen("plan");
  await visit.tabTo("#plan-name");
  await visit.page.keyboard.type(`${CANARY} Müller`);
  for (const [field, text] of [["title", "Kontrolle"], ["phone", "030 998877"], ["email", "m@example.org"]]) {
    await visit.tabTo(`[data-field=${field}]`);
    await visit.page.keyboard.type(`${field === "title" ? CANARY : ""}${text}`);
  }
  await visit.tabTo("#plan-note");
  await visit.page.keyboard.type(`${CANARY} Notiz`);
  await visit.tabTo("#plan-guests");
  await visit.page.keyboard.type(`${CANARY} Tochter`);
  await visit.press("#plan-save");
  await visit.onScreen("detail");
  await visit.says("#detail-title", `${CANARY} Müller`);
  assert.deepEqual(await violations(visit), []);
  const codes = await visit.read(() => [...document.querySelectorAll("#invitation .code-shown")].map(({ textContent }) => textContent));
  assert.equal(codes.filter((code) => /^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$/.test(code ?? "")).length, 2, "a code for the patient and one for the guest");
  await saved(visit);
  const planned = bodies.filter((body) => body.includes("durationMinutes") || body.includes("sealed"));
  assert.ok(planned.length >= 2, "the plan and the sealed record");
  for (const body of bodies) for (const secret of [CANARY, "998877", "example.org", ...codes]) assert.ok(!body.includes(String(secret)), body);
  for (const [path, data] of await server.files()) assert.ok(!data.includes(CANARY), path);

  await visit.reload();
  await visit.onScreen("detail");
  await visit.says("#detail-title", `${CANARY} Müller`);
  assert.deepEqual(await visit.read(() => [...document.querySelectorAll("#invitation .code-shown")].map(({ textContent }) => textContent)), codes);
  await visit.press(".back");
  await visit.onScreen("list");
  await visit.says(".visit [data-part=name]", `${CANARY} Müller`);
  assert.deepEqual(await violations(visit), []);
});

test("the search finds by name, note and number, the week by day, and the past has a list of its own", async () => {
  const { visit } = await atTheDesk();
  await plan(visit, { name: "Zoë Groß", date: daysAhead(0), time: "12:00", note: "bringt Befunde", phone: "+49 30 1234567" });
  await plan(visit, { name: "Jürgen Müller", date: daysAhead(1), time: "09:00" });
  await plan(visit, { name: "Anna Alt", date: daysAhead(-3), time: "09:00" });
  await open(visit, "#", "list");
  await names(visit, ["Zoë Groß", "Jürgen Müller"]);
  for (const [query, found] of [["gross zoe", "Zoë Groß"], ["mueller", "Jürgen Müller"], ["BEFUND", "Zoë Groß"], ["301234", "Zoë Groß"]]) {
    await search(visit, query);
    await names(visit, [found]);
  }
  await search(visit, "anna");
  await visit.says("#empty-text", de["list.empty.search"]);
  await visit.click("#empty-past");
  await names(visit, ["Anna Alt"]);
  await visit.click("#past");
  await search(visit, "");
  await names(visit, ["Zoë Groß", "Jürgen Müller"]);
  const tomorrow = `.day[data-day="${daysAhead(1)}"]`;
  if (new Date(`${daysAhead(1)}T12:00:00Z`).getUTCDay() === 1) await visit.click("[data-do=week][data-by='1']");
  await visit.click(tomorrow);
  await names(visit, ["Jürgen Müller"]);
  await visit.click(tomorrow);
  await names(visit, ["Zoë Groß", "Jürgen Müller"]);
});

test("what a colleague changes is seen without a reload, and what both change is not lost", async () => {
  const { visit } = await atTheDesk();
  const id = await plan(visit, { name: "Maria Beispiel", date: daysAhead(1), time: "09:00" });
  await open(visit, `#change=${id}`, "plan");
  await fill(visit, { note: "meine Notiz" });
  await colleague(visit, id, { durationMinutes: 45 });
  await visit.click("#plan-save");
  await visit.visible("#plan-stale");
  await visit.says("#plan-changes li", de["plan.staleFollowed"].replace("{field}", de["plan.duration"]).replace("{value}", "45"));
  assert.deepEqual(await visit.read(() => ["note", "duration"].map((field) => /** @type {HTMLInputElement} */ (document.querySelector(`[data-field=${field}]`)).value)), ["meine Notiz", "45"]);
  await visit.click("#plan-save");
  await visit.onScreen("detail");
  await visit.see("both changes", () => /meine Notiz/.test(document.querySelector("#facts")?.textContent ?? "") && /09:00 bis 09:45/.test(document.querySelector("#detail-when")?.textContent ?? ""));
  await colleague(visit, id, { durationMinutes: 60 });
  await visit.see("the colleague's change", () => /09:00 bis 10:00/.test(document.querySelector("#detail-when")?.textContent ?? ""));
});

test("past, overlap and the clocks are told, and nothing is forbidden", async () => {
  const { visit } = await atTheDesk();
  await plan(visit, { name: "Maria Beispiel", date: daysAhead(1), time: "09:00" });
  await open(visit, "#plan", "plan");
  await fill(visit, { name: "Zweite", date: daysAhead(1), time: "09:10" });
  await visit.says("#plan-doubts li", de["plan.overlap"].replace("{time}", "09:00").replace("{name}", "Maria Beispiel"));
  await fill(visit, { date: "2027-03-28", time: "02:30" });
  await visit.says("#plan-doubts li", de["plan.skipped"].replace("{time}", "02:30").replace("{then}", "03:30"));
  await visit.click("#plan-save");
  await visit.onScreen("detail");
  await visit.see("the server's time is the one that was told", () => /03:30 bis/.test(document.querySelector("#detail-when")?.textContent ?? ""));
  await visit.says("#told", de["plan.skipped"].replace("{time}", "02:30").replace("{then}", "03:30"));
});

test("who waits is seen, heard, announced and started; in the own call it is counted in silence", async () => {
  const { visit, server } = await atTheDesk();
  await listenForTones(visit);
  await visit.click("#now");
  await visit.onScreen("detail");
  await visit.visible("#detail-fresh");
  await saved(visit);
  const link = await patientLink(visit);
  assert.match(link, new RegExp(`^${server.origin}/#[0-9A-Z-]{14}\\.[\\w-]{22}$`));
  const patient = await Visit.open("patient", browsers.patient, link);
  await patient.toWaiting(NAME);
  await visit.says("#queue .who", `${de["list.somebody"]} wartet ${de["list.since.now"]}`);
  assert.equal(await tones(visit), 2, "a knock is two beats");
  await visit.see("the title counts", () => document.title.startsWith("(1)"));
  await visit.says("#announcer", de["list.somebodyKnocks"]);
  assert.deepEqual(await violations(visit), []);

  const opened = until("the call's tab", async () => (await visit.context.pages()).find((page) => page !== visit.page));
  await visit.press("#queue [data-do=start]");
  const doctor = await Visit.adopt("doctor", browsers.desk, visit.context, await opened);
  await doctor.page.bringToFront();
  await doctor.toRoom();
  await doctor.says(".knock [data-part=name]", NAME);
  await doctor.click(".knock [data-do=admit]");
  await doctor.onScreen("call");
  await patient.onScreen("call");
  await visit.page.bringToFront();
  await visit.see("nobody waits any more", () => /** @type {HTMLElement} */ (document.querySelector("#door")).hidden && !document.title.startsWith("("));
  await visit.says("#detail-marks [data-id=on], #detail-marks .badge", de["list.mark.on"]);
  assert.equal(await visit.read(() => /** @type {HTMLElement} */ (document.querySelector("#room")).hidden), true, "the way into the call is offered until it was taken");

  await visit.click(".back");
  await visit.click("#now");
  await visit.onScreen("detail");
  await saved(visit);
  const second = await Visit.open("second patient", browsers.patient, await patientLink(visit));
  await second.toWaiting("Gregor Gast");
  await visit.see("the title counts in the call, too", () => document.title.startsWith("(1)"));
  await visit.says("#door-quiet", de["list.quiet"]);
  assert.equal(await tones(visit), 2, "R08: silent in the call");
  await doctor.click("#hangup");
  await doctor.onScreen("end");
  await second.click("#screen-waiting [data-do=leave]");
  await visit.see("nobody waits", () => !document.title.startsWith("("));
  const third = await Visit.open("third", browsers.patient, await patientLink(visit));
  await third.toWaiting("Gregor Gast");
  await until("it is heard again", async () => (await tones(visit)) === 4);
});

test("the line to the server breaks and comes back by itself, with what was missed", async () => {
  const { visit, server } = await atTheDesk();
  const id = await plan(visit, { name: "Maria Beispiel", date: daysAhead(1), time: "09:00" });
  await visit.click(".back");
  await server.halt();
  await visit.says("#live-down", de["list.live.down"]);
  await server.resume();
  await visit.see("the line is back", () => /** @type {HTMLElement} */ (document.querySelector("#live-down")).hidden);
  await colleague(visit, id, { startsAt: `${daysAhead(1)}T11:30:00` });
  await visit.says(".visit [data-part=time]", "11:30");
});

test("what is planned between the list's answer and the line's first word is not missed", async () => {
  const { visit } = await atTheDesk();
  await visit.page.evaluateOnNewDocument(() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
      Object.assign(window, { __greet: () => send.call(this, data) });
    };
  });
  await visit.reload();
  await visit.onScreen("list");
  await visit.see("the line is up, and nothing was said yet", () => "__greet" in window);
  await visit.read(async () => (await import(`${location.origin}/desk/api.js`)).call("POST", "consultations", {}));
  assert.equal(await visit.read(() => document.querySelectorAll(".visit").length), 0);
  await visit.read(() => /** @type {any} */ (window).__greet());
  await visit.visible(".visit");
});

test("a plan whose record does not arrive is kept, told, and saved later, even after a reload", async () => {
  const { visit } = await atTheDesk();
  await visit.page.setRequestInterception(true);
  let broken = true;
  visit.page.on("request", (request) => (broken && request.method() === "PATCH" ? request.abort() : request.continue()));
  await plan(visit, { name: "Maria Beispiel", date: daysAhead(1), time: "09:00" }, false);
  await visit.says("#unsaved-text", de["list.unsaved.one"]);
  const link = await patientLink(visit);
  await visit.reload();
  await visit.onScreen("detail");
  await visit.says("#unsaved-text", de["list.unsaved.one"]);
  await visit.says("#detail-title", "Maria Beispiel");
  assert.equal(await patientLink(visit), link);
  const stored = await visit.read(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!stored.includes("Maria") && !stored.includes(link.split("#")[1]), "what is kept in the browser is sealed");
  broken = false;
  await visit.click("[data-do=saveAgain]");
  await visit.see("it is saved", () => /** @type {HTMLElement} */ (document.querySelector("#unsaved")).hidden);
  await visit.reload();
  await visit.onScreen("detail");
  await visit.says("#detail-title", "Maria Beispiel");
});

test("what was typed is there again after a reload, and a form that was left waits", async () => {
  const { visit } = await atTheDesk();
  await open(visit, "#plan", "plan");
  await visit.type("#plan-name", "Maria Beispiel");
  await visit.see("it is kept", () => sessionStorage.getItem("visavis.desk.draft"));
  assert.ok(!(await visit.read(() => JSON.stringify({ ...sessionStorage }))).includes("Maria"), "sealed");
  await visit.reload();
  await visit.onScreen("plan");
  const typed = () => visit.read(() => /** @type {HTMLInputElement} */ (document.querySelector("#plan-name")).value);
  assert.equal(await typed(), "Maria Beispiel");
  await visit.click("#plan-back");
  await visit.onScreen("list");
  await visit.click("a[href='#plan']");
  await visit.onScreen("plan");
  assert.equal(await typed(), "Maria Beispiel");
  await visit.click("[data-do=discard]");
  await visit.onScreen("list");
  await visit.click("a[href='#plan']");
  await visit.onScreen("plan");
  assert.equal(await typed(), "");
});

test("a record that this workplace cannot open says so, with the next step, and is never written over", async () => {
  const { visit } = await atTheDesk();
  const id = await plan(visit, { name: "Maria Beispiel", date: daysAhead(1), time: "09:00" });
  const sealed = `9.${"A".repeat(80)}`;
  await visit.click(".back");
  await colleague(visit, id, { sealed });
  await visit.says(".visit [data-part=name]", de["list.locked"]);
  await visit.click(".visit .open");
  await visit.visible("#detail-locked");
  await visit.click("#detail-change");
  await visit.visible("#plan-locked");
  await fill(visit, { time: "10:00" });
  await visit.click("#plan-save");
  await visit.onScreen("detail");
  await visit.see("the new time", () => /10:00 bis/.test(document.querySelector("#detail-when")?.textContent ?? ""));
  assert.equal(await visit.read(async (which) => (await (await import(`${location.origin}/desk/api.js`)).call("GET", `consultations/${which}`)).sealed, id), sealed);
});

test("seats are added, given a new code and removed; a call-off has its notice, and a deletion leaves nothing", async () => {
  const { visit } = await atTheDesk();
  const id = await plan(visit, { name: "Maria Beispiel", date: daysAhead(1), time: "09:00" });
  const shown = () => visit.read(() => [...document.querySelectorAll("#invitation [data-seat]")].map((card) => [card.querySelector("h3")?.textContent, card.querySelector(".code-shown")?.textContent]));
  const [[, first]] = await shown();
  await visit.type("#guest", "Dolmetscherin");
  await visit.page.keyboard.press("Enter");
  await visit.says("#told", de["detail.added"]);
  await visit.see("the guest has a code", () => document.querySelectorAll("#invitation .code-shown").length === 2);
  assert.equal((await shown())[1][0], "Dolmetscherin");
  await visit.click("#seats [data-dialog=reissue]");
  await visit.click("#dialog-yes");
  await visit.says("#told", de["detail.reissued"]);
  assert.notEqual((await shown())[0][1], first);
  await visit.click("#seats [data-seat='3'] [data-dialog=remove]");
  await visit.click("#dialog-yes");
  await visit.see("the guest is gone", () => document.querySelectorAll("#invitation .code-shown").length === 1);
  await visit.click("#ready-telephone");
  await visit.visible("#telephone");
  await saved(visit);

  await visit.click("#detail-cancel");
  await visit.page.keyboard.press("Escape");
  await visit.see("Escape answers no", () => !(/** @type {HTMLDialogElement} */ (document.querySelector("#dialog")).open));
  await visit.click("#detail-cancel");
  await visit.click("#dialog-yes");
  await visit.says("#told", de["detail.cancelled"]);
  await visit.says("#detail-marks .badge", de["list.mark.revoked"]);
  await visit.visible("#invitation [data-way=copyText]");
  assert.equal(await visit.read(() => document.querySelector("#invitation [data-way=copyLink]")?.checkVisibility()), false, "there is no link to give any more");
  await visit.click("#detail-delete");
  await visit.click("#dialog-yes");
  await visit.onScreen("list");
  await visit.says("#empty-text", de["list.empty"]);
  assert.equal(await visit.read(async (which) => (await import(`${location.origin}/desk/api.js`)).call("GET", `consultations/${which}`).catch((/** @type {any} */ problem) => problem.status), id), 404);
});

test("staff see the list and who waits, and no way to start", async () => {
  const { visit } = await atTheDesk({ role: "staff" });
  await visit.click("#now");
  await visit.onScreen("detail");
  await saved(visit);
  const patient = await Visit.open("patient", browsers.patient, await patientLink(visit));
  await patient.toWaiting(NAME);
  await visit.visible("#queue .who");
  assert.equal(await visit.read(() => [...document.querySelectorAll("[data-do=start]")].some((button) => button.checkVisibility())), false);
});

test("the practice's day and time are shown wherever the browser is", async () => {
  const { visit } = await atTheDesk({ zone: "America/New_York" });
  await plan(visit, { name: "Maria Beispiel", date: daysAhead(1), time: "01:30" });
  await visit.see("both clocks", () => /01:30 bis 01:50 Uhr \(bei Ihnen 19:30/.test(document.querySelector("#detail-when")?.textContent?.replace(/\u00a0/g, " ") ?? ""));
  await visit.click("#detail-change");
  await visit.says("#plan-zone", de["plan.zone"].replace("{zone}", "Europe/Berlin"));
  assert.equal(await visit.read(() => /** @type {HTMLInputElement} */ (document.querySelector("#plan-time")).value), "01:30");
});

// ---- ways ----

/**
 * A practice of its own, and its list.
 * @param {{ role?: "head" | "doctor" | "staff", zone?: string }} [how]
 * @returns {Promise<At>}
 */
async function atTheDesk({ role, zone = "Europe/Berlin" } = {}) {
  const server = await Server.start();
  servers.push(server);
  const visit = await openDesk(server, browsers.desk, { role });
  await visit.page.emulateTimezone(zone);
  /** @type {string[]} */
  const bodies = [];
  visit.page.on("request", (request) => bodies.push(request.postData() ?? ""));
  return { visit, server, bodies };
}

/**
 * Through the form.
 * @param {Visit} visit
 * @param {Record<string, string>} values
 * @returns {Promise<string>} its id; its detail is open
 */
async function plan(visit, values, wait = true) {
  await open(visit, "#plan", "plan");
  await fill(visit, values);
  await visit.click("#plan-save");
  await visit.onScreen("detail");
  if (wait) await saved(visit);
  return visit.read(() => location.hash.split("=")[1]);
}

/** @param {Visit} visit @param {string} hash @param {string} screen */
async function open(visit, hash, screen) {
  await visit.read((to) => void (location.hash = to), hash);
  await visit.onScreen(screen);
}

/** As typed; how dates are typed depends on the browser's language. @param {Visit} visit @param {Record<string, string>} values */
async function fill(visit, values) {
  await visit.onScreen("plan");
  await visit.read((typed) => {
    for (const [field, value] of Object.entries(typed)) {
      const input = /** @type {HTMLInputElement} */ (document.querySelector(`[data-field=${field}]`));
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }, values);
}

/** The record of the open detail is at the server. @param {Visit} visit */
function saved(visit) {
  return visit.see("the record is saved", async () => {
    const { call } = await import(`${location.origin}/desk/api.js`);
    const { sealed } = await call("GET", `consultations/${location.hash.split("=")[1]}`);
    return sealed !== null && /** @type {HTMLElement} */ (document.querySelector("#unsaved")).hidden;
  });
}

/** In place of what stood there. @param {Visit} visit @param {string} query */
async function search(visit, query) {
  await visit.click("#search");
  await visit.page.keyboard.down("Control");
  await visit.page.keyboard.press("a");
  await visit.page.keyboard.up("Control");
  await visit.page.keyboard.press("Backspace");
  await visit.page.keyboard.type(query);
}

/** The list shows exactly these, in this order. @param {Visit} visit @param {string[]} wanted */
function names(visit, wanted) {
  return visit.see(`the list shows ${wanted.join(", ")}`, (all) =>
    document.body.dataset.screen === "list" && JSON.stringify([...document.querySelectorAll(".visit [data-part=name]")].map(({ textContent }) => textContent)) === JSON.stringify(all), wanted);
}

/** Somebody else changes it at the same time. @param {Visit} visit @param {string} id @param {object} change */
function colleague(visit, id, change) {
  return visit.read(async (which, what) => {
    const { call } = await import(`${location.origin}/desk/api.js`);
    const { revision } = await call("GET", `consultations/${which}`);
    await call("PATCH", `consultations/${which}`, { ...what, revision });
  }, id, change);
}

/** As the prepared mail has it. @param {Visit} visit @returns {Promise<string>} */
function patientLink(visit) {
  return visit.see("a link for the patient", () => {
    const mail = document.querySelector("#invitation [data-way=write]")?.getAttribute("href") ?? "";
    return /https?:\S+#\S+/.exec(decodeURIComponent(mail))?.[0];
  });
}

/** Counts the tones from here on. @param {Visit} visit */
async function listenForTones(visit) {
  await visit.read(() => {
    const page = /** @type {any} */ (window);
    page.__tones = 0;
    const begin = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (at) {
      page.__tones++;
      begin.call(this, at);
    };
  });
}

/** @param {Visit} visit @returns {Promise<number>} */
function tones(visit) {
  return visit.read(() => /** @type {any} */ (window).__tones);
}

/** A day in Berlin. @param {number} days */
function daysAhead(days) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: "Europe/Berlin" }).format(Date.now() + days * 24 * 3_600_000);
}
