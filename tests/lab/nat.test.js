/**
 * The running product and two real browsers behind two routers: direct wherever a direct path exists, over the relay
 * otherwise, by UDP, TCP or TLS as the firewalls allow. Run by `tests/lab/in-lab`, which lays the network; what each
 * case chose is printed as a table at the end. Every case proves that its routers met what they were made for.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "../browser/lib/browser.js";
import { atTheDoor, longestGap, timesToFirstFrame } from "../browser/lib/meeting.js";
import { until } from "../browser/lib/until.js";
import { cleanUp, leaveAll } from "../browser/lib/visit.js";
import { file, routers, skip, startServer } from "./lib/lab.js";
import { internet } from "./lib/network.js";
import { Table } from "./lib/table.js";
import { others } from "../browser/lib/turns.js";

/** @typedef {import("../browser/lib/visit.js").Visit} Visit */
/** @typedef {import("../browser/lib/visit.js").Options} Options */
/** @typedef {import("./lib/network.js").Behaviour} Behaviour */
/** @typedef {"patient" | "doctor"} Side */
/** @typedef {"direct" | Record<Side, "udp" | "tcp" | "tls">} Path  relayed: how each side reaches the relay */
/**
 * @typedef {object} Case
 * @property {string} name
 * @property {Record<Side, Behaviour>} routers
 * @property {Path} path
 * @property {Partial<Record<Side, string[]>>} [met]  counters of the routers that the case cannot pass without
 * @property {"chromium" | "firefox" | "six"} [patient]  whose browser it is; Chromium unless told
 * @property {string} [kind]  cases of one kind take turns (browser/lib/turns.js)
 */

const SIDES = /** @type {Side[]} */ (["patient", "doctor"]);
const OUTER = { patient: "198.51.100.2", doctor: "198.51.100.130" };
/** The address that every client of the relay seems to have. */
const VIRTUAL = "192.0.2.1";
/** Types of a pair's candidates; a packet of the partner may be here before its candidate, which then is peer-reflexive. */
const DIRECT = /^(srflx|prflx)-(srflx|prflx)$/;
const RELAYED = /^relay-(relay|prflx)$/;
/** Its pair is tried before all others (RFC 8445 §5.1.2). */
const HIGHEST_PRIORITY = 2 ** 31 - 1;
const LONG = Boolean(process.env.VISAVIS_LONG);
/** Until a better pair than the first has answered, or it never will. */
const SETTLED_MS = 45_000;
/** The longest wait before a paused picture is tried again, and more. */
const PICTURE_BACK_MS = 90_000;
/** Firefox renews a permission 10 s before its 300 s are over; a while more. */
const RENEWAL_MS = 330_000;

/** The type preference that Chromium gives a relay over TCP. */
const OVER_TCP = 1;

const plain = /** @type {Behaviour} */ ({ nat: "plain" });
const symmetric = /** @type {Behaviour} */ ({ nat: "symmetric" });
/** @param {Behaviour["firewall"]} firewall */
const walled = (firewall) => /** @type {Behaviour} */ ({ nat: "plain", firewall });
/** @param {Behaviour} behaviour */
const both = (behaviour) => ({ patient: behaviour, doctor: behaviour });
const overUdp = /** @type {Path} */ ({ patient: "udp", doctor: "udp" });

