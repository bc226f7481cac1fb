/**
 * Nothing that happens in mid-call costs a place in it: a reload on either side, or a restart of the broker, while media
 * go on. Who was mute stays mute, as measured at the partner. The gaps are printed.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { NAME, longestGap, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @type {Server} */
let server;
/** @type {Record<"one" | "two" | "firefox", import("./lib/browser.js").Browser>} */
let browsers;

before(async () => {
  server = await Server.start();
  browsers = { one: await launch("chromium"), two: await launch("chromium"), firefox: await launch("firefox") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

for (const [at, who] of /** @type {const} */ (["patient", "doctor"]).entries()) {
  for (const [index, kind] of /** @type {const} */ (["two", "firefox"]).entries()) {
    test(`a reload by the ${who} comes back into the call, without a click, ${kind === "two" ? "Chromium" : "Firefox"}`, { skip: notItsTurn((index + at) % 2, 2) }, async (context) => {
      const pair = { doctor: browsers.one, patient: browsers.one, [who]: browsers[kind] };
      const meeting = await meet(server, pair);
      const [reloaded, partner] = who === "patient" ? [meeting.patient, meeting.doctor] : [meeting.doctor, meeting.patient];
      await partner.sample();
      const at = Date.now();
      await reloaded.reload();
      await reloaded.onScreen("call");
      await Promise.all([reloaded.receives(), partner.receives()]);
      const first = await reloaded.read(() => /** @type {any} */ (window).__seen.firstFrameAt);
      for (const visit of [reloaded, partner]) await shownOnce(visit);
      context.diagnostic(`reload to first frame ${Math.round(first - at)} ms; the partner was without new frames for ${longestGap(await partner.samples())} ms`);
    });
  }
}

test("after a reload a muted microphone and a camera that is off stay so, as measured at the partner", async () => {
  const { doctor, patient } = await meet(server, { doctor: browsers.one, patient: browsers.two });
  await patient.click("#bar [data-device=microphone]");
  await patient.click("#bar [data-device=camera]");
  await staysMute(doctor);
  await patient.reload();
  await patient.onScreen("call");
  await patient.receives();
  await staysMute(doctor);
  await doctor.says(".partner [data-device=microphone]", de["device.microphone.off"]);
  await doctor.says(".partner [data-device=camera]", de["device.camera.off"]);
  await patient.click("#bar [data-device=microphone]");
  await patient.click("#bar [data-device=camera]");
  await hears(doctor);
  await doctor.receives();
});

test("a restart of the broker stops no picture and no sound, and newcomers can knock afterwards", async (context) => {
  const { consultation, doctor, patient } = await meet(server, { doctor: browsers.one, patient: browsers.two });
  await patient.click("#bar [data-device=microphone]");
  await staysSilent(doctor);
  await Promise.all([doctor.sample(), patient.sample()]);
  const halted = Date.now();
  await server.halt();
  for (const visit of [doctor, patient]) await visit.says("#call-offline", de["signaling.inCall"]);
  await Promise.all([doctor.receives(), patient.receives()]); // while nobody listens
  const resumed = Date.now();
  await server.resume();
  const welcomes = await Promise.all([doctor, patient].map((visit) => welcomed(visit, halted)));
  for (const visit of [doctor, patient]) {
    await visit.receives();
    await shownOnce(visit);
    const states = await visit.read(() => /** @type {any} */ (window).__seen.connections.map((/** @type {RTCPeerConnection} */ one) => one.connectionState));
    assert.deepEqual(states, ["connected"], `${visit.who}: still the first connection`);
    await visit.see("it says nothing of a lost server any more", () => !document.querySelector("#call-offline")?.checkVisibility());
  }
  await staysSilent(doctor);
  const gaps = [longestGap(await doctor.samples()), longestGap(await patient.samples())];
  const newcomer = await Visit.open("newcomer", browsers.two, consultation.patient.link);
  await newcomer.toWaiting(NAME);
  await doctor.says("#arrivals-text", de["call.arrivals"].replace("{count}", "1"));
  context.diagnostic(`the broker was away for ${resumed - halted} ms; signaling was back ${welcomes.map((at) => Math.round(at - resumed)).join(" and ")} ms later; `
    + `longest time without a new frame: ${gaps.join(" and ")} ms`);
});

test("a restart that nobody notices: the broker is back before the pages have asked again", async (context) => {
  const { doctor, patient } = await meet(server, { doctor: browsers.one, patient: browsers.two });
  await Promise.all([doctor.sample(), patient.sample()]);
  const halted = Date.now();
  await server.halt();
  await server.resume();
  const resumed = Date.now();
  const welcomes = await Promise.all([doctor, patient].map((visit) => welcomed(visit, halted)));
  await Promise.all([doctor, patient].map((visit) => visit.receives()));
  for (const visit of [doctor, patient]) await shownOnce(visit);
  const gaps = [longestGap(await doctor.samples()), longestGap(await patient.samples())];
  context.diagnostic(`SIGTERM to listening again ${resumed - halted} ms; SIGTERM to welcome ${welcomes.map((at) => Math.round(at - halted)).join(" and ")} ms; `
    + `longest time without a new frame: ${gaps.join(" and ")} ms`);
});

test("who hung up by mistake comes back by the button of the last screen", async () => {
  const { doctor, patient } = await meet(server, { doctor: browsers.one, patient: browsers.two });
  await patient.click("#hangup");
  await patient.says("#end-title", de["end.left.title"]);
  assert.equal((await patient.flow()).open, 0);
  assert.deepEqual(await patient.devicesInUse(), [], "camera and microphone are off");
  await doctor.onScreen("room");
  await patient.click("#rejoin");
  await Promise.all([doctor.receives(), patient.receives()]);
  await shownOnce(doctor);
});

test("a hang-up while the broker is away is heard by the partner at once", async () => {
  const { doctor, patient } = await meet(server, { doctor: browsers.one, patient: browsers.two });
  await server.halt();
  try {
    for (const visit of [doctor, patient]) await visit.visible("#call-offline");
    await patient.click("#hangup");
    await patient.onScreen("end");
    assert.deepEqual(await patient.devicesInUse(), [], "camera and microphone are off");
    await doctor.onScreen("room");
    await until("all connections are closed", async () => (await patient.flow()).open + (await doctor.flow()).open === 0);
  } finally {
    await server.resume();
  }
});

/**
 * @param {Visit} visit
 * @param {number} since
 * @returns {Promise<number>} when the broker welcomed it anew
 */
function welcomed(visit, since) {
  return until(`${visit.who} is welcome again`, async () =>
    (await visit.frames()).find(({ at, message }) => at > since && message.type === "welcome")?.at);
}

/** Of two seconds: the last bit of every sample, as decoders dither it, is 2e-9; the fake microphone's beep is 1e-2. */
const INAUDIBLE = 1e-6;

/** Nobody is there twice: one picture, one connection. @param {Visit} visit */
async function shownOnce(visit) {
  await visit.see("one partner, one connection", async () =>
    document.querySelectorAll(".partner").length === 1 && (await /** @type {any} */ (window).__measure()).open === 1);
}

/** While a hundred more audio packets come, there is neither sound in them nor a new frame. @param {Visit} partner */
async function staysMute(partner) {
  const { first, last } = await staysSilent(partner);
  assert.equal(last.decoded, first.decoded, "no frame");
}

/** @param {Visit} partner */
async function staysSilent(partner) {
  const { first, last } = await aWhile(partner);
  const energy = last.energy - first.energy;
  assert.ok(energy < INAUDIBLE, `no sound, not ${energy}`);
  return { first, last };
}

/** @param {Visit} partner */
async function hears(partner) {
  const { energy } = await partner.flow();
  await until(`${partner.who} hears something`, async () => (await partner.flow()).energy > energy + 100 * INAUDIBLE);
}

/**
 * A hundred audio packets long, once what was under way has come to rest.
 * @param {Visit} partner
 */
async function aWhile(partner) {
  const settled = await partner.flow();
  const first = await until("fifty audio packets come", async () => {
    const flow = await partner.flow();
    return flow.packets >= settled.packets + 50 && flow;
  });
  const last = await until("a hundred more audio packets come", async () => {
    const flow = await partner.flow();
    return flow.packets >= first.packets + 100 && flow;
  });
  return { first, last };
}
