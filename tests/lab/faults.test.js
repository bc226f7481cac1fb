/**
 * What breaks in mid-call mends itself, in two real browsers behind two routers: lines that are cut, a network that
 * changes, a server that starts anew, a page that sleeps. Every case prints for how long either side was without new
 * frames, without a picture that is drawn, and without sound; in a plain run once, of alike faults one, with
 * VISAVIS_LONG=1 each ten times.
 */

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import de from "../../static/shared/words/de.js";
import { launch } from "../browser/lib/browser.js";
import { meet } from "../browser/lib/meeting.js";
import { until } from "../browser/lib/until.js";
import { cleanUp, leaveAll } from "../browser/lib/visit.js";
import { KINDS, back, gaps, samples, watchGaps } from "./lib/gaps.js";
import { file, routers, skip, startServer } from "./lib/lab.js";
import { Router, cable, internet } from "./lib/network.js";
import { others } from "../browser/lib/turns.js";

/** @typedef {import("../browser/lib/visit.js").Visit} Visit */
/** @typedef {import("./lib/gaps.js").Gaps} Gaps */
/** @typedef {{ doctor: Visit, patient: Visit }} Meeting */
/** @typedef {"patient" | "doctor"} Side */
/**
 * @typedef {object} Fault
 * @property {string} name
 * @property {string} [kind]  faults of one kind take turns (browser/lib/turns.js)
 * @property {number} bound  in ms, for frames and sound on both sides
 * @property {boolean} [firefox]  the patient's browser
 * @property {boolean} [undrawn]  the browser does not tell what it draws: Firefox for streams, Chromium for a page that was frozen
 * @property {boolean} [relayed]  the call goes over the relay
 * @property {(meeting: Meeting) => Promise<number>} strike  until what broke is whole; answers when that was, or 0: counted from the beginning
 */

const SIDES = /** @type {Side[]} */ (["patient", "doctor"]);
const ROUNDS = process.env.VISAVIS_LONG ? 10 : 1;
const LOSS_MS = 30_000;
const SLEEP_MS = 20_000;
/** Gaps are measured as users meet them: with all that their pictures cost. */
const WHOLE = /** @type {const} */ ({ both: { picture: "whole" } });
const plain = /** @type {const} */ ({ nat: "plain" });
const symmetric = /** @type {const} */ ({ nat: "symmetric" });

/** Of two seconds: the last bit of every sample, as decoders dither it, is 2e-9; the fake microphone's beep is 1e-2. */
const INAUDIBLE = 1e-6;