/** @type {Case[]} */
const CASES = [
  { name: "plain masquerade on both sides", routers: both(plain), path: "direct" },
  { name: "plain masquerade on both sides, the patient in Firefox", routers: both(plain), path: "direct", patient: "firefox" },
  { name: "full cone and symmetric", routers: { patient: { nat: "cone" }, doctor: symmetric }, path: "direct", met: { patient: ["cone"] } },
  { name: "symmetric on both sides", routers: both(symmetric), path: overUdp, met: { patient: ["unsolicited"], doctor: ["unsolicited"] } },
  {
    name: "UDP blocked on both sides", routers: both(walled("noUdp")), path: { patient: "tcp", doctor: "tcp" },
    met: { patient: ["blockedUdp"], doctor: ["blockedUdp"] },
  },
  {
    name: "only TCP 443 open on both sides, only for TLS", routers: both(walled("onlyTls")), path: { patient: "tls", doctor: "tls" },
    met: { patient: ["blockedUdp", "blockedStun"], doctor: ["blockedUdp", "blockedStun"] },
  },
  {
    name: "only TCP 443 open on both sides, only for TLS, the patient in Firefox", routers: both(walled("onlyTls")), path: { patient: "tls", doctor: "tls" },
    met: { patient: ["blockedUdp", "blockedStun"], doctor: ["blockedUdp", "blockedStun"] }, patient: "firefox",
  },
  {
    kind: "one side is walled in", name: "UDP blocked on the patient's side", routers: { patient: walled("noUdp"), doctor: plain }, path: { patient: "tcp", doctor: "udp" },
    met: { patient: ["blockedUdp"] },
  },
  {
    kind: "one side is walled in", name: "UDP blocked on the doctor's side", routers: { patient: plain, doctor: walled("noUdp") }, path: { patient: "udp", doctor: "tcp" },
    met: { doctor: ["blockedUdp"] },
  },
  {
    kind: "one side is walled in", name: "only TCP 443 open on the patient's side", routers: { patient: walled("only443"), doctor: plain }, path: { patient: "tcp", doctor: "udp" },
    met: { patient: ["blockedUdp"] },
  },
  {
    kind: "one side is walled in", name: "only TCP 443 open on the doctor's side, only for TLS", routers: { patient: plain, doctor: walled("onlyTls") }, path: { patient: "udp", doctor: "tls" },
    met: { doctor: ["blockedUdp", "blockedStun"] },
  },
  { name: "the patient has IPv6 only, the doctor IPv4 only", routers: both(plain), path: overUdp, patient: "six" },
  { name: "every tenth packet is lost", routers: { patient: { ...plain, loss: 10 }, doctor: plain }, path: "direct", met: { patient: ["lost"] } },
  { name: "1 Mbit/s each way", routers: { patient: { ...plain, rate: 1000 }, doctor: plain }, path: "direct" },
];

