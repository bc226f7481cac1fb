/**
 * Sound first (R24): the patient's line gets narrower step by step, loses packets at two of the steps, and becomes wide
 * again. What each side hears is measured by the share of the sound that had to be invented (concealed) because it came
 * late or never; the microphones never pause (lib/speech.js), so none of that is silence. Run by `tests/lab/in-lab`.
 */

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "../browser/lib/browser.js";
import { NAME, meet } from "../browser/lib/meeting.js";
import { until } from "../browser/lib/until.js";
import { cleanUp } from "../browser/lib/visit.js";
import { file, routers, skip, startServer } from "./lib/lab.js";
import { writeSpeech } from "./lib/speech.js";
import { lines } from "./lib/table.js";

/** @typedef {import("../browser/lib/visit.js").Visit} Visit */
/** @typedef {Awaited<ReturnType<typeof count>>} Count */

/**
 * kbit/s, percent of lost packets, how many percent of the sound may be invented, and whether the pages say whose line it
 * is; where it is not sure that they do, they still say nothing wrong.
 * @type {{ rate: number, loss?: number, invented: number, named?: boolean }[]}
 */
const STEPS = [
  { rate: 2000, invented: 3, named: false },
  { rate: 600, loss: 5, invented: 3, named: true },
  { rate: 300, invented: 3 },
  { rate: 150, loss: 5, invented: 3, named: true },
  { rate: 80, invented: 8, named: true },
];
/** What is wide enough is measured in `tests/run --long nat`; a plain run goes where the ladder decides. */
const TRIED = process.env.VISAVIS_LONG ? STEPS : STEPS.slice(-2);
/** How sentences about the own line begin. */
const OWN = "Ihre Leitung ";
const SETTLING_MS = 12_000;
const MEASURED_MS = 15_000;
/** The longest wait before a picture is tried again, and its way up the ladder. */
const BACK_MS = 90_000;

/** @type {import("../browser/lib/server.js").Server} */
let server;
/** @type {{ patient: import("../browser/lib/browser.js").Browser, doctor: import("../browser/lib/browser.js").Browser }} */
let browsers;

if (!skip) before(async () => {
  const speech = file("speech.wav");
  await writeSpeech(speech);
  for (const router of Object.values(routers)) await router.become({ nat: "plain" });
  server = await startServer();
  const [patient, doctor] = await Promise.all([launch("chromium", { speech }), launch("chromium", { speech, network: "doctor" })]);
  browsers = { patient, doctor };
});
after(() => cleanUp(server));

