/**
 * Out means out within a second, even for a page that was patched to hear nothing and to keep its connection: the broker
 * closes its socket, and the others stop exchanging frames with it. What was measured is printed.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { atTheDoor, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { notItsTurn } from "./lib/turns.js";
import { until } from "./lib/until.js";
import { cleanUp, leaveAll } from "./lib/visit.js";

/** @typedef {import("./lib/visit.js").Visit} Visit */

/** Not a packet for so long means that none will come. */
const SILENT_MS = 1500;

/** @type {Server} */
let server;
/** @type {{ doctor: import("./lib/browser.js").Browser, patient: import("./lib/browser.js").Browser }} */
let browsers;

before(async () => {
  server = await Server.start();
  browsers = { doctor: await launch("chromium"), patient: await launch("chromium") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

/** @type {{ said: string, act: (meeting: { doctor: Visit, consultation: { id: string } }) => Promise<number>, end: string | null }[]} */
const WAYS = [
  { said: "remove", act: ({ doctor }) => bySeat(doctor, "remove"), end: "removed" },
  { said: "send back", act: ({ doctor }) => bySeat(doctor, "sendBack"), end: null },
  { said: "revoke on the command line", act: ({ consultation }) => revoke(consultation.id), end: "revoked" },
];

for (const [index, { said, act, end }] of WAYS.entries()) {
  // Each way of ending it meets another page.
  const skip = (/** @type {number} */ page) => notItsTurn((index + page) % WAYS.length, WAYS.length);
  test(`after “${said}” the patient's page shows so and holds no connection`, { skip: skip(0) }, async () => {
    const meeting = await meet(server, browsers);
    await act(meeting);
    const { patient } = meeting;
    await (end === null ? patient.says("#waiting-text", de["waiting.sentBack"]) : patient.says("#end-title", de[`end.${end}.title`]));
    assert.equal((await patient.flow()).open, 0, "its connections are closed");
    assert.equal(await patient.read(() => [...document.querySelectorAll(".partner > *")].some((player) => "srcObject" in player && player.srcObject)), false, "nobody is seen or heard");
    if (end !== null) assert.deepEqual(await patient.devicesInUse(), [], "camera and microphone are off");
  });

  for (const relayOnly of [false, true]) {
    test(`after “${said}” nobody exchanges frames with a page that disobeys, ${relayOnly ? "relayed" : "direct"}`, { skip: skip(relayOnly ? 1 : 2) }, async (context) => {
      const meeting = await meet(server, browsers, { both: { relayOnly } });
      const { doctor, patient, consultation } = meeting;
      await patient.disobey();
      await patient.sample();
      await patient.receives();
      const at = await act(meeting);
      await until("the doctor's page has closed its connection", async () => (await doctor.flow()).open === 0);
      const last = await lastPacket(patient);
      const closed = await doctor.read(() => /** @type {any} */ (window).__seen.connections.at(-1).closedAt);
      assert.ok((await patient.flow()).open >= 1, "the patched page kept its connection");
      if (relayOnly) await until("the relay holds no allocation for it", async () => (await server.show(consultation.id)).relay.allocations === 0);
      const gone = end === null ? "" : `, its socket closed after ${Math.round((await socketClosed(patient)) - at)} ms`;
      context.diagnostic(`${said}: the doctor's page closed after ${Math.round(closed - at)} ms, the last packet came after ${Math.round(last - at)} ms${gone}`);
    });
  }
}

test("after “refuse” the page shows so, and its socket is gone even if it does not listen", async (context) => {
  for (const patched of [false, true]) {
    const { doctor, patient } = await atTheDoor(server, browsers);
    if (patched) await patient.disobey();
    await doctor.click(".knock [data-do=refuse]");
    const refused = (await doctor.frames()).find(({ message }) => message.type === "refuse")?.at ?? NaN;
    await doctor.visible("#room-empty");
    if (!patched) await patient.says("#end-title", de["end.refused.title"]);
    else context.diagnostic(`refuse: its socket closed after ${Math.round((await socketClosed(patient)) - refused)} ms`);
    assert.equal((await patient.flow()).open, 0);
  }
});

/**
 * @param {Visit} doctor
 * @param {"remove" | "sendBack"} act
 * @returns {Promise<number>} when the doctor's page said so
 */
async function bySeat(doctor, act) {
  await doctor.click("#more");
  await doctor.click(`#panel-more ${act === "remove" ? "[data-panel=remove]" : "[data-do=sendBack]"}`);
  if (act === "remove") await doctor.click("#remove-yes");
  return (await doctor.frames()).find(({ message }) => message.type === act)?.at ?? NaN;
}

/**
 * @param {string} id
 * @returns {Promise<number>} when the command was given
 */
async function revoke(id) {
  const at = Date.now();
  await server.command("consultation", "revoke", id);
  return at;
}

/** @param {Visit} patient */
function socketClosed(patient) {
  return patient.see("its socket is closed", () => /** @type {any} */ (window).__seen.closes.at(-1)?.at);
}

/**
 * When the last media packet came, once there have been none for a while.
 * @param {Visit} patient
 */
async function lastPacket(patient) {
  return until("no more packets come", async () => {
    const samples = await patient.samples();
    const last = samples.filter((flow, index) => flow.received > (samples[index - 1]?.received ?? flow.received)).at(-1)?.at ?? NaN;
    return (samples.at(-1)?.at ?? 0) - last > SILENT_MS && last;
  });
}