describe("faults in mid-call", () => {
  const mobile = new Router("mobile", "10.3.0.2");
  /** @type {import("../browser/lib/server.js").Server} */
  let server;
  /** @type {Record<Side | "firefox", import("../browser/lib/browser.js").Browser>} */
  let browsers;

  if (!skip) before(async () => {
    await mobile.become(plain);
    server = await startServer();
    const [patient, doctor, firefox] = await Promise.all([
      launch("chromium"),
      launch("chromium", { network: "doctor" }),
      launch("firefox", { loopback: false, authority: file("authority.crt") }),
    ]);
    browsers = { patient, doctor, firefox };
  });
  afterEach(mend);
  after(() => cleanUp(server));

  /** @type {Fault[]} */
  const FAULTS = [
    { kind: "cut", name: "the direct path is cut", bound: 3000, strike: () => cut() },
    { kind: "cut", name: "the direct path is cut, the patient in Firefox", bound: 3000, firefox: true, undrawn: true, strike: () => cut() },
    { kind: "cut", name: "what the patient sends is cut off", bound: 3000, strike: () => cut("patient") },
    { kind: "cut", name: "what the doctor sends is cut off", bound: 3000, strike: () => cut("doctor") },
    { name: "the patient's network changes: another address, another router", bound: 3000, strike: () => cable.change("mobile").then(() => 0) },
    { name: "the broker restarts, the call is direct", bound: 400, strike: () => restart() },
    { name: "the server restarts, the call is relayed", bound: 5000, relayed: true, strike: () => restart() },
    { kind: "reload", name: "the patient's page is loaded anew", bound: 3000, strike: ({ patient }) => reload(patient) },
    { kind: "reload", name: "the doctor's page is loaded anew", bound: 3000, strike: ({ doctor }) => reload(doctor) },
    { kind: "a long silence", name: "the doctor's page is frozen for 20 s and thawed", bound: 3000, undrawn: true, strike: ({ doctor }) => freeze(doctor) },
    { kind: "a long silence", name: "the doctor's machine sleeps for 20 s and wakes", bound: 3000, strike: () => sleep(browsers.doctor) },
    { name: "30 s of total loss at the patient's", kind: "a long silence", bound: 3000, strike: () => loseAll() },
  ];

  const later = others(FAULTS);
  for (const fault of FAULTS) {
    test(`${fault.name}: back within ${fault.bound / 1000} s`, { skip: skip || (later.get(fault.name) ?? false), timeout: ROUNDS * 90_000 }, async (context) => {
      /** @type {Record<Side, Gaps>[]} */
      const rounds = [];
      for (let round = 0; round < ROUNDS; round++) {
        rounds.push(await suffer(fault));
        await mend();
      }
      tell(context, rounds);
      for (const round of rounds) {
        for (const side of SIDES) {
          for (const kind of /** @type {const} */ (["frames", "sound"])) {
            assert.ok(round[side][kind] <= fault.bound, `${side}: ${round[side][kind]} ms without ${kind}`);
          }
        }
      }
    });
  }

  test("who was mute and dark stays so on the new line, and is heard and seen again when wanted", { skip }, async () => {
    await Promise.all(SIDES.map((side) => routers[side].become(plain)));
    const { doctor, patient } = await meet(server, browsers, WHOLE);
    for (const device of ["microphone", "camera"]) await patient.click(`#bar [data-device=${device}]`);
    await doctor.says(".partner [data-device=camera]", de["device.camera.off"]);
    await internet.cut();
    for (const visit of [doctor, patient]) await until(`${visit.who} is relayed`, async () => (await visit.flow()).types.includes("relay"));
    await oneLine(doctor);
    const before = await doctor.flow();
    const later = await until("a hundred audio packets come", async () => {
      const flow = await doctor.flow();
      return flow.packets > before.packets + 100 && flow;
    });
    assert.ok(later.energy - before.energy < INAUDIBLE, `no sound, not ${later.energy - before.energy}`);
    assert.equal(later.decoded, before.decoded, "no frame");
    for (const device of /** @type {const} */ (["microphone", "camera"])) {
      await doctor.says(`.partner [data-device=${device}]`, de[`device.${device}.off`]);
      await patient.click(`#bar [data-device=${device}]`);
    }
    await doctor.receives();
    await until("the doctor hears something", async () => (await doctor.flow()).energy > later.energy + 100 * INAUDIBLE);
  });

  test("a microphone that lives and gives nothing, as after a telephone call on a phone, is fetched anew", { skip }, async (context) => {
    await Promise.all(SIDES.map((side) => routers[side].become(plain)));
    const { doctor, patient } = await meet(server, browsers, WHOLE);
    await patient.page.evaluateOnNewDocument(interruptible);
    await patient.reload();
    await patient.onScreen("call");
    await doctor.receives();
    const at = Date.now();
    await patient.read(() => /** @type {any} */ (window).__interrupt());
    await until("the microphone is fetched anew", () => patient.read(() => /** @type {any} */ (window).__asked > 1));
    const asked = Date.now() - at;
    await doctor.receives();
    context.diagnostic(`asked for again after ${asked} ms, heard again after ${Date.now() - at} ms at most`);
  });

  /**
   * A call, the fault, and both see and hear each other again.
   * @param {Fault} fault
   * @returns {Promise<Record<Side, Gaps>>}
   */
  async function suffer({ relayed = false, firefox = false, undrawn = false, strike }) {
    await Promise.all(SIDES.map((side) => routers[side].become(relayed ? symmetric : plain)));
    const meeting = await meet(server, firefox ? { ...browsers, patient: browsers.firefox } : browsers, WHOLE);
    const visits = SIDES.map((side) => meeting[side]);
    for (const visit of visits) await until(`${visit.who} is ${relayed ? "relayed" : "direct"}`, async () => (await visit.flow()).types.includes("relay") === relayed);
    await Promise.all(visits.map((visit) => visit.receives({ frames: 75, packets: 150 })));
    await Promise.all(visits.map(watchGaps));
    await Promise.all(visits.map((visit) => visit.receives()));
    const began = Date.now();
    const whole = await strike(meeting);
    await Promise.all(visits.map((visit) => moves(visit, whole || began, undrawn)));
    const measured = await Promise.all(visits.map((visit) => (whole ? back(visit, whole).then(async (times) => (await gaps(visit), times)) : gaps(visit, began))));
    await Promise.all(visits.map(oneLine));
    return { patient: measured[0], doctor: measured[1] };
  }

  async function mend() {
    if (skip) return;
    await leaveAll();
    await internet.mend();
    await cable.change("out");
  }

  /** @param {Side} [from] */
  async function cut(from) {
    await internet.cut(from);
    await until("the cut meets packets", async () => (await internet.lost()) > 0);
    return 0;
  }

  /** @param {Visit} visit */
  async function reload(visit) {
    const at = Date.now();
    await visit.reload();
    await watchGaps(visit);
    await visit.onScreen("call");
    return at;
  }

  /** @param {Visit} visit */
  async function freeze(visit) {
    await visit.cdp?.send("Page.setWebLifecycleState", { state: "frozen" });
    await pause(SLEEP_MS);
    const at = Date.now();
    await visit.cdp?.send("Page.setWebLifecycleState", { state: "active" });
    return at;
  }

  /** @param {import("../browser/lib/browser.js").Browser} browser */
  async function sleep(browser) {
    const processes = await descendants(browser.pid);
    for (const pid of processes) process.kill(pid, "SIGSTOP");
    await pause(SLEEP_MS);
    const at = Date.now();
    for (const pid of processes.reverse()) process.kill(pid, "SIGCONT");
    return at;
  }

  async function restart() {
    await server.halt();
    await server.resume();
    return 0;
  }

  async function loseAll() {
    await routers.patient.fail();
    await pause(LOSS_MS);
    assert.ok((await routers.patient.counted()).lost > 0, "the loss met packets");
    await routers.patient.become(plain);
    return Date.now();
  }
});

