/**
 * The check before the appointment, on the real server: a patient who is early tries camera, microphone and a loop over the real
 * relay, and tells the practice how it went, or does not.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { setUpLink } from "./lib/desk.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const HOUR_MS = 3_600_000;
const NOT_FOUND = /** @type {[string, string]} */ (["NotFoundError", "Requested device not found"]);
const DENIED = /** @type {[string, string]} */ (["NotAllowedError", "Permission denied"]);
const WELL = { camera: "ok", microphone: "ok", relay: "ok" };

/** @type {Server} */
let server;
/** @type {Record<"chromium" | "firefox", import("./lib/browser.js").Browser>} */
let browsers;
/** @type {(method: string, path: string, body?: object) => Promise<any>} */
let ask;

before(async () => {
  server = await Server.start({ env: { VISAVIS_LOG: "trace" } });
  browsers = { chromium: await launch("chromium"), firefox: await launch("firefox") };
  ask = await setUp();
});
afterEach(leaveAll);
after(() => cleanUp(server));

for (const [index, kind] of /** @type {const} */ (["chromium", "firefox"]).entries()) {
  test(`with camera, microphone and a line over the real relay everything is ready, and everything is let go of (${kind})`, { skip: notItsTurn(index, 2) }, async () => {
    const patient = await early(browsers[kind], (await plan()).link);
    await check(patient);
    await verdict(patient, "green", WELL);
    assert.deepEqual(await patient.devicesInUse(), [], "the camera's light is off");
    const { connections, open, policies } = await loops(patient);
    assert.deepEqual([connections, open, policies], [2, 0, "relay relay"], "the loop was over the relay alone, and is closed");
  });
}

test("nothing leaves before the user agrees, and then these results alone", async () => {
  const { id, link, code } = await plan();
  const patient = await early(browsers.chromium, link);
  const sent = await bodies(patient);
  await check(patient);
  await verdict(patient, "green", WELL);
  assert.deepEqual(sent(), [["/api/readiness/begin", { code }]]);
  assert.equal((await ask("GET", `consultations/${id}`)).readiness, null);

  await patient.click("#tell");
  await patient.says("#ready-told", de["ready.told"]);
  assert.deepEqual(sent().slice(1), [["/api/readiness", { code, verdict: "green", ...WELL }]]);
  const { at, ...readiness } = (await ask("GET", `consultations/${id}`)).readiness;
  assert.deepEqual(readiness, { verdict: "green", ...WELL });
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < HOUR_MS, at);
  assert.deepEqual(patient.wire.map(({ data }) => JSON.parse(data).type).filter((type) => !["look", "seen"].includes(type)), []);
  const labels = await patient.read(async () => (await navigator.mediaDevices.enumerateDevices()).map(({ label }) => label).filter(Boolean));
  assert.ok(labels.length > 0);
  for (const label of labels) assert.ok(!server.output.includes(label) && !JSON.stringify(sent()).includes(label), label);
});

test("without a camera a call is possible, and the practice learns it when the user agrees", async () => {
  const { id, link } = await plan();
  const patient = await early(browsers.chromium, link, { failing: { camera: NOT_FOUND } });
  await check(patient);
  await verdict(patient, "yellow", { ...WELL, camera: "missing" });
  await patient.says("#ready-result [data-part=camera] p", de["ready.cause.camera"]);
  await patient.click("#tell");
  await patient.says("#ready-told", de["ready.told"]);
  const { verdict: told, camera } = (await ask("GET", `consultations/${id}`)).readiness;
  assert.deepEqual([told, camera], ["yellow", "missing"]);
});

test("without a microphone there is no call yet, and after it was plugged in the check is made again", async () => {
  const { id, link } = await plan();
  const patient = await early(browsers.chromium, link, { failing: { microphone: NOT_FOUND } });
  await check(patient);
  await verdict(patient, "red", { ...WELL, microphone: "missing" });
  await patient.says("#ready-result [data-part=microphone] p", de["trouble.none.microphone"]);
  await patient.click("#tell");
  await patient.says("#ready-told", de["ready.told"]);
  assert.equal((await ask("GET", `consultations/${id}`)).readiness.verdict, "red");

  await patient.reload();
  await patient.onScreen("early");
  await patient.read(() => delete (/** @type {any} */ (navigator.mediaDevices).getUserMedia));
  await check(patient);
  await verdict(patient, "green", WELL);
  await patient.click("#tell");
  await patient.says("#ready-told", de["ready.told"]);
  assert.equal((await ask("GET", `consultations/${id}`)).readiness.verdict, "green");
});

