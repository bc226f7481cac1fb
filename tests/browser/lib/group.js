/**
 * Several people in one consultation, each in a page of their own, and what flows between each two of them. Pages know
 * each other by their certificates' fingerprints: one for all connections of a page life.
 */

import { execFile } from "node:child_process";
import { readFile, readdir, readlink } from "node:fs/promises";
import { promisify } from "node:util";
import { until } from "./until.js";
import { Visit } from "./visit.js";

/** @typedef {import("./browser.js").Browser} Browser */
/** @typedef {import("./instrument.js").Flow} Flow */
/** @typedef {import("./instrument.js").Line} Line */
/** @typedef {{ from: Visit, to: Visit }} Pair  who receives, from whom */

/** One machine carries them all. */
const PICTURE = { width: 320, height: 180, frameRate: 6 };
/** Statistics of many connections cost more than the calls: they are asked for no oftener than needed. */
const ASK_MS = { few: 400, many: 2000 };

/**
 * Everybody waits, everybody is let in; the doctor is the first.
 * @param {import("./server.js").Server} server
 * @param {Browser[]} browsers  one for each person
 * @param {{ camera?: boolean }} [options]
 */
export async function gather(server, browsers, { camera = true } = {}) {
  const consultation = await server.plan("--guests", String(browsers.length - 2));
  const options = { picture: PICTURE, crowd: true, plainSound: browsers.length > 4, size: { width: 640, height: 360 } };
  /** @param {Visit} visit */
  const ready = async (visit) => {
    await visit.devicesAnswer();
    if (!camera) await visit.click("#screen-check [data-device=camera]");
  };
  const people = await Promise.all(consultation.seats.map(({ link }, at) => Visit.open(`seat ${at + 1}`, browsers[at], link, options)));
  const [doctor, ...others] = people;
  await doctor.onScreen("check");
  await ready(doctor);
  await doctor.join("room");
  for (const other of others) {
    await other.onScreen("welcome");
    await other.type("#name", `Person ${other.who.slice(5)}`);
    await other.click("#name-form [type=submit]");
    await other.onScreen("check");
    await ready(other);
    await other.join("waiting");
  }
  await doctor.see("everybody knocks", (count) => document.querySelectorAll("#screen-room .knock").length === count, others.length);
  await doctor.admit();
  await doctor.onScreen("call");
  await admitTheRest(doctor, others.length - 1);
  return { consultation, people };
}

/**
 * In mid-call, by the silent counter. Its button may move under the mouse while the first one's tile comes.
 * @param {Visit} doctor
 * @param {number} count
 */
async function admitTheRest(doctor, count) {
  await until("the arrivals are open", async () => {
    await doctor.click("#arrivals");
    return doctor.read(() => document.querySelector("#panel-arrivals")?.checkVisibility());
  });
  for (let left = count; left > 0; left--) {
    await doctor.see(`${left} wait`, (many) => document.querySelectorAll("#panel-arrivals .knock").length === many, left);
    await doctor.click("#panel-arrivals [data-do=admit]");
  }
  await doctor.click("#panel-arrivals [data-panel=none]");
}

/** @param {Visit[]} people @returns {Pair[]} each with each, in both directions */
export function pairsOf(people) {
  return people.flatMap((from) => people.filter((to) => to !== from).map((to) => ({ from, to })));
}

/** Each page's flow. @param {Visit[]} people @returns {Promise<Map<Visit, Flow>>} */
export async function flowsOf(people) {
  return new Map(await Promise.all(people.map(async (visit) => /** @type {const} */ ([visit, await visit.flow()]))));
}

/**
 * What a page receives from another: over one connection, or over two while one is being replaced.
 * @param {Flow | undefined} flow  of the receiving page
 * @param {string | undefined} from  the other's certificate
 */
function lineOf(flow, from) {
  const lines = flow?.lines.filter(({ to }) => to !== "" && to === from) ?? [];
  return lines.length > 0 ? lines.reduce(together) : undefined;
}

/** @param {Line} one @param {Line} other @returns {Line} */
function together(one, other) {
  const line = { ...one, state: `${one.state}, ${other.state}` };
  for (const field of /** @type {const} */ (["decoded", "packets", "energy", "concealed", "lost", "up", "down", "told"])) line[field] += other[field];
  return line;
}

/**
 * Waits until everybody gets more from everybody: frames where there are cameras, and sound.
 * @param {Visit[]} people
 * @param {{ frames?: number, packets?: number, within?: number }} [more]
 */
export async function everybodyReceives(people, { frames = 6, packets = 25, within = 60_000 } = {}) {
  let before = await flowsOf(people);
  const pairs = pairsOf(people).map((pair) => ({ ...pair, decoded: 0, packets: 0 }));
  return until(`all ${people.length} receive all`, async () => {
    const now = await flowsOf(people);
    for (const pair of pairs) {
      const [line, last] = [now, before].map((flows) => lineOf(flows.get(pair.to), flows.get(pair.from)?.own));
      // A connection that is given up takes its counters with it.
      pair.decoded += Math.max(0, (line?.decoded ?? 0) - (last?.decoded ?? 0));
      pair.packets += Math.max(0, (line?.packets ?? 0) - (last?.packets ?? 0));
    }
    before = now;
    return pairs.every((pair) => pair.decoded >= frames && pair.packets >= packets) && now;
  }, { within, every: people.length > 4 ? ASK_MS.many : ASK_MS.few, why: async () => `${lacking(pairs, before, { frames, packets })}; ${await people[0].tell()}` });
}

