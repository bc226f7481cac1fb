/**
 * The encryption can be checked (R21, R22): with links the lock is closed without a click, with codes two people compare
 * words, and a broker that swaps both fingerprints is caught. The attacks run in a page of the server, with its own
 * modules and real connections.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { attack, openEarly, prepare, swapLater } from "./lib/between.js";
import { NAME, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @type {Server} */
let server;
/** @type {Record<"one" | "two" | "firefox", import("./lib/browser.js").Browser>} */
let browsers;

before(async () => {
  server = await Server.start({ args: ["--practice-phone", "030 1234567"] });
  browsers = { one: await launch("chromium"), two: await launch("chromium"), firefox: await launch("firefox") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

for (const [index, [doctor, patient]] of /** @type {const} */ ([["one", "firefox"], ["firefox", "two"]]).entries()) {
  test(`links with a secret: the lock is closed on both sides without a click, the doctor in ${browserOf(doctor)}, the patient in ${browserOf(patient)}`, { skip: notItsTurn(index, 2) }, async (context) => {
    const meeting = await meet(server, { doctor: browsers[doctor], patient: browsers[patient] });
    for (const visit of [meeting.doctor, meeting.patient]) {
      await checked(visit);
      const told = await visit.see("what was agreed on, and all of it", () =>
        /^DTLS 1\.[23], TLS_\w+, SRTP_\w+$/.exec(document.querySelector("#locks [data-part=transport]")?.textContent ?? "")?.[0]);
      assert.equal(await visit.read(() => /** @type {HTMLDialogElement} */ (document.querySelector("#panel-lock")).open), false);
      assert.doesNotMatch(await said(visit), /Wörter/, "nobody is asked for anything");
      context.diagnostic(`${visit.who}: ${told}`);
    }
  });
}

test("codes alone: both read the same four words, say so, and a reload needs none", async () => {
  const { doctor, patient } = await meetByCode({ doctor: browsers.one, patient: browsers.firefox });
  const words = await Promise.all([doctor, patient].map(wordsOf));
  assert.deepEqual(words[0], words[1]);
  for (const visit of [doctor, patient]) {
    await visit.click("#panel-lock [data-do=sameWords]");
    await checked(visit);
    assert.equal(await visit.read(() => document.activeElement?.id), "lock-title", "the focus stays in the dialog");
    assert.equal(await said(visit), de["lock.checked.words"]);
    await visit.click("#panel-lock [data-do=panel]");
  }
  for (const visit of [patient, doctor]) {
    await visit.reload();
    await visit.onScreen("call");
    await Promise.all([doctor, patient].map(checked));
  }
});

test("words that differ: who says so ends the call for both, and both read what to do", async () => {
  const { doctor, patient } = await meetByCode({ doctor: browsers.one, patient: browsers.two });
  await Promise.all([doctor, patient].map(wordsOf));
  await doctor.click("#panel-lock [data-do=otherWords]");
  await Promise.all([stopped(doctor, "mismatch", "textDoctor"), stopped(patient, "mismatch", "text")]);
});

test("links whose secrets differ stop the call on both sides", async () => {
  const consultation = await server.plan();
  const doctor = await Visit.open("doctor", browsers.one, consultation.doctor.link);
  await doctor.toRoom();
  const other = consultation.patient.link.replace(/.{4}$/, (end) => (end === "AAAA" ? "BBBB" : "AAAA"));
  const patient = await Visit.open("patient", browsers.two, other);
  await patient.toWaiting(NAME);
  await doctor.admit();
  await Promise.all([stopped(doctor, "mismatch", "textDoctor"), stopped(patient, "mismatch", "text")]);
});

test("a browser that reports encryption outside of the list stops the call, and says which trouble it is", async () => {
  const consultation = await server.plan();
  const doctor = await Visit.open("doctor", browsers.one, consultation.doctor.link);
  await doctor.toRoom();
  const patient = await Visit.open("patient", browsers.two, consultation.patient.link);
  await patient.toWaiting(NAME);
  await patient.read(() => {
    const { getStats } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.getStats = async function () {
      const report = await getStats.call(this);
      return /** @type {any} */ (new Map([...report].map(([id, entry]) => [id, entry.type === "transport" ? { ...entry, srtpCipher: "SRTP_NULL_HMAC_SHA1_80" } : entry])));
    };
  });
  await doctor.admit();
  await stopped(patient, "weak", "text");
});

test("a description with other fingerprints stops the connection before it is applied, however they are hidden", async () => {
  for (const kind of /** @type {const} */ (["one", "firefox"])) {
    const visit = await openPrepared(kind);
    assert.deepEqual(await visit.read(swapLater), { plain: { mismatches: 1, applied: false }, added: { mismatches: 1, applied: false } }, kind);
  }
});

test("a channel that opens before the answer is in force waits for it", async () => {
  for (const kind of /** @type {const} */ (["one", "firefox"])) {
    const visit = await openPrepared(kind);
    assert.deepEqual(await visit.read(openEarly), Array(2).fill({ level: "checked", ends: 0 }), kind);
  }
});

for (const [kind, attacks] of /** @type {const} */ ([["one", process.env.VISAVIS_LONG ? 100 : 20], ["firefox", process.env.VISAVIS_LONG ? 10 : 4]])) {
  test(`a broker that swaps both fingerprints and sits between is caught ${attacks} times in ${attacks} with the link's secret, in ${browserOf(kind)}`, async (context) => {
    const visit = await openPrepared(kind);
    const through = await visit.read(attack, { secret: true, plan: "none", watch: true });
    assert.deepEqual([through.ends, through.levels], [[0, 0], ["", ""]]);
    assert.ok(Math.min(...through.decoded) > 0, "unchecked, sound and picture pass through the one between, unnoticed");
    const began = performance.now();
    /** @type {number[]} */
    const times = [];
    const missed = [];
    for (let round = 0; round < attacks; round++) {
      const one = await visit.read(attack, { secret: true, plan: round % 2 ? "forge" : "pass" });
      const isCaught = one.ends.some((ends) => ends > 0) && !one.levels.includes("checked");
      if (!isCaught) missed.push(`round ${round}: ${JSON.stringify(one)}`);
      times.push(one.ms);
    }
    const total = Math.round(performance.now() - began);
    context.diagnostic(`caught ${attacks - missed.length} of ${attacks}, in ${Math.round(total / 1000)} s; from the open channel to the alarm ${Math.round(times.sort((a, b) => a - b)[attacks / 2])} ms in the median, ${Math.round(times[attacks - 1])} ms at worst`);
    assert.deepEqual(missed, []);
  });
}

test("without a secret, or with the claims to one stripped, the words differ", async (context) => {
  const visit = await openPrepared("one");
  for (const secret of [false, true]) {
    for (let round = 0; round < 10; round++) {
      const one = await visit.read(attack, { secret, plan: "strip" });
      assert.deepEqual([one.levels, one.ends], [["words", "words"], [0, 0]]);
      assert.notDeepEqual(one.words[0], one.words[1]);
      if (round === 0) context.diagnostic(`${secret ? "stripped" : "codes alone"}: ${one.words.map((words) => words?.join(" ")).join(" | ")}`);
    }
  }
});

/** @param {string} name */
function browserOf(name) {
  return name === "firefox" ? "Firefox" : "Chromium";
}

/** @param {Visit} visit */
async function checked(visit) {
  await visit.says("#chip-level", de["lock.checked.short"]);
}

/** What the live region said last. @param {Visit} visit */
function said(visit) {
  return visit.read(() => document.querySelector("#announcer")?.textContent ?? "");
}

/** Opens the lock, by keyboard where it leads there (Firefox stops at pictures on its way), and reads the words. @param {Visit} visit @returns {Promise<string[]>} */
async function wordsOf(visit) {
  await visit.says("#chip-level", de["lock.words.short"]);
  assert.equal(await said(visit), de["lock.choice"]);
  if (visit.browser.kind === "chromium") await visit.press("#chip");
  else await visit.click("#chip");
  await visit.says("#panel-lock [data-part=level]", de["lock.words.level"]);
  const words = await visit.read(() => [...document.querySelectorAll("#panel-lock li")].map((item) => item.textContent ?? ""));
  assert.equal(words.filter((word) => /^[A-Za-z]{4,}$/.test(word)).length, 4);
  return words;
}

/**
 * @param {Visit} visit
 * @param {string} end
 * @param {string} text
 */
async function stopped(visit, end, text) {
  await visit.says("#end-title", de[`end.${end}.title`]);
  await visit.says("#end-text", de[`end.${end}.${text}`]);
  await visit.says("#screen-end [data-phone] a", "030 1234567");
  assert.equal(await said(visit), de[`end.${end}.${text}`]);
  await visit.see("no connection is left", async () => (await /** @type {any} */ (window).__measure()).open === 0);
  assert.deepEqual(await visit.devicesInUse(), [], "camera and microphone are off");
  assert.equal(await visit.read(() => /** @type {HTMLElement} */ (document.querySelector("#rejoin")).checkVisibility()), false);
}

/** The codes typed in, as from a letter: no secret. @param {{ doctor: import("./lib/browser.js").Browser, patient: import("./lib/browser.js").Browser }} pair */
async function meetByCode(pair) {
  const consultation = await server.plan();
  const bare = (/** @type {string} */ link) => link.replace(/(#[^.]*)\..*$/, "$1");
  const doctor = await Visit.open("doctor", pair.doctor, bare(consultation.doctor.link));
  await doctor.toRoom();
  const patient = await Visit.open("patient", pair.patient, bare(consultation.patient.link));
  await patient.toWaiting(NAME);
  await doctor.admit();
  await Promise.all([doctor.receives(), patient.receives()]);
  return { doctor, patient };
}

/** A page of the server that does nothing by itself. @param {keyof typeof browsers} kind */
async function openPrepared(kind) {
  const visit = await Visit.open("page", browsers[kind], `${server.origin}/legal/imprint`);
  await visit.read(prepare);
  return visit;
}
