/**
 * Seats that are added at the desk while the call runs: who comes with their codes is heard and seen by all, sent back, removed, and out when
 * the seat is taken away.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import list from "../../static/desk/words/list.de.js";
import { launch } from "./lib/browser.js";
import { openDesk } from "./lib/desk.js";
import { everybodyReceives } from "./lib/group.js";
import { Server } from "./lib/server.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const OPTIONS = { picture: { width: 320, height: 180, frameRate: 6 }, crowd: true, size: { width: 640, height: 360 } };
const NAME = { patient: "Erika Beispiel", guest: "Dolmetscherin Ayşe" };

/** @type {Record<"desk" | "doctor" | "patient" | "guest", import("./lib/browser.js").Browser>} */
let browsers;
/** @type {Server} */
let server;

before(async () => {
  const [one, two, three] = await Promise.all([launch("chromium"), launch("chromium"), launch("chromium")]);
  browsers = { desk: one, doctor: one, patient: two, guest: three };
});
afterEach(() => leaveAll().finally(() => server.stop()));
after(() => cleanUp());

test("an interpreter added in mid-call is heard and seen by both, sent back, let in again, and removed", async (context) => {
  const { desk, doctor, patient } = await meetFromTheDesk();
  const guest = await come(await add(desk, "Dolmetscherin"), "guest");
  await letIn(doctor);
  const at = Date.now();
  await guest.onScreen("call");
  await everybodyReceives([doctor, patient, guest]);
  context.diagnostic(`all receive all ${Date.now() - at} ms after the click`);

  await more(doctor, 3, "[data-do=sendBack]");
  await guest.says("#waiting-text", de["waiting.sentBack"]);
  await letIn(doctor);
  await guest.onScreen("call");
  await everybodyReceives([doctor, patient, guest]);

  await more(doctor, 3, "[data-panel=remove]");
  await doctor.click("#remove-yes");
  await guest.says("#end-title", de["end.removed.title"]);
  assert.equal((await guest.flow()).open, 0);
  await everybodyReceives([doctor, patient]);
});

test("two guests added at once are both in, and a seat that is taken away at the desk ends its stay", async () => {
  const { desk, doctor, patient } = await meetFromTheDesk();
  const codes = [await add(desk, "Dolmetscherin"), await add(desk, "Tochter")];
  const guests = await Promise.all(codes.map((code) => come(code, "guest")));
  for (const guest of guests) {
    await letIn(doctor);
    const wanted = guests.indexOf(guest) + 1;
    await until(`${wanted} of them are in`, async () => {
      const screens = await Promise.all(guests.map((visit) => visit.read(() => document.body.dataset.screen)));
      return screens.filter((screen) => screen === "call").length === wanted;
    });
  }
  await everybodyReceives([doctor, patient, ...guests]);
  await desk.click("#seats [data-seat='4'] [data-dialog=remove]");
  await desk.click("#dialog-yes");
  await guests[1].says("#end-title", de["end.revoked.title"]);
  await everybodyReceives([doctor, patient, guests[0]]);
});

/** The practice, a consultation that is open, and doctor and patient in it. */
async function meetFromTheDesk() {
  server = await Server.start();
  const desk = await openDesk(server, browsers.desk);
  await desk.click("#now");
  await desk.onScreen("detail");
  const [code] = await codesOf(desk);
  const id = (await desk.read(() => location.hash)).split("=")[1];
  const { code: doctors } = await desk.read(async (which) => {
    const { call } = await import(`${location.origin}/desk/api.js`);
    return call("POST", `consultations/${which}/enter`);
  }, id);
  const doctor = await Visit.open("doctor", browsers.doctor, `${server.origin}/#${doctors}`, OPTIONS);
  await doctor.toRoom();
  const patient = await come(code, "patient");
  await doctor.admit();
  for (const visit of [doctor, patient]) await visit.onScreen("call");
  await everybodyReceives([doctor, patient]);
  return { desk, doctor, patient };
}

/** The codes that the invitation shows. @param {Visit} desk */
function codesOf(desk) {
  return until("codes", async () => {
    const codes = await desk.read(() => [...document.querySelectorAll("#invitation .code-shown")].map((code) => code.textContent ?? ""));
    return codes.length > 0 && codes;
  });
}

/** Another seat; its code. @param {Visit} desk @param {string} who */
async function add(desk, who) {
  const before = await codesOf(desk);
  await desk.type("#guest", who);
  await desk.page.keyboard.press("Enter");
  await desk.says("#told", list["detail.added"]);
  return until("another code", async () => (await codesOf(desk)).find((code) => !before.includes(code)));
}

/** From the code to the waiting room. @param {string} code @param {"patient" | "guest"} who */
async function come(code, who) {
  const visit = await Visit.open(who, browsers[who], `${server.origin}/#${code}`, OPTIONS);
  await visit.toWaiting(NAME[who]);
  return visit;
}

/** In mid-call, by the silent counter. @param {Visit} doctor */
async function letIn(doctor) {
  await until("the arrivals are open", async () => {
    await doctor.click("#arrivals");
    return doctor.read(() => document.querySelector("#panel-arrivals")?.checkVisibility());
  });
  await doctor.visible("#panel-arrivals .knock [data-do=admit]");
  await doctor.click("#panel-arrivals [data-do=admit]");
  await doctor.click("#panel-arrivals [data-panel=none]");
}

/** @param {Visit} doctor @param {number} seat @param {string} what */
async function more(doctor, seat, what) {
  await doctor.click("#more");
  await doctor.click(`#panel-more [data-seat="${seat}"] ${what}`);
}
