/** The user's choice of quality, as measured at the partner; the ladder's own ways are tested in tests/js and the NAT lab. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { NAME, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @type {Server} */
let server;
/** @type {Record<"doctor" | "patient" | "firefox", import("./lib/browser.js").Browser>} */
let browsers;

before(async () => {
  server = await Server.start();
  const [doctor, patient, firefox] = await Promise.all([launch("chromium"), launch("chromium"), launch("firefox")]);
  browsers = { doctor, patient, firefox };
});
afterEach(leaveAll);
after(() => cleanUp(server));

for (const [index, kind] of /** @type {const} */ (["patient", "firefox"]).entries()) {
  test(`sound only stops the pictures both ways, and with a picture again they flow, ${kind === "patient" ? "Chromium" : "Firefox"}`, { skip: notItsTurn(index, 2) }, async (context) => {
    const { doctor, patient } = await meet(server, { ...browsers, patient: browsers[kind] });
    const chosenAt = Date.now();
    await choose(patient, "sound");
    for (const visit of [doctor, patient]) await stands(visit);
    context.diagnostic(`no picture any more after ${Date.now() - chosenAt} ms, half a second of proof included`);
    await patient.says("#call-picture", de["picture.sound"]);
    for (const visit of [doctor, patient]) await visit.says(".partner [data-part=nothing]", de["quality.sound"]);
    for (const visit of [doctor, patient]) await visit.receives({ frames: 0, packets: 50 });
    await patient.click("#with-picture");
    for (const visit of [doctor, patient]) await visit.receives();
    await patient.see("the sentence is gone", () => !document.querySelector("#call-picture")?.checkVisibility());
  });
}

test("the quality is kept over a reload, and no camera is switched on by it", async () => {
  const { doctor, patient } = await meet(server, browsers);
  await patient.click("#bar [data-device=camera]");
  await doctor.says(".partner [data-part=nothing]", de["call.cameraOff"]);
  await choose(patient, "sound");
  await stands(patient);
  await patient.reload();
  await patient.onScreen("call");
  await patient.says("#call-picture", de["picture.sound"]);
  await patient.receives({ frames: 0, packets: 50 });
  await stands(patient);
  await patient.click("#with-picture");
  await patient.receives();
  assert.deepEqual(await patient.devicesInUse(), ["audio"]);
  await doctor.says(".partner [data-part=nothing]", de["call.cameraOff"]);
  await stands(doctor);
});

test("whoever chooses sound only on the device check never sends a picture", async () => {
  const { doctor: own, patient: theirs } = await server.plan();
  const doctor = await Visit.open("doctor", browsers.doctor, own.link);
  await doctor.onScreen("check");
  await doctor.click("#choices summary");
  await doctor.click("#screen-check .quality input[value=sound]");
  await doctor.says("#screen-check .own-picture [data-part=nothing]", de["quality.sound"]);
  await doctor.toRoom();
  const patient = await Visit.open("patient", browsers.patient, theirs.link);
  await patient.toWaiting(NAME);
  await doctor.admit();
  await patient.receives({ frames: 0, packets: 50 });
  await patient.says(".partner [data-part=nothing]", de["quality.sound"]);
  assert.equal((await patient.flow()).decoded, 0);
});

test("a low quality is a small picture at the partner, and the highest a large one", async () => {
  const { doctor, patient } = await meet(server, browsers, { both: { picture: "whole" } });
  const height = () => doctor.read(receivedHeight);
  await until("the picture is whole", async () => (await height()) === 720);
  await choose(patient, "low");
  await until("the picture is small", async () => (await height()) <= 360);
  await choose(patient, "high");
  await until("the picture is whole again", async () => (await height()) === 720, { within: 30_000 });
});

/** @param {Visit} visit @param {string} quality */
async function choose(visit, quality) {
  await visit.click("#more");
  await visit.click(`#panel-more .quality input[value=${quality}]`);
  await visit.click("#panel-more [data-panel=none]");
}

/** No frame is decoded for half a second. @param {Visit} visit */
function stands(visit) {
  let last = -1;
  let since = Date.now();
  return until(`${visit.who}: no more frames`, async () => {
    const { decoded } = await visit.flow();
    if (decoded !== last) since = Date.now();
    last = decoded;
    return Date.now() - since > 500;
  });
}

/** Runs in the page. */
async function receivedHeight() {
  const connection = /** @type {any} */ (window).__seen.connections.at(-1);
  const entries = /** @type {any[]} */ ([...(await connection.getStats()).values()]);
  return entries.find(({ type, kind }) => type === "inbound-rtp" && kind === "video")?.frameHeight;
}