test("what is only not allowed yet leaves a call possible and says where to allow it", async () => {
  const patient = await early(browsers.chromium, (await plan()).link, { failing: { camera: DENIED, microphone: DENIED }, permissions: [] });
  await check(patient);
  await verdict(patient, "yellow", { ...WELL, camera: "failed", microphone: "failed" });
  for (const device of ["camera", "microphone"]) await patient.says(`#ready-result [data-part=${device}] p`, de[`trouble.browser.${device}`]);
});

test("a network in which nothing reaches the relay is told within the time that the page allows", async () => {
  const patient = await early(browsers.chromium, (await plan()).link);
  await answer(patient, "/api/readiness/begin", { iceServers: [{ urls: ["turn:127.0.0.1:9?transport=udp"], username: "nobody", credential: "nothing" }] });
  await check(patient);
  await verdict(patient, "red", { ...WELL, relay: "failed" });
  assert.equal((await loops(patient)).open, 0);
});

test("a server that does not answer fails the check and the telling, and the next try succeeds", async () => {
  const { id, link } = await plan();
  const patient = await early(browsers.chromium, link);
  const back = await answer(patient, "/api/readiness/begin", null);
  await check(patient);
  await verdict(patient, "red", { ...WELL, relay: "missing" });
  await patient.says("#ready-result [data-part=relay] p", de["ready.cause.relay.missing"]);
  await back();
  await patient.click("#ready-retry");
  await onwards(patient);
  await verdict(patient, "green", WELL);
  const backAgain = await answer(patient, "/api/readiness", null);
  await patient.click("#tell");
  await patient.says("#ready-not-told", de["ready.failed"]);
  await backAgain();
  await patient.click("#tell");
  await patient.says("#ready-told", de["ready.told"]);
  assert.equal((await ask("GET", `consultations/${id}`)).readiness.verdict, "green");
});

test("an appointment called off during the check is said instead of a result", async () => {
  const { id, link } = await plan();
  const patient = await early(browsers.chromium, link);
  await patient.click("[data-do=trial]");
  await patient.onScreen("trial");
  await ask("POST", `consultations/${id}/cancel`);
  await onwards(patient);
  await patient.onScreen("problem");
  await patient.says("#problem-title", de["problem.code-revoked.title"]);
});

test("a typed code checks as a link does, and where no practice planned it nobody is offered the result", async () => {
  const consultation = await server.plan("--start", new Date(Date.now() + 2 * HOUR_MS).toISOString());
  const patient = await Visit.open("patient", browsers.chromium, server.origin);
  await patient.onScreen("code");
  await patient.type("#code", consultation.patient.code.toLowerCase());
  await patient.click("#code-form [type=submit]");
  await patient.onScreen("early");
  await check(patient);
  await verdict(patient, "green", WELL);
  assert.equal(await patient.read(() => document.querySelector("#tell")?.checkVisibility()), false);
  await patient.click("#screen-ready [data-do=early]");
  await patient.onScreen("early");

  const doctor = await early(browsers.chromium, consultation.doctor.link);
  assert.equal(await doctor.read(() => document.querySelector("[data-do=trial]")?.checkVisibility()), false, "the doctor's page offers none");
});

