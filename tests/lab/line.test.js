/**
 * Whose line: one side's access line gets narrow or loses packets, and the sentence on both pages names that side; on good
 * lines nobody says anything. The direct path is the same for both, so only the way of each to the server can tell. Run by
 * `tests/lab/in-lab`.
 */

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "../browser/lib/browser.js";
import { NAME, meet } from "../browser/lib/meeting.js";
import { until } from "../browser/lib/until.js";
import { cleanUp, leaveAll } from "../browser/lib/visit.js";
import { routers, skip, startServer } from "./lib/lab.js";
import { others } from "../browser/lib/turns.js";

/** @typedef {import("../browser/lib/visit.js").Visit} Visit */
/** @typedef {"patient" | "doctor"} Side */

const SIDES = /** @type {Side[]} */ (["patient", "doctor"]);
const WHO = { patient: NAME, doctor: de["role.doctor"] };
/** Three series to the server, and the sentence's own calm. */
const SAID_MS = 60_000;
/** Longer than any sentence takes to come: on weak lines 10 to 12 s. */
const SILENT_MS = 20_000;

/** One of these a day, in a long run all (browser/lib/turns.js). */
const WEAK = SIDES.flatMap((side) => [
  { kind: "weak", side, name: `150 kbit/s at the ${side}'s router`, weak: { rate: 150 } },
  { kind: "weak", side, name: `5 % loss at the ${side}'s router`, weak: { loss: 5 } },
]);

/** @type {import("../browser/lib/server.js").Server} */
let server;
/** @type {Record<Side, import("../browser/lib/browser.js").Browser>} */
let browsers;

if (!skip) before(async () => {
  await become();
  server = await startServer();
  const [patient, doctor] = await Promise.all([launch("chromium"), launch("chromium", { network: "doctor" })]);
  browsers = { patient, doctor };
});
afterEach(leaveAll);
after(() => cleanUp(server));

const later = others(WEAK);
for (const { side, name, weak } of WEAK) {
  const other = side === "patient" ? "doctor" : "patient";
  test(`${name}: both pages say so`, { skip: skip || (later.get(name) ?? false) }, async (context) => {
    await become();
    const meeting = await meet(server, browsers, { both: { picture: "whole" } });
    await Promise.all(SIDES.map((one) => listen(meeting[one])));
    await become(side, weak);
    const begun = Date.now();
    const heard = await Promise.all(SIDES.map(async (one) => {
      const said = await until(`the ${one}'s page says whose line is weak`, async () => (await sentences(meeting[one]))[0], { within: SAID_MS, why: () => figures(meeting) });
      return /** @type {const} */ ([one, { said, after: Date.now() - begun }]);
    }));
    for (const [one, { said, after: ms }] of heard) context.diagnostic(`${one}, after ${(ms / 1000).toFixed(1)} s: ${said}`);
    context.diagnostic(await figures(meeting));
    const told = Object.fromEntries(heard);
    assert.equal(whose(told[side].said, WHO[other]), "own");
    assert.equal(whose(told[other].said, WHO[side]), "partner");
  });
}

test("2 Mbit/s without loss on both sides: nobody says anything", { skip }, async (context) => {
  await become();
  const meeting = await meet(server, browsers, { both: { picture: "whole" } });
  await Promise.all(SIDES.map((one) => listen(meeting[one])));
  await Promise.all(SIDES.map((one) => routers[one].become({ nat: "plain", rate: 2000 })));
  await pause(SILENT_MS);
  context.diagnostic(await figures(meeting));
  for (const one of SIDES) assert.deepEqual(await sentences(meeting[one]), [], one);
});

/**
 * In what way a line is weak, slow or lossy, is a matter of degree; whose it is is not. What a paused picture adds follows.
 * @param {string} said
 * @param {string} who  the partner
 */
function whose(said, who) {
  const key = Object.keys(de).find((name) => /^line\.(own|partner|between)\./.test(name) && said.startsWith(de[name].replace("{who}", who)));
  return key?.split(".")[1] ?? said;
}

/** Both lines are good, but for one. @param {Side} [side] @param {Partial<import("./lib/network.js").Behaviour>} [weak] */
async function become(side, weak) {
  await Promise.all(SIDES.map((one) => routers[one].become({ nat: "plain", ...(one === side ? weak : {}) })));
}

/** From now on every sentence about a line is noted, and what the page tells its partner. @param {Visit} visit */
async function listen(visit) {
  await visit.read(() => {
    const page = /** @type {any} */ (window);
    const line = /** @type {HTMLElement} */ (document.querySelector("#call-line"));
    page.__said = [];
    new MutationObserver(() => {
      const text = line.querySelector("p")?.textContent;
      if (!line.hidden && page.__said.at(-1) !== text) page.__said.push(text);
    }).observe(line, { attributes: true, subtree: true, childList: true, characterData: true });
    const { send } = RTCDataChannel.prototype;
    RTCDataChannel.prototype.send = function (/** @type {any} */ data) {
      if (JSON.parse(data).type === "line") page.__told = JSON.parse(data);
      send.call(this, data);
    };
  });
}

/** @param {Visit} visit @returns {Promise<string[]>} */
function sentences(visit) {
  return visit.read(() => /** @type {any} */ (window).__said);
}

/** What the pages told each other last. @param {Record<Side, Visit>} meeting */
async function figures(meeting) {
  const told = await Promise.all(SIDES.map(async (one) => {
    const { received, sent, available, lossIn, rtt, reach } = await meeting[one].read(() => /** @type {any} */ (window).__told ?? {});
    return `${one}: ${received}/${sent} kbit/s of ${available}, ${lossIn} lost, ${rtt} ms, to the server ${JSON.stringify(reach)}`;
  }));
  return told.join("; ");
}
