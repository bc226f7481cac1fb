/**
 * Before the doctor lets somebody in: what a waiting page hears and says, what mail scanners may fetch, and that a
 * second device or a duplicated tab takes nobody's place.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { NAME, atTheDoor, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @type {Server} */
let server;
/** @type {{ doctor: import("./lib/browser.js").Browser, patient: import("./lib/browser.js").Browser }} */
let browsers;

before(async () => {
  server = await Server.start();
  browsers = { doctor: await launch("chromium"), patient: await launch("chromium") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

/** What a page before admission may say and hear (docs/protocol.md); everything else belongs to a call. */
const BEFORE_ADMISSION = {
  page: ["look", "join", "name", "leave"],
  broker: ["seen", "waiting", "doctor", "doctorGone", "sentBack", "refused", "error"],
};
const OF_A_CALL = /^(sdp|candidate|candidates|credential|username|iceServers|urls|description|usernameFragment|token)$/;

test("no description, candidate or credential reaches or leaves a page that waits", async () => {
  const { consultation, doctor, patient } = await atTheDoor(server, browsers, { plan: ["--guests", "1"] });
  // A call goes on beside it: plenty that could spill over.
  const guest = await Visit.open("guest", browsers.patient, consultation.guest.link);
  await guest.toWaiting("Gregor Gast");
  await doctor.see("two wait", () => document.querySelectorAll("#screen-room .knock").length === 2);
  const knock = (await doctor.frames()).find(({ message }) => message.type === "knock" && message.seat === consultation.guest.seat);
  await doctor.click(`.knock [data-do=admit][data-knock="${knock?.message.knock}"]`);
  await Promise.all([doctor.receives(), guest.receives()]);
  await doctor.click("#arrivals");
  await doctor.click("#panel-arrivals [data-do=refuse]");
  await patient.onScreen("end");
  assert.ok(patient.wire.length >= 6, `the recording is whole: ${patient.wire.length} frames`);
  for (const { from, data } of patient.wire) {
    const message = JSON.parse(data);
    assert.ok(BEFORE_ADMISSION[from].includes(message.type), `${from} says ${message.type}`);
    assert.deepEqual(namesIn(message).filter((name) => OF_A_CALL.test(name)), [], `in ${message.type}`);
  }
  assert.equal((await patient.flow()).open, 0, "the waiting page opens no connection");
});

test("after “send back” no description, candidate or credential passes either", async () => {
  const { doctor, patient } = await meet(server, browsers);
  await doctor.click("#more");
  await doctor.click("#panel-more [data-do=sendBack]");
  await patient.onScreen("waiting");
  await patient.says("#waiting-text", de["waiting.sentBack"]);
  await doctor.says(".knock [data-part=name]", NAME);
  const since = patient.wire.findIndex(({ data }) => JSON.parse(data).type === "sentBack");
  for (const { from, data } of patient.wire.slice(since)) {
    assert.ok(BEFORE_ADMISSION[from].includes(JSON.parse(data).type), `${from} says ${JSON.parse(data).type}`);
  }
  await doctor.admit();
  await Promise.all([doctor.receives(), patient.receives()]);
});

test("twenty fetches by mail scanners, with and without scripts, change nothing", async () => {
  const consultation = await server.plan();
  const doctor = await Visit.open("doctor", browsers.doctor, consultation.doctor.link);
  await doctor.toRoom();
  const before = await server.show(consultation.id);
  for (let round = 0; round < 7; round++) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await fetch(consultation.patient.link, { method, headers: { "user-agent": "scanner" } });
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
    }
  }
  for (let round = 0; round < 3; round++) {
    const scanner = await Visit.open("scanner", browsers.patient, consultation.patient.link);
    await scanner.onScreen("welcome");
    await scanner.close();
    const scriptless = await Visit.open("scanner without scripts", browsers.patient, "about:blank");
    await scriptless.page.setJavaScriptEnabled(false);
    await scriptless.page.goto(consultation.patient.link);
    await scriptless.close();
  }
  const { relay, ...after } = await server.show(consultation.id);
  assert.deepEqual({ ...after, relay }, before);
  const heard = (await doctor.frames()).map(({ message }) => message.type);
  assert.ok(!heard.includes("knock") && !heard.includes("knockGone"), `the doctor heard ${heard}`);
  const patient = await Visit.open("patient", browsers.patient, consultation.patient.link);
  await patient.toWaiting(NAME);
  await doctor.admit();
  await Promise.all([doctor.receives(), patient.receives()]);
});

test("a second device on the patient's link knocks and displaces nobody until the doctor decides", async () => {
  const { consultation, doctor, patient } = await meet(server, browsers);
  const second = await Visit.open("second device", browsers.patient, consultation.patient.link);
  await second.toWaiting(NAME);
  await second.says("#waiting-occupied", de["waiting.occupied"]);
  await doctor.says("#arrivals-text", de["call.arrivals"].replace("{count}", "1"));
  await Promise.all([doctor.receives(), patient.receives()]);
  await doctor.click("#arrivals");
  await doctor.says("#panel-arrivals .knock [data-part=device]", de["room.another"]);
  await doctor.click("#panel-arrivals [data-do=admit]");
  await patient.onScreen("end");
  await patient.says("#end-title", de["end.replaced.title"]);
  await second.onScreen("call");
  await Promise.all([doctor.receives(), second.receives()]);
  assert.equal(await doctor.read(() => document.querySelectorAll(".partner").length), 1);
});

test("a second device on the doctor's link knocks at the first, and takes over only when let in", async () => {
  const { consultation, doctor, patient } = await meet(server, browsers);
  const second = await Visit.open("doctor's second device", browsers.doctor, consultation.doctor.link);
  await second.join("waiting");
  await second.says("#waiting-text", de["waiting.textDoctor"]);
  await Promise.all([doctor.receives(), patient.receives()]);
  await doctor.click("#arrivals");
  await doctor.says("#panel-arrivals .knock [data-part=device]", de["room.anotherDoctor"]);
  await doctor.click("#panel-arrivals [data-do=admit]");
  await doctor.onScreen("end");
  await doctor.says("#end-title", de["end.replaced.title"]);
  await second.onScreen("call");
  await Promise.all([second.receives(), patient.receives()]);
});

test("a duplicated tab knocks and displaces nobody", async () => {
  const { doctor, patient } = await meet(server, browsers);
  const opened = until("a second tab", async () => (await patient.context.pages()).find((page) => page !== patient.page));
  await patient.page.evaluate(() => void window.open(location.href)); // with the opener's sessionStorage, as “duplicate” does
  const copy = await Visit.adopt("duplicated tab", browsers.patient, patient.context, await opened);
  await copy.onScreen("waiting");
  await doctor.says("#arrivals-text", de["call.arrivals"].replace("{count}", "1"));
  await Promise.all([doctor.receives(), patient.receives()]);
  await patient.onScreen("call");
});

/**
 * Every name in a message, however deep.
 * @param {unknown} value
 * @returns {string[]}
 */
function namesIn(value) {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...namesIn(inner)]);
}