/**
 * Pictures come, are drawn, and sound comes, for a while.
 * @param {Visit} visit
 * @param {number} since
 * @param {boolean} undrawn
 */
async function moves(visit, since, undrawn) {
  const more = { frames: 30, shown: undrawn ? 0 : 20, sound: 100 };
  await until(`${visit.who} sees and hears again`, async () => {
    const all = await samples(visit);
    const first = all.find(({ at }) => at >= since);
    const last = all[all.length - 1];
    return first && KINDS.every((kind) => last[kind] >= first[kind] + more[kind]);
  }, { within: 40_000, why: async () => `${JSON.stringify((await samples(visit)).slice(-1))} ${JSON.stringify(await visit.flow())} ${await visit.tell()}` });
}

/** Runs in the page before its scripts: the first microphone can be interrupted. */
function interruptible() {
  const page = /** @type {any} */ (window);
  const real = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (!real) return;
  page.__asked = 0;
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await real(wanted);
    const [track] = stream.getAudioTracks();
    if (!track || page.__asked++ > 0) return stream;
    const context = new AudioContext();
    const out = context.createMediaStreamDestination();
    context.createMediaStreamSource(new MediaStream([track])).connect(out);
    page.__interrupt = () => context.suspend();
    stream.removeTrack(track);
    stream.addTrack(out.stream.getAudioTracks()[0]);
    return stream;
  };
}

/** A process and all that it started. @param {number} pid @returns {Promise<number[]>} */
async function descendants(pid) {
  const tasks = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, "utf8")));
  const children = lists.flatMap((list) => list.split(" ").filter(Boolean));
  return [pid, ...(await Promise.all(children.map((child) => descendants(Number(child))))).flat()];
}

/** What was tried and not needed is closed. @param {Visit} visit */
async function oneLine(visit) {
  await until(`${visit.who} has one connection`, async () => (await visit.flow()).open === 1);
}

/** @param {import("node:test").TestContext} context @param {Record<Side, Gaps>[]} rounds */
function tell(context, rounds) {
  for (const side of SIDES) {
    const words = (/** @type {keyof Gaps} */ kind) => {
      const sorted = rounds.map((round) => round[side][kind]).sort((a, b) => a - b);
      const worst = sorted[sorted.length - 1];
      return `${kind} ${sorted.length > 1 ? `median ${sorted[sorted.length >> 1]}, worst ${worst}` : worst} ms`;
    };
    context.diagnostic(`${side} without: ${words("frames")}; ${words("shown")}; ${words("sound")}`);
  }
}
