/**
 * Sound first (R24): the patient's line gets narrower step by step, loses packets at two of the steps, and becomes wide
 * again. What each side hears is measured by the share of the sound that had to be invented (concealed) because it came
 * late or never; the microphones never pause (lib/speech.js), so none of that is silence. Run by `tests/lab/in-lab`.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, test } from "node:test";
import { launch } from "../browser/lib/browser.js";
import { meet } from "../browser/lib/meeting.js";
import { Server } from "../browser/lib/server.js";
import { cleanUp } from "../browser/lib/visit.js";
import { Router } from "./lib/network.js";
import { writeSpeech } from "./lib/speech.js";
import { lines } from "./lib/table.js";

/** @typedef {import("../browser/lib/visit.js").Visit} Visit */
/** @typedef {Awaited<ReturnType<typeof count>>} Count */

/**
 * kbit/s, percent of lost packets, and how much of the sound may be invented.
 * @type {{ rate: number, loss?: number, concealed: number }[]}
 */
const STEPS = [
  { rate: 2000, concealed: 3 },
  { rate: 600, loss: 5, concealed: 3 },
  { rate: 300, concealed: 3 },
  { rate: 150, loss: 5, concealed: 3 },
  { rate: 80, concealed: 8 },
];
const SETTLING_MS = Number(process.env.SETTLING ?? 12_000);
const MEASURED_MS = Number(process.env.MEASURED ?? 15_000);

const skip = process.env.VISAVIS_LAB ? false : (process.env.VISAVIS_NO_LAB ?? "run it by tests/lab/in-lab");

/** @type {Server} */
let server;
/** @type {{ patient: import("../browser/lib/browser.js").Browser, doctor: import("../browser/lib/browser.js").Browser }} */
let browsers;
const routers = { patient: new Router("patient", "10.1.0.2"), doctor: new Router("doctor", "10.2.0.2") };

if (!skip) before(async () => {
  const lab = process.env.VISAVIS_LAB ?? "";
  const speech = join(lab, "speech.wav");
  await writeSpeech(speech);
  for (const router of Object.values(routers)) await router.become({ nat: "plain" });
  server = await Server.start({
    network: "internet",
    listen: "[::]:443",
    args: ["--public-url", "https://video.lab.test", "--certificate", join(lab, "server.crt"), "--certificate-key", join(lab, "server.key")],
  });
  const [patient, doctor] = await Promise.all([launch("chromium", { speech }), launch("chromium", { speech, network: "doctor" })]);
  browsers = { patient, doctor };
});
after(() => cleanUp(server));

test("the sound stays when the line gets narrow, and the picture gives way", { skip }, async () => {
  const { patient, doctor } = await meet(server, browsers);
  const rows = [["kbit/s", "loss", "hears", "concealed", "picture received", "frames/s", "kbit/s", "available", "round trip"]];
  const failed = [];
  for (const { rate, loss = 0, concealed } of STEPS) {
    await routers.patient.become({ nat: "plain", rate, loss });
    await pause(SETTLING_MS);
    const sides = [patient, doctor];
    const before = await Promise.all(sides.map((visit) => visit.read(count)));
    await pause(MEASURED_MS);
    const after = await Promise.all(sides.map((visit) => visit.read(count)));
    for (const [index, visit] of sides.entries()) {
      const heard = between(before[index], after[index]);
      rows.push([String(rate), `${loss} %`, visit.who, `${heard.concealed.toFixed(1)} %`, heard.size, heard.frames.toFixed(0), heard.video.toFixed(0), `${after[index].available}`, `${heard.roundTrip} ms`]);
      if (heard.concealed > concealed) failed.push(`${rate} kbit/s, ${loss} % lost: the ${visit.who} hears ${heard.concealed.toFixed(1)} % invented`);
    }
    if (process.env.TRACE) for (const visit of sides) console.log(rate, visit.who, JSON.stringify(await visit.read(() => [...document.querySelectorAll(".said p, .nothing")].filter((e) => e.checkVisibility()).map((e) => e.textContent))));
  }
  console.log(lines(rows));
  assert.deepEqual(failed, []);
});

/** Runs in the page: what its one living connection has received so far. */
async function count() {
  const connection = /** @type {any} */ (window).__seen.connections.find((/** @type {RTCPeerConnection} */ one) => one.connectionState === "connected");
  /** @type {any[]} */
  const entries = [...(await connection.getStats()).values()];
  const sound = entries.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
  const picture = entries.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
  const pair = entries.find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded");
  return {
    at: performance.now(),
    heard: sound.totalSamplesReceived,
    invented: sound.concealedSamples - (sound.silentConcealedSamples ?? 0),
    frames: picture?.framesDecoded ?? 0,
    bytes: picture?.bytesReceived ?? 0,
    size: `${picture?.frameWidth} × ${picture?.frameHeight}`,
    available: Math.round((pair?.availableOutgoingBitrate ?? 0) / 1000),
    roundTrips: pair?.totalRoundTripTime ?? 0,
    responses: pair?.responsesReceived ?? 0,
  };
}

/** @param {Count} before @param {Count} after */
function between(before, after) {
  const seconds = (after.at - before.at) / 1000;
  const frames = (after.frames - before.frames) / seconds;
  return {
    concealed: (100 * (after.invented - before.invented)) / (after.heard - before.heard),
    frames,
    video: (8 * (after.bytes - before.bytes)) / seconds / 1000,
    size: frames > 0 ? after.size : "none",
    roundTrip: Math.round((1000 * (after.roundTrips - before.roundTrips)) / (after.responses - before.responses)),
  };
}
