/**
 * What the server must not learn or keep, and what the patient's side must do without: a canary name and code, requests
 * beyond the origin, cookies and storage; and what a patient's way from link to call weighs.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { close, launch } from "./lib/browser.js";
import { NAME, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** Until the patient reads the first screen; beyond this somebody should ask what the patient gets for it. */
const FIRST_BYTES = 72 * 1024;
/** The rest comes while name and camera are being seen to. */
const WHOLE_BYTES = 112 * 1024;
const CANARY = "Zephyrine Kanarienvogel-Ößwald";

/** @type {Server} */
let server;
/** @type {Record<"doctor" | "patient" | "firefox", import("./lib/browser.js").Browser>} */
let browsers;

before(async () => {
  // At its most talkative: whatever it logs, it must not log this.
  server = await Server.start({ env: { VISAVIS_LOG: "trace" } });
  browsers = { doctor: await launch("chromium"), patient: await launch("chromium"), firefox: await launch("firefox") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

test("a canary name and a canary code typed into the page reach the doctor, and no file, log line or request line", async () => {
  const consultation = await server.plan();
  const { code } = consultation.patient;
  const doctor = await Visit.open("doctor", browsers.doctor, consultation.doctor.link);
  await doctor.toRoom();
  const patient = await Visit.open("patient", browsers.patient, server.origin);
  await patient.onScreen("code");
  await patient.type("#code", code.toLowerCase().replaceAll("-", " "));
  await patient.click("#code-form [type=submit]");
  await patient.toWaiting(CANARY);
  await doctor.says(".knock [data-part=name]", CANARY);
  await doctor.admit();
  await Promise.all([doctor.receives(), patient.receives()]);
  await doctor.says(".partner [data-part=name]", CANARY);
  await patient.reload();
  await Promise.all([doctor.receives(), patient.receives()]);
  await doctor.click("#hangup");
  await patient.onScreen("end");

  const forms = [...formsOf(CANARY), ...formsOf("Kanarienvogel"), ...formsOf(code), ...formsOf(code.replaceAll("-", ""))];
  const files = await server.files();
  assert.ok([...files.keys()].some((path) => /sqlite|\.db/.test(path)), `the database is among ${[...files.keys()]}`);
  for (const [path, content] of files) absent(forms, content, path);
  absent(forms, Buffer.from(server.output), "the log");
  for (const visit of [doctor, patient]) {
    assert.ok(visit.requests.some(({ url }) => url.endsWith("/ws")), "the recording of requests is whole");
    for (const { url, headers } of visit.requests) absent(forms, Buffer.from(url.replace(/#.*/, "") + headers), url);
  }
  await server.halt(); // the write-ahead log, folded into the database
  for (const [path, content] of await server.files()) absent(forms, content, path);
  await server.resume();
  // The search itself can find what is there.
  assert.throws(() => absent(forms, Buffer.from(`…${CANARY}…`), "a file that holds the name"));
});

for (const [index, kind] of /** @type {const} */ (["patient", "firefox"]).entries()) {
  test(`no request leaves the origin, from the link to the end of the call (${kind === "patient" ? "Chromium" : "Firefox"})`, { skip: notItsTurn(index, 2) }, async () => {
    const { doctor, patient } = await meet(server, { doctor: browsers.doctor, patient: browsers[kind] });
    await patient.click("#hangup");
    await patient.onScreen("end");
    for (const visit of [doctor, patient]) {
      const urls = visit.requests.map(({ url }) => url).filter((url) => url !== "");
      assert.ok(urls.length >= 8, `the recording is whole: ${urls}`);
      const { host } = new URL(server.origin);
      const elsewhere = urls.filter((url) => !/^(data|blob):/.test(url) && new URL(url).host !== host);
      assert.deepEqual(elsewhere, []);
    }
  });
}

test("the whole call works with cookies and storage blocked", async () => {
  const { patient } = await meet(server, browsers, { patient: { noStorage: true } });
  assert.deepEqual(await patient.context.cookies(), []);
});

test("no cookie is set and nothing lasting is stored", async () => {
  const { doctor, patient } = await meet(server, browsers);
  for (const visit of [doctor, patient]) {
    assert.deepEqual(await visit.context.cookies(), []);
    const lasting = await visit.read(async () => ({
      local: localStorage.length,
      databases: (await indexedDB.databases()).length,
      caches: (await caches.keys()).length,
      workers: (await navigator.serviceWorker.getRegistrations()).length,
    }));
    assert.deepEqual(lasting, { local: 0, databases: 0, caches: 0, workers: 0 });
  }
});

test("the patient's way from link to call is light", async (context) => {
  // As it is served in earnest: over TLS, where HTTP/2 says what all answers have in common once.
  const secured = await Server.start({ args: ["--self-made-certificate"] });
  const consultation = await secured.plan();
  const [fresh, other] = [await launch("chromium", { anyCertificate: true }), await launch("chromium", { anyCertificate: true })];
  const patient = await Visit.open("patient", fresh, consultation.patient.link);
  await patient.onScreen("welcome");
  const doctor = await Visit.open("doctor", other, consultation.doctor.link);
  await doctor.toRoom();
  await patient.toWaiting(NAME);
  await doctor.admit();
  await patient.receives();
  const asked = patient.requests.map(({ url }) => url);
  // The page asks for what only a call needs once there is something to read.
  const beforeReading = new Set(asked.slice(0, asked.findIndex((url) => url.endsWith("/consultation/peers.js"))));
  assert.ok([...beforeReading].some((url) => url.endsWith("/shared/words/de.js")), "the first screen has words");
  const first = weight([...patient.bytes].filter(([url]) => beforeReading.has(url)));
  const whole = weight([...patient.bytes]);
  for (const [url, bytes] of patient.bytes) context.diagnostic(`${String(bytes).padStart(7)} ${new URL(url).pathname}`);
  const signaling = patient.wire.reduce((sum, { data }) => sum + data.length, 0);
  context.diagnostic(`to the first screen: ${inWords(first)}; to the call: ${inWords(whole)} over the wire, and ${patient.wire.length} signaling messages, ${(signaling / 1000).toFixed(1)} kB`);
  assert.ok(first.bytes < FIRST_BYTES && whole.bytes < WHOLE_BYTES, `${inWords(first)}, ${inWords(whole)}`);
  await leaveAll();
  await Promise.all([close(fresh), close(other), secured.stop()]);
});

/** @param {[url: string, bytes: number][]} answers */
function weight(answers) {
  return { requests: answers.length, bytes: answers.reduce((sum, [, bytes]) => sum + bytes, 0) };
}

/** @param {ReturnType<typeof weight>} weight */
function inWords({ requests, bytes }) {
  return `${requests} requests, ${(bytes / 1000).toFixed(1)} kB`;
}

/**
 * The text as it may lie around: plain, in UTF-16, percent-encoded, in JSON escapes, in base64 at each of its three offsets.
 * @param {string} text
 */
function formsOf(text) {
  const offsets = [0, 1, 2].map((offset) => Buffer.from("x".repeat(offset) + text).toString("base64").slice(offset === 0 ? 0 : 4, -4));
  const escaped = JSON.stringify(text).slice(1, -1).replace(/[^\x20-\x7e]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const texts = [text, text.toLowerCase(), encodeURIComponent(text), escaped, ...offsets, ...offsets.map((form) => form.replaceAll("+", "-").replaceAll("/", "_"))];
  return [...new Set(texts)].map((form) => Buffer.from(form)).concat(Buffer.from(text, "utf16le"));
}

/**
 * @param {Buffer[]} forms
 * @param {Buffer} content
 * @param {string} where
 */
function absent(forms, content, where) {
  for (const form of forms) assert.ok(!content.includes(form), `“${form}” stands in ${where}`);
}