describe("the NAT lab", () => {
  const table = new Table();
  /** @type {import("../browser/lib/server.js").Server} */
  let server;
  /** @type {Record<"chromium" | "firefox" | "six" | "doctor", import("../browser/lib/browser.js").Browser>} */
  let browsers;

  if (!skip) before(async () => {
    await Promise.all(SIDES.map((side) => routers[side].become(plain)));
    server = await startServer();
    const [chromium, six, doctor, firefox] = await Promise.all([
      launch("chromium"),
      launch("chromium", { network: "patient6" }),
      launch("chromium", { network: "doctor" }),
      launch("firefox", { loopback: false, authority: file("authority.crt") }),
    ]);
    browsers = { chromium, six, doctor, firefox };
  });
  afterEach(leaveAll);
  after(async () => {
    await cleanUp(server);
    if (!skip) console.log(table.toString());
  });

  const later = others(CASES);
  for (const one of CASES) {
    test(`${one.name}: ${inWords(one.path)}`, { skip: skip || (later.get(one.name) ?? false) }, async () => {
      const meeting = await call(one);
      await provesItself(one, meeting);
    });
  }

  test("the direct path is cut in mid-call: the call comes back over the relay, and goes on when the path is given back", { skip }, async () => {
    const meeting = await call({ name: "the direct path cut in mid-call", routers: both(plain), path: "direct" });
    const visits = [meeting.patient, meeting.doctor];
    await Promise.all(visits.map((visit) => visit.sample()));
    await Promise.all(visits.map((visit) => visit.receives()));
    await internet.cut();
    await Promise.all(visits.map((visit) => relayedAgain(visit)));
    assert.ok((await internet.lost()) > 0, "the cut met packets");
    const interruption = await Promise.all(visits.map(async (visit) => longestGap(await visit.samples())));
    const after = await chosen(meeting);
    await internet.mend();
    await goesOn(...visits);
    table.note("the same after the cut", overUdp, after, `without a new frame: patient ${interruption[0]} ms, doctor ${interruption[1]} ms`);
    table.note("the same, the path given back", "either", await chosen(meeting), "went on");
  });

  test("Firefox, given a refused candidate of the relay's address before any other, connects all the same", { skip }, async () => {
    const dead = 9;
    const firstCandidate = `candidate:1 1 UDP ${HIGHEST_PRIORITY} ${VIRTUAL} ${dead} typ relay raddr 0.0.0.0 rport 0`;
    await call({ name: "Firefox with a dead candidate first", routers: both(symmetric), path: overUdp, patient: "firefox" }, { patient: { firstCandidate } });
    const permissions = await routers.patient.permissions();
    assert.deepEqual([...permissions.keys()], [dead], "Firefox asked one permission for the address, by the dead port");
  });

  test("Firefox goes on when the allocation it saw first is deleted in mid-call", { skip, timeout: 2 * RENEWAL_MS }, async () => {
    const first = { name: "Firefox, the first-seen allocation deleted", routers: both(symmetric), path: overUdp, patient: /** @type {const} */ ("firefox") };
    const asked = async () => [...(await routers.patient.permissions()).keys()];
    const meeting = await call(first, { patient: { firstPreference: OVER_TCP } }, async ({ patient }) => {
      await until("Firefox asks for a permission", async () => (await asked()).length > 0);
      await patient.read(() => /** @type {any} */ (window).__seen.release());
    });
    const { doctor, patient, consultation } = meeting;
    const [port] = await relayedPorts(doctor, OVER_TCP);
    assert.deepEqual(await asked(), [port], "Firefox asked one permission for the address, by the port of the relay over TCP");

    const { allocations } = (await server.show(consultation.id)).relay;
    const descriptions = await countDescriptions(patient);
    assert.ok((await routers.doctor.breakStunStreams()) > 0, "the doctor's stream to the relay over TCP broke");
    await until("its allocation is gone", async () => (await server.show(consultation.id)).relay.allocations === allocations - 1);
    await goesOn(doctor, patient);
    if (LONG) {
      const times = (await routers.patient.permissions()).get(port) ?? 0;
      await until("Firefox renews the permission", async () => ((await routers.patient.permissions()).get(port) ?? 0) > times, { within: RENEWAL_MS });
      await goesOn(doctor, patient);
    }
    assert.deepEqual(await asked(), [port], "still the only permission");
    assert.equal(await countDescriptions(patient), descriptions, "nothing was negotiated anew");
    table.note("the same after the deletion", overUdp, await chosen(meeting), LONG ? "went on, permission renewed" : "went on");
  });

  /**
   * A call under the case's conditions, until both sides see and hear each other on the expected path.
   * @param {Case} one
   * @param {{ patient?: Options }} [options]
   * @param {(meeting: { doctor: Visit, patient: Visit }) => Promise<void>} [meanwhile]  before frames are expected
   */
  async function call({ name, routers: behaviours, path: expected, patient = "chromium" }, options, meanwhile) {
    await Promise.all(SIDES.map((side) => routers[side].become(behaviours[side])));
    // A narrow line has to carry what a page sends in earnest.
    const both = behaviours.patient.rate ? /** @type {const} */ ({ picture: "whole" }) : {};
    const meeting = await atTheDoor(server, { doctor: browsers.doctor, patient: browsers[patient] }, { both, ...options });
    await meeting.doctor.admit();
    await meanwhile?.(meeting);
    await Promise.all([meeting.doctor.receives(), meeting.patient.receives()]);
    // Browsers begin with the first pair that works, and change to a better one when it has answered, too. Once media flow they
    // try the others at leisure: a check that was lost comes again after many seconds.
    const seen = performance.now();
    await until("both sides chose the expected path", async () => isExpected(expected, await chosen(meeting)), { within: SETTLED_MS }).catch(() => {});
    const later = Math.round(performance.now() - seen);
    const pairs = await chosen(meeting);
    // Where checks get lost a browser may stay with the relay for as long as a test can wait: what counts there is the call.
    const path = behaviours.patient.loss && isExpected(overUdp, pairs) ? overUdp : expected;
    const times = await timesToFirstFrame(meeting);
    const settled = later < 1000 ? "" : `, on this path ${later} ms later`;
    table.note(name, path, pairs, `first frame: patient ${times.patient} ms, doctor ${times.doctor} ms${settled}`);
    assert.ok(isExpected(path, pairs), `expected ${inWords(path)}, not ${JSON.stringify(pairs)}`);
    for (const side of SIDES) {
      const other = side === "patient" ? "doctor" : "patient";
      await meeting[side].says("#chip-text", de[path === "direct" ? "path.direct" : "path.relayed"]);
      // Chromium keeps the address of a peer-reflexive candidate to itself.
      if (!pairs[side].types.endsWith("-prflx")) assert.equal(pairs[side].partner, path === "direct" ? OUTER[other] : VIRTUAL, `${side}: where the partner seems to be`);
    }
    return meeting;
  }

  /**
   * The routers met what the case is about, and the patient without IPv4 has none.
   * @param {Case} one
   * @param {{ doctor: Visit, patient: Visit }} meeting
   */
  async function provesItself({ met = {}, routers: { patient }, patient: browser }, meeting) {
    for (const side of SIDES) {
      const counted = await routers[side].counted();
      for (const counter of met[side] ?? []) assert.ok(counted[counter] > 0, `the ${side}'s router counts ${counter}: ${JSON.stringify(counted)}`);
    }
    if (patient.rate) await until("packets wait, up and down", async () => (await routers.patient.waited()).every((packets) => packets > 0));
    if (browser !== "six") return;
    for (const side of SIDES) {
      const hosts = (await ownCandidates(meeting[side])).filter(({ type }) => type === "host").map(({ address }) => address);
      assert.ok(hosts.length > 0 && hosts.every((address) => address.includes(":") === (side === "patient")), `${side}: ${hosts.join(", ")}`);
    }
  }
});