test("the page shows the practice that planned it, its number and its time", async () => {
  const { link, startsAt } = await plan();
  const patient = await early(browsers.chromium, link);
  await patient.says("#screen-early [data-practice] strong", "Praxis am Markt");
  await patient.says("#screen-early [data-phone] a", "030\u00a01234567");
  const there = new Date(startsAt).toLocaleTimeString("de-DE", { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Kathmandu" });
  assert.ok((await patient.read(() => document.querySelector("#early-starts")?.textContent))?.includes(there), there);
});

test("when the room opens the page goes on by itself, from the check as well", async () => {
  const lead = 30 * 60_000;
  const { link } = await plan(lead + 8000);
  const waits = await early(browsers.chromium, link);
  const checks = await Visit.open("who checks", browsers.chromium, link);
  await checks.click("[data-do=trial]");
  await checks.onScreen("trial");
  for (const visit of [waits, checks]) {
    await visit.onScreen("welcome");
    await visit.says("#welcome-title", de["welcome.title"].replace("{practice}", "Praxis am Markt"));
    assert.deepEqual(await visit.devicesInUse(), []);
  }
});

test("the whole check by keyboard alone", async () => {
  const patient = await early(browsers.chromium, (await plan()).link);
  await patient.press("[data-do=trial]");
  await patient.onScreen("trial");
  await patient.see("the devices have answered, and it shows", () => {
    const button = document.querySelector("#judge[aria-disabled=false]");
    return button && getComputedStyle(button).opacity === "1";
  });
  await patient.press("#judge");
  await verdict(patient, "green", WELL);
  await patient.press("#tell");
  await patient.says("#ready-told", de["ready.told"]);
  await patient.press("#screen-ready [data-do=early]", "Space");
  await patient.onScreen("early");
});

/** A practice, set up with the server's one-time link; what its pages would seal is not looked at here. */
async function setUp() {
  const { secret: link } = await setUpLink(server);
  const workplace = { name: "Empfang", publicKey: "w", practiceKey: "w" };
  const keys = { secret: "s", recoverySecret: "r", publicKey: "p", byPassword: "b", byRecovery: "c", practiceKey: "k", workplace };
  const names = { practice: "markt", name: "Praxis am Markt", phone: "030 1234567", timeZone: "Asia/Kathmandu", user: "leitung", role: "head" };
  /** @param {string | null} token @returns {typeof ask} */
  const asking = (token) => async (method, path, body) => {
    const headers = { ...(body && { "content-type": "application/json" }), ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(`${server.origin}/api/practice/${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  };
  const { token } = await asking(null)("POST", "set-up", { link, ...names, ...keys });
  return asking(token);
}

/** An appointment of the practice. @param {number} [ahead]  ms */
async function plan(ahead = 2 * HOUR_MS) {
  const { consultation, codes } = await ask("POST", "consultations", { startsAt: new Date(Date.now() + ahead).toISOString() });
  const { link, code } = codes.find((/** @type {{ role: string }} */ { role }) => role === "patient");
  return { ...consultation, link, code: code.replaceAll("-", "") };
}

/**
 * @param {import("./lib/browser.js").Browser} browser
 * @param {string} link
 * @param {import("./lib/visit.js").Options} [options]
 */
async function early(browser, link, options) {
  const visit = await Visit.open("patient", browser, link, options);
  await visit.onScreen("early");
  return visit;
}

/** From the early page to the result. @param {Visit} visit */
async function check(visit) {
  await visit.click("[data-do=trial]");
  await visit.onScreen("trial");
  await onwards(visit);
}

/** Camera and microphone have answered, and the user goes on. @param {Visit} visit */
async function onwards(visit) {
  await visit.see("the devices have answered", () => document.querySelector("#judge")?.getAttribute("aria-disabled") === "false");
  await visit.click("#judge");
}

/** @param {Visit} visit @param {"green" | "yellow" | "red"} colour @param {Record<string, string>} parts */
async function verdict(visit, colour, parts) {
  await visit.onScreen("ready");
  await visit.says("#ready-verdict strong", de[`ready.${colour}`]);
  await visit.says("#ready-title", de[`ready.${colour}.title`]);
  for (const [name, part] of Object.entries(parts)) await visit.says(`#ready-result [data-part=${name}] strong`, de[`ready.${name}.${part}`]);
}

/** @param {Visit} visit */
function loops(visit) {
  return visit.read(() => {
    const { connections } = /** @type {any} */ (window).__seen;
    const open = connections.filter((/** @type {RTCPeerConnection} */ connection) => connection.signalingState !== "closed").length;
    const policies = connections.map((/** @type {RTCPeerConnection} */ connection) => connection.getConfiguration().iceTransportPolicy).join(" ");
    return { connections: connections.length, open, policies };
  });
}

/** Every request with a body, from here on. @param {Visit} visit */
async function bodies(visit) {
  /** @type {[string, unknown][]} */
  const sent = [];
  visit.page.on("request", (request) => {
    const text = request.postData();
    if (request.method() !== "GET") sent.push([new URL(request.url()).pathname, text && JSON.parse(text)]);
  });
  return () => [...sent];
}

/**
 * Another answer in the server's place, or none.
 * @param {Visit} visit
 * @param {string} path
 * @param {object | null} json
 * @returns {Promise<() => Promise<void>>} gives the server its place back
 */
async function answer({ page }, path, json) {
  await page.setRequestInterception(true);
  const instead = (/** @type {import("puppeteer-core").HTTPRequest} */ request) => {
    if (new URL(request.url()).pathname !== path) return request.continue();
    return json ? request.respond({ contentType: "application/json", body: JSON.stringify(json) }) : request.abort();
  };
  page.on("request", instead);
  return async () => {
    page.off("request", instead);
    await page.setRequestInterception(false);
  };
}