/**
 * @param {(Pair & { decoded: number, packets: number })[]} pairs
 * @param {Map<Visit, Flow>} flows
 * @param {{ frames: number, packets: number }} more
 */
function lacking(pairs, flows, { frames, packets }) {
  return pairs
    .filter((pair) => pair.decoded < frames || pair.packets < packets)
    .map(({ from, to, decoded, packets: heard }) => {
      const state = lineOf(flows.get(to), flows.get(from)?.own)?.state ?? `of ${flows.get(to)?.lines.map((line) => line.state)}`;
      return `${to.who} got ${decoded} frames and ${heard} audio packets from ${from.who} (${state})`;
    })
    .join(", ");
}

/** @param {Visit[]} people @param {number} every  ms */
export async function sampleAll(people, every) {
  for (const visit of people) await visit.sample(every);
}

/**
 * For each pair the longest time without a new frame (or, without cameras, without a new audio packet), the packets lost, and
 * the sound that was made up for want of packets, in ms.
 * @param {Visit[]} people
 * @param {"decoded" | "packets"} what
 * @param {number} since
 * @param {number} till
 */
export async function gapsOf(people, what, since, till) {
  const own = new Map([...(await flowsOf(people))].map(([visit, flow]) => [visit, flow.own]));
  const samples = new Map(await Promise.all(people.map(async (visit) => /** @type {const} */ ([visit, await visit.samples()]))));
  return pairsOf(people).map((pair) => {
    /** @param {keyof import("./instrument.js").Line} field */
    const grown = (field) => Number(lines.at(-1)?.line?.[field] ?? 0) - Number(lines[0]?.line?.[field] ?? 0);
    const lines = (samples.get(pair.to) ?? [])
      .filter(({ at }) => at >= since && at <= till)
      .map((flow) => ({ at: flow.at, line: lineOf(flow, own.get(pair.from)) }));
    return { pair, gap: longest(lines.map(({ at, line }) => ({ at, value: line?.[what] }))), lost: grown("lost"), concealed: Math.round(grown("concealed")) };
  });
}

/** @param {{ at: number, value: number | undefined }[]} points */
function longest(points) {
  let gap = 0;
  let movedAt = points[0]?.at ?? NaN;
  let last = points[0]?.value;
  for (const { at, value } of points) {
    gap = Math.max(gap, at - movedAt);
    if (value !== last) movedAt = at;
    last = value;
  }
  return Math.round(gap);
}

/**
 * The descriptions that a page and another exchanged since then: a restart or a new negotiation shows here.
 * @param {Visit} visit
 * @param {number} since
 * @returns {Promise<number[]>} the partner's seat, for each
 */
export async function descriptionsOf(visit, since) {
  const frames = await visit.frames();
  return frames.filter(({ at, message }) => at > since && message.type === "description").map(({ message }) => message.to ?? message.from);
}

// ---- processes ----

/** CPU time of a browser and all its processes, in seconds. @param {Browser} browser */
export async function cpuOf(browser) {
  let ticks = 0;
  for (const pid of await processesOf(browser)) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks / 100;
}

/**
 * Nothing more leaves or reaches the UDP sockets that a browser has at this moment: its network dies under it, as when
 * a router forgets its table. New sockets work.
 * @param {Browser} browser
 */
export async function cutOff(browser) {
  const inodes = new Set();
  for (const pid of await processesOf(browser)) {
    for (const entry of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${pid}/fd/${entry}`).catch(() => "");
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode) inodes.add(inode);
    }
  }
  const table = (await Promise.all(["udp", "udp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")))).join("\n");
  const ports = table.split("\n").map((row) => row.trim().split(/\s+/)).filter((row) => inodes.has(row[9])).map((row) => parseInt(row[1].split(":").at(-1) ?? "", 16));
  const list = [...new Set(ports)].join(", ");
  await nft("add table inet cut; add chain inet cut in { type filter hook input priority 0; }; "
    + `add rule inet cut in udp sport { ${list} } drop; add rule inet cut in udp dport { ${list} } drop`);
  return ports.length;
}

/** What was cut off is whole again: its ports are others' soon. */
export async function mend() {
  await nft("add table inet cut; delete table inet cut");
}

/** @param {string} commands */
async function nft(commands) {
  await promisify(execFile)("nft", [commands]);
}

/** @param {Browser} browser */
async function processesOf(browser) {
  /** @type {Map<number, number[]>} */
  const children = new Map();
  for (const name of await readdir("/proc")) {
    const stat = /^\d+$/.test(name) && (await readFile(`/proc/${name}/stat`, "utf8").catch(() => ""));
    if (!stat) continue;
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const all = [browser.pid];
  for (const pid of all) all.push(...(children.get(pid) ?? []));
  return all;
}