/** @param {Path} path */
function inWords(path) {
  return path === "direct" ? path : `relayed, the patient over ${path.patient.toUpperCase()}, the doctor over ${path.doctor.toUpperCase()}`;
}

/**
 * @param {Record<Side, Visit>} meeting
 * @returns {Promise<Record<Side, import("../browser/lib/instrument.js").Flow>>}
 */
async function chosen({ patient, doctor }) {
  return { patient: await patient.flow(), doctor: await doctor.flow() };
}

/**
 * @param {Path} path
 * @param {Record<Side, { types: string, leg: string }>} pairs
 */
function isExpected(path, pairs) {
  return SIDES.every((side) => {
    const { types, leg } = pairs[side];
    return path === "direct" ? DIRECT.test(types) : RELAYED.test(types) && leg === path[side];
  });
}

/** @param {Visit} visit */
async function relayedAgain(visit) {
  await visit.says("#chip-text", de["path.relayed"]);
  await visit.receives();
  assert.match((await visit.flow()).types, RELAYED);
}

/** What the page told of its own addresses. @param {Visit} visit */
async function ownCandidates(visit) {
  const told = (await visit.frames()).filter(({ from, message }) => from === "page" && message.type === "candidate" && message.candidate);
  return told.map(({ message }) => {
    const [, , , priority, address, port, , type] = message.candidate.candidate.split(" ");
    return { preference: priority >>> 24, address, port: Number(port), type };
  });
}

/** @param {Visit} visit @param {number} preference */
async function relayedPorts(visit, preference) {
  return (await ownCandidates(visit)).filter((one) => one.type === "relay" && one.preference === preference).map(({ port }) => port);
}

/** @param {Visit} visit */
async function countDescriptions(visit) {
  return (await visit.frames()).filter(({ message }) => message.type === "description").length;
}

/**
 * The sound goes on at once; the picture may pause before: to its sender a broken path looks like a line that became narrow.
 * @param {Visit[]} visits
 */
async function goesOn(...visits) {
  await Promise.all(visits.map((visit) => visit.receives({ frames: 0, packets: 150 })));
  await Promise.all(visits.map((visit) => visit.receives({ frames: 60, packets: 150 }, { within: PICTURE_BACK_MS })));
}