test("the sound stays when the line gets narrow, the picture gives way and comes back by itself", { skip }, async () => {
  const { patient, doctor } = await meet(server, browsers, { both: { picture: "whole" } });
  const sides = [patient, doctor];
  const rows = [["line, kbit/s", "lost", "who", "sound invented", "picture received", "frames/s", "kbit/s", "estimate", "round trip", "of the partner", "of the own picture", "of the line"]];
  const failed = [];
  for (const { rate, loss = 0, invented, named } of TRIED) {
    await routers.patient.become({ nat: "plain", rate, loss });
    await pause(SETTLING_MS);
    const before = await Promise.all(sides.map((visit) => visit.read(count)));
    await pause(MEASURED_MS);
    for (const [index, visit] of sides.entries()) {
      const got = between(before[index], await visit.read(count));
      const whose = visit === patient ? OWN : `${NAME}: `;
      // The verdict needs some seconds of trouble, and a page that measures takes them anew.
      if (named) await until(`the ${visit.who} reads whose line it is`, async () => (await visit.read(sentences))[2].startsWith(whose), { within: SETTLING_MS, why: () => visit.tell() });
      const said = await visit.read(sentences);
      rows.push([`${rate}`, `${loss} %`, visit.who, `${got.invented.toFixed(1)} %`, got.size, got.frames.toFixed(0), got.rate.toFixed(0), `${got.available}`, `${got.roundTrip} ms`, ...said]);
      if (!(got.invented < invented)) failed.push(`${rate} kbit/s, ${loss} % lost: of what the ${visit.who} hears ${got.invented.toFixed(1)} % are invented`);
      if (!named && said[2] && (named === false || !said[2].startsWith(whose))) failed.push(`${rate} kbit/s, ${loss} % lost: of the line the ${visit.who} reads “${said[2]}”`);
      if (rate === 2000 && got.frames < 10) failed.push(`${rate} kbit/s, ${loss} % lost: the ${visit.who} sees ${got.frames.toFixed(0)} frames a second`);
    }
  }
  console.log(lines(rows));
  assert.deepEqual(failed, []);
  for (const visit of sides) assert.match((await visit.read(sentences)).join(), /Ihr Bild pausiert/);
  for (const visit of sides) await visit.says(".partner [data-part=nothing]", de["call.pictureWeak"]);

  await routers.patient.become({ nat: "plain" });
  const widened = performance.now();
  const back = sides.map(async (visit) => {
    // A picture that paused keeps its size: it has to move, too.
    const { frames } = await visit.read(count);
    await until(`the ${visit.who} sees a whole picture again`, async () => {
      const now = await visit.read(count);
      return now.height >= 480 && now.frames > frames && (await visit.read(sentences)).slice(0, 2).join("") === "";
    }, { within: BACK_MS, why: () => visit.tell() });
    return `${visit.who} ${((performance.now() - widened) / 1000).toFixed(0)} s`;
  });
  console.log(`a wide line again, until a picture of 480 lines is seen: ${(await Promise.all(back)).join(", ")}`);
  for (const visit of sides) {
    await until(`the ${visit.who} reads of no trouble any more`, async () => (await visit.read(sentences)).join("") === "", { why: () => visit.tell() });
  }
});

/**
 * Runs in the page: what its one living connection has received so far. Sound that was invented while the partner was
 * silent counts for nothing, but these partners never are.
 */
async function count() {
  const connection = /** @type {any} */ (window).__seen.connections.find((/** @type {RTCPeerConnection} */ one) => one.connectionState === "connected");
  /** @type {any[]} */
  const entries = [...(await connection.getStats()).values()];
  const sound = entries.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
  const picture = entries.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
  const transport = entries.find(({ type }) => type === "transport");
  const pair = entries.find(({ id }) => id === transport?.selectedCandidatePairId);
  return {
    at: performance.now(),
    heard: sound.totalSamplesReceived,
    invented: sound.concealedSamples - (sound.silentConcealedSamples ?? 0),
    frames: picture?.framesDecoded ?? 0,
    bytes: picture?.bytesReceived ?? 0,
    width: picture?.frameWidth ?? 0,
    height: picture?.frameHeight ?? 0,
    available: Math.round((pair?.availableOutgoingBitrate ?? 0) / 1000),
    roundTrips: pair?.totalRoundTripTime ?? 0,
    responses: pair?.responsesReceived ?? 0,
  };
}

/** Runs in the page: what it says of the partner's picture, of the own one, and of the line. */
function sentences() {
  return [".partner .nothing", "#call-picture", "#call-line-text"].map((where) => {
    const element = /** @type {HTMLElement | null} */ (document.querySelector(where));
    return element?.checkVisibility() ? element.innerText.trim() : "";
  });
}

/** @param {Count} before @param {Count} after */
function between(before, after) {
  const seconds = (after.at - before.at) / 1000;
  const frames = (after.frames - before.frames) / seconds;
  return {
    invented: (100 * (after.invented - before.invented)) / (after.heard - before.heard),
    frames,
    rate: (8 * (after.bytes - before.bytes)) / seconds / 1000,
    size: frames > 0 ? `${after.width} × ${after.height}` : "none",
    available: after.available,
    roundTrip: Math.round((1000 * (after.roundTrips - before.roundTrips)) / (after.responses - before.responses)),
  };
}
