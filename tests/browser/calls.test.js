/**
 * Patient and doctor meet: every pair of browsers, either as the doctor, on a direct path and over the relay. What the
 * page says about the way is held against getStats and the relay's own counter.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { close, launch } from "./lib/browser.js";
import { NAME, atTheDoor, longestGap, meet, timesToFirstFrame } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const ROUNDS = process.env.VISAVIS_LONG ? 10 : 1;
const SOAK_MS = 10 * 60_000;

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

/** @type {{ doctor: keyof typeof browsers, patient: keyof typeof browsers, said: string }[]} */
const PAIRS = [
  { doctor: "one", patient: "two", said: "Chromium and Chromium" },
  { doctor: "one", patient: "firefox", said: "the doctor in Chromium, the patient in Firefox" },
  { doctor: "firefox", patient: "two", said: "the doctor in Firefox, the patient in Chromium" },
];

describe("a call carries sound and picture both ways and tells its way truthfully", () => {
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, path] of /** @type {const} */ (["direct", "relayed"]).entries()) {
      for (const [index, { doctor, patient, said }] of PAIRS.entries()) {
        // Each path with another pair.
        test(`${path}, ${said}`, { skip: notItsTurn((index + at) % PAIRS.length, PAIRS.length) }, async (context) => {
          const relayOnly = path === "relayed";
          const pair = { doctor: browsers[doctor], patient: browsers[patient] };
          const meeting = await meet(server, pair, { both: { relayOnly, picture: "whole" } });
          for (const visit of [meeting.doctor, meeting.patient]) {
            await visit.says("#chip-text", de[`path.${path}`]);
            assert.match((await visit.flow()).types, relayOnly ? /relay/ : /^(host|srflx|prflx)-(host|srflx|prflx)$/);
          }
          await relayCountsRight(meeting.consultation.id, path);
          context.diagnostic(await timesOf(meeting));
        });
      }
    }
  }
});

for (const [index, { doctor, patient, said }] of PAIRS.entries()) {
  test(`in a consultation that is only relayed neither page tells an address, ${said}`, { skip: notItsTurn(index, PAIRS.length) }, async () => {
    const pair = { doctor: browsers[doctor], patient: browsers[patient] };
    const meeting = await meet(server, pair, { plan: ["--relayed-only"] });
    for (const visit of [meeting.doctor, meeting.patient]) {
      await visit.says("#chip-text", de["path.relayed"]);
      const told = (await visit.frames()).filter(({ from, message }) => from === "page" && ["description", "candidate"].includes(message.type));
      const addresses = told.flatMap(({ data }) => data.match(/\d+\.\d+\.\d+\.\d+|[0-9a-f-]+\.local/g) ?? []);
      assert.ok(addresses.length > 0, "it told where the relay is");
      for (const address of addresses) assert.match(address, /^(192\.0\.2\.1|0\.0\.0\.0|127\.0\.0\.1)$/, "the relay's address, or none: 127.0.0.1 stands in the o= line of every offer");
      for (const candidate of told.filter(({ message }) => message.candidate?.candidate)) assert.match(candidate.data, /typ relay raddr (0\.0\.0\.0|192\.0\.2\.1)/);
    }
    await relayCountsRight(meeting.consultation.id, "relayed");
  });
}

test("addresses that the browser hides behind .local names make a direct call, too", async () => {
  const pair = { doctor: await launch("chromium", { fakeAsk: false }), patient: await launch("chromium", { fakeAsk: false }) };
  // Browsers show addresses to pages that may use the camera, so here neither page may.
  const { consultation, doctor, patient } = await atTheDoor(server, pair, { both: { permissions: [] } });
  await doctor.admit();
  for (const visit of [doctor, patient]) {
    await visit.says("#chip-text", de["path.direct"]);
    const own = (await visit.frames()).filter(({ from, message }) => from === "page" && message.type === "candidate" && message.candidate);
    const hosts = own.map(({ message }) => message.candidate.candidate).filter((candidate) => / typ host/.test(candidate));
    assert.ok(hosts.length > 0, "there are host candidates");
    for (const candidate of hosts) assert.match(candidate, /\.local /, "every host address is a .local name");
  }
  await relayCountsRight(consultation.id, "direct");
  await leaveAll();
  await Promise.all([close(pair.doctor), close(pair.patient)]);
});

test("the demo's two links make a call", async () => {
  const demo = await Server.demo();
  const doctor = await Visit.open("doctor", browsers.one, demo.doctor, { picture: "whole" });
  await doctor.toRoom();
  const patient = await Visit.open("patient", browsers.two, demo.patient, { picture: "whole" });
  await patient.toWaiting(NAME);
  await doctor.says(".knock [data-part=name]", NAME);
  await doctor.admit();
  await Promise.all([doctor.receives(), patient.receives()]);
  await leaveAll();
  await demo.server.stop();
});

test("a call of ten minutes never stops", { skip: !process.env.VISAVIS_LONG }, async (context) => {
  const { doctor, patient } = await meet(server, { doctor: browsers.one, patient: browsers.two }, { both: { picture: "whole" } });
  await Promise.all([doctor.sample(), patient.sample()]);
  const ends = Date.now() + SOAK_MS;
  while (Date.now() < ends) await Promise.all([doctor, patient].map((visit) => visit.receives({ frames: 100, packets: 250 })));
  const gaps = await Promise.all([doctor, patient].map(async (visit) => longestGap(await visit.samples())));
  context.diagnostic(`longest time without a new frame: ${gaps.join(" and ")} ms`);
});

/**
 * @param {string} id
 * @param {"direct" | "relayed"} path
 */
async function relayCountsRight(id, path) {
  const { mediaBytes } = (await server.show(id)).relay;
  if (path === "direct") return assert.equal(mediaBytes, 0, "a direct call must not pass through the relay");
  await until("the relay's counter grows", async () => (await server.show(id)).relay.mediaBytes > mediaBytes + 10_000);
}

/** @param {{ doctor: Visit, patient: Visit }} meeting */
async function timesOf({ doctor, patient }) {
  const first = await timesToFirstFrame({ doctor, patient });
  const frames = await patient.frames();
  /** @param {string} type */
  const at = (type) => frames.find(({ message }) => message.type === type)?.at ?? NaN;
  const opened = await patient.read(() => performance.timeOrigin);
  return `admit to first frame: doctor ${first.doctor} ms, patient ${first.patient} ms; `
    + `opening to ready ${Math.round(at("seen") - opened)} ms; join to waiting ${Math.round(at("waiting") - at("join"))} ms`;
}
