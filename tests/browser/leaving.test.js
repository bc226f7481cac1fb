/**
 * What cannot be undone is asked about once: removing somebody, and a doctor's hanging up where three and more are in the call.
 * And who reads the name that somebody types: all in the call, each sealed for their own page.
 */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { violations } from "./lib/axe.js";
import { launch } from "./lib/browser.js";
import { everybodyReceives, gather } from "./lib/group.js";
import { meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @typedef {import("./lib/browser.js").Browser} Browser */

const SHOTS = process.env.VISAVIS_SHOTS;
const MORE = { frames: 0, packets: 25 };

/** @type {Server} */
let server;
/** @type {{ doctor: Browser, patient: Browser }} */
let browsers;

before(async () => {
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  server = await Server.start();
  browsers = { doctor: await launch("chromium"), patient: await launch("chromium") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

test("whoever types a name is told who reads it, and all in the call read it, sealed for each", async () => {
  const { consultation, people } = await gather(server, three(), { camera: false });
  const [, patient, guest] = people;
  const newcomer = await Visit.open("newcomer", browsers.patient, consultation.seats[2].link);
  await newcomer.says("#name-hint", de["welcome.nameHint"]);
  assert.match(de["welcome.nameHint"], /die Praxis und alle im Gespräch/);

  for (const reader of people) {
    for (const read of [patient, guest].filter((other) => other !== reader)) {
      await reader.says(`.partner[data-seat="${read.who.slice(5)}"] [data-part=name]`, `Person ${read.who.slice(5)}`);
    }
  }
  const keys = new Map();
  for (const { message } of await patient.frames()) if (message.type === "peer") keys.set(message.seat, message.key);
  assert.deepEqual([...keys.keys()].sort(), [1, 3]);
  assert.equal(new Set(keys.values()).size, 2, "each page has a key of its own");
  const sealed = (await patient.frames()).filter(({ from, message }) => from === "page" && message.type === "name").map(({ message }) => message);
  const toGuest = sealed.find(({ to }) => to === 3).sealed;
  assert.ok(sealed.some(({ to }) => to === 1), "and for the doctor");
  const heard = (await guest.frames()).find(({ message }) => message.type === "name" && message.from === 2)?.message.sealed;
  assert.deepEqual(heard, toGuest, "what the guest opens was sealed for the guest");
  assert.ok(sealed.every(({ to, sealed: { data } }) => to === 3 || data !== toGuest.data), "and for nobody else");
});

test("removing somebody is asked about once, by keyboard and by mouse, and only a yes removes", async () => {
  const { doctor, patient } = await meet(server, browsers);
  await doctor.press("#more");
  await doctor.press("#panel-more [data-panel=remove]");
  await doctor.says("#remove-who", "Erika Beispiel");
  assert.equal(await doctor.read(() => document.activeElement?.closest("dialog")?.id), "panel-remove", "the question has the focus");
  assert.deepEqual(await named(doctor, "panel-remove"), { title: de["remove.title"], text: `Erika Beispiel ${de["remove.text"]}` });
  assert.deepEqual(await violations(doctor), []);
  await shoot(doctor, "remove");
  await doctor.page.keyboard.press("Escape");
  await doctor.see("the question is closed and “more” has the focus", () => !document.querySelector("dialog[open]") && document.activeElement?.id === "more");
  await doctor.click("#more");
  await doctor.click("#panel-more [data-panel=remove]");
  await doctor.click("#panel-remove [data-panel=none]");
  await doctor.see("the question is closed", () => !document.querySelector("dialog[open]"));
  await doctor.receives();
  assert.ok(!(await doctor.frames()).some(({ message }) => message.type === "remove"), "nothing was sent");
  await patient.onScreen("call");

  await doctor.click("#more");
  await doctor.click("#panel-more [data-panel=remove]");
  await doctor.press("#remove-yes");
  await patient.says("#end-title", de["end.removed.title"]);
  await doctor.onScreen("room");
  assert.equal(await doctor.read(() => document.querySelector("dialog[open]")), null);
});

test("a question about somebody who has left meanwhile is asked no longer", async () => {
  const { doctor, patient } = await meet(server, browsers);
  await doctor.click("#more");
  await doctor.click("#panel-more [data-panel=remove]");
  await doctor.visible("#panel-remove");
  await patient.click("#hangup");
  await doctor.onScreen("room");
  assert.equal(await doctor.read(() => document.querySelector("dialog[open]")), null);
});

test("a doctor's hanging up asks for whom from three people on, and leads back, out alone, in again, and to the end for all", async () => {
  const { people } = await gather(server, three(), { camera: false });
  const [doctor, patient, guest] = people;
  await everybodyReceives(people, MORE);
  await doctor.press("#hangup");
  await doctor.visible("#panel-leave");
  assert.equal(await doctor.read(() => document.activeElement?.closest("dialog")?.id), "panel-leave", "the question has the focus");
  assert.deepEqual(await named(doctor, "panel-leave"), { title: de["leave.title"], text: de["leave.text"] });
  assert.deepEqual(await violations(doctor), []);
  await shoot(doctor, "leave");
  await doctor.press("#panel-leave [data-panel=none]");
  await doctor.see("back in the call, on the same button", () => !document.querySelector("dialog[open]") && document.activeElement?.id === "hangup");
  await everybodyReceives(people, MORE);

  await doctor.click("#hangup");
  await doctor.click("#panel-leave [data-do=hangUpAlone]");
  await doctor.says("#end-title", de["end.left.title"]);
  await doctor.says("#end-text", de["end.left.textDoctor"]);
  assert.deepEqual(await doctor.devicesInUse(), [], "camera and microphone are off");
  await shoot(doctor, "left");
  await patient.see("the doctor's tile is gone", () => document.querySelectorAll(".partner").length === 1);
  await everybodyReceives([patient, guest], MORE);

  await doctor.says("#rejoin", de["end.rejoin"]);
  await doctor.click("#rejoin");
  await doctor.onScreen("call");
  await everybodyReceives(people, MORE);
  await doctor.click("#hangup");
  await doctor.press("#panel-leave [data-do=endForAll]");
  for (const visit of people) await visit.says("#end-title", de["end.ended.title"]);
});

test("with two in the call, and for everybody who is no doctor, hanging up asks nothing", async () => {
  const { people } = await gather(server, three(), { camera: false });
  const [doctor, patient, guest] = people;
  await guest.click("#hangup");
  await guest.says("#end-title", de["end.left.title"]);
  await guest.says("#end-text", de["end.left.text"]);
  await doctor.see("two are left", () => document.querySelectorAll(".partner").length === 1);
  await doctor.click("#hangup");
  for (const visit of [doctor, patient]) await visit.says("#end-title", de["end.ended.title"]);
});

function three() {
  return [browsers.doctor, browsers.patient, browsers.patient];
}

/**
 * What a screen reader says of a dialog.
 * @param {Visit} visit
 * @param {string} id
 */
function named(visit, id) {
  return visit.read((dialog) => {
    const panel = document.querySelector(`#${dialog}`);
    const texts = (/** @type {string} */ by) => (panel?.getAttribute(by) ?? "").split(" ").map((of) => document.getElementById(of)?.innerText);
    return { title: texts("aria-labelledby").join(" "), text: texts("aria-describedby").join(" ") };
  }, id);
}

/** Wide and narrow, for whoever wants pictures. @param {Visit} visit @param {string} name */
async function shoot(visit, name) {
  if (!SHOTS) return;
  const before = visit.page.viewport();
  for (const [width, height] of [[1280, 800], [360, 616]]) {
    await visit.page.setViewport({ width, height });
    await visit.shoot(join(SHOTS, `real-${name}-${width}.png`));
  }
  if (before) await visit.page.setViewport(before);
}
