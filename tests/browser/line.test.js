/**
 * The details of a line in a real call: both sides' figures, plausible, in agreement and moving; and the report of it,
 * which holds nothing that names anybody. Whose line is weak is the lab's business (tests/lab/line.test.js).
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { NAME, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { until } from "./lib/until.js";
import { cleanUp, leaveAll } from "./lib/visit.js";

/** @typedef {import("./lib/visit.js").Visit} Visit */

/** @type {Server} */
let server;
/** @type {Record<"chromium" | "firefox", import("./lib/browser.js").Browser>} */
let browsers;

before(async () => {
  server = await Server.start();
  browsers = { chromium: await launch("chromium"), firefox: await launch("firefox") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

test("the details show what goes over the line, on both sides, and keep moving", async (context) => {
  const { doctor, patient } = await meet(server, { doctor: browsers.chromium, patient: browsers.firefox });
  for (const visit of [doctor, patient]) await openDetails(visit);
  const { doctor: ours, patient: theirs } = await until("both pages show both sides' figures, in agreement", async () => {
    const [one, other] = await Promise.all([figures(doctor), figures(patient)]);
    const known = [one, other].every((shown) => shown.received?.here > 50 && shown.received?.there > 50 && shown.picture?.here > 0);
    // They look at different moments.
    const agree = (/** @type {number} */ left, /** @type {number} */ right) => Math.abs(left - right) < 0.5 * Math.max(left, right);
    return known && agree(one.received.here, other.sent.here) && agree(one.sent.here, other.received.here) && { doctor: one, patient: other };
  }, { why: async () => JSON.stringify([await figures(doctor), await figures(patient)]) });
  context.diagnostic(`kbit/s: the doctor receives ${ours.received.here} and sends ${ours.sent.here}, the patient ${theirs.received.here} and ${theirs.sent.here}`);
  assert.ok(ours.available.here > 100, "Chromium tells what it believes");
  assert.ok(ours.loss.here < 3 && ours.rtt.here < 200, JSON.stringify(ours));
  for (const visit of [doctor, patient]) {
    const { texts } = await figures(visit);
    assert.match(texts.path, /^direkt, UDP direkt, UDP$/);
    assert.match(texts.codecs, /opus, VP8/);
    assert.match(await visit.read(() => document.querySelector("#panel-line [data-part=protection]")?.textContent ?? ""), /DTLS 1\.[23]/);
    await visit.says("#panel-line [data-part=how]", de["line.good"]);
    const { received } = await figures(visit);
    await until(`${visit.who}: the figures move`, async () => (await figures(visit)).received.here !== received.here);
  }
  await doctor.click("#panel-line [data-panel=none]");
  await doctor.see("the call again", () => !(/** @type {HTMLDialogElement} */ (document.querySelector("#panel-line")).open));
});

test("the report tells of the line and of nobody, also over the relay", async (context) => {
  const { consultation, doctor, patient } = await meet(server, { doctor: browsers.chromium, patient: browsers.firefox }, { both: { relayOnly: true } });
  for (const [visit, browser] of /** @type {[Visit, RegExp][]} */ ([[doctor, /Chrome \d/], [patient, /Firefox \d/]])) {
    await openDetails(visit);
    await until("there are figures of both sides", async () => (await figures(visit)).received?.there > 0);
    const text = await savedReport(visit);
    context.diagnostic(`${visit.who}: ${text.length} characters, ${text.split("\n").length} lines`);
    assert.match(text, browser);
    assert.match(text, /Relais, UDP/);
    assert.match(text, /\n-?\d+\t\d+\t\d+/, "figures over time");
    for (const address of [/\d{1,3}(\.\d{1,3}){3}/, /([0-9a-f]{0,4}:){2,}/i, /\.local\b/i, /localhost/]) assert.doesNotMatch(text, address);
    const bare = text.toUpperCase().replace(/[^0-9A-Z]/g, "");
    const secrets = [NAME, ...NAME.split(" "), "fake_device", "candidate", "fingerprint", consultation.id, ...consultation.seats.map(({ code }) => code)];
    for (const secret of secrets) assert.ok(!bare.includes(secret.toUpperCase().replace(/[^0-9A-Z]/g, "")), `${visit.who}: ${secret} is in the report`);
  }
});

/** By the menu, as a user would. @param {Visit} visit */
async function openDetails(visit) {
  await visit.click("#more");
  await visit.click("#panel-more [data-panel=line]");
  await visit.visible("#panel-line");
}

/**
 * The rows by name: their first numbers, and all of their text.
 * @param {Visit} visit
 * @returns {Promise<any>}
 */
function figures(visit) {
  return visit.read(() => {
    /** @type {any} */
    const shown = { texts: {} };
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#panel-line tbody tr"))) {
      const [here, there] = [...row.querySelectorAll("td")].map((cell) => cell.textContent ?? "");
      const name = row.dataset.name ?? "";
      shown[name] = { here: parseFloat(here.replace(",", ".")), there: parseFloat(there.replace(",", ".")) };
      shown.texts[name] = `${here} ${there}`;
    }
    return shown;
  });
}

/** Presses the button and reads what the browser is given to save. @param {Visit} visit @returns {Promise<string>} */
async function savedReport(visit) {
  await visit.read(() => {
    const create = URL.createObjectURL;
    URL.createObjectURL = (blob) => {
      /** @type {any} */ (window).__saved = blob;
      return create.call(URL, blob);
    };
  });
  await visit.click("#panel-line [data-do=saveReport]");
  return visit.see("the report is handed over", () => /** @type {any} */ (window).__saved?.text());
}
