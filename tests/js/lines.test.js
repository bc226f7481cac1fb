/** Two pages whose line dies: whoever notices, and even where both do at once, they end on the same new one. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Lines } from "../../static/shared/lines.js";

/** @typedef {import("../../static/shared/lines.js").Options} Options */

/** Just enough of a browser: a connection is connected as soon as both ends have the other's description. */
class Connection {
  /** @type {Connection[]} */
  static all = [];
  /** So many of the next answers cannot be applied. */
  static refuses = 0;
  connectionState = "new";
  signalingState = "stable";
  /** @type {any} */
  localDescription = null;
  /** @type {any} */
  remoteDescription = null;
  onnegotiationneeded = () => {};
  onconnectionstatechange = () => {};

  constructor() {
    Connection.all.push(this);
  }

  addTransceiver() {
    queueMicrotask(() => this.localDescription ?? this.onnegotiationneeded());
    return { sender: { getParameters: () => ({}) } };
  }

  getTransceivers() {
    return [];
  }

  createDataChannel() {
    return { readyState: "connecting", close() {} };
  }

  async getStats() {
    return new Map([["v", { type: "inbound-rtp", framesDecoded: 1 }]]);
  }

  async setLocalDescription() {
    const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
    this.localDescription = { type, sdp: "a=fingerprint:sha-256 AA" };
    this.#settle(type);
  }

  /** @param {any} description */
  async setRemoteDescription(description) {
    if (this.signalingState === "closed") throw new DOMException("The signalingState is 'closed'", "InvalidStateError");
    if (description.type === "answer" && Connection.refuses-- > 0) {
      queueMicrotask(() => this.become("connected")); // the transports work all the same
      throw new DOMException("Failed to set remote answer sdp", "InvalidAccessError");
    }
    this.remoteDescription = description;
    this.#settle(description.type);
  }

  /** @param {string} state */
  become(state) {
    if (this.signalingState === "closed") return;
    this.connectionState = state;
    this.onconnectionstatechange();
  }

  close() {
    this.signalingState = "closed";
  }

  /** @param {string} type */
  #settle(type) {
    this.signalingState = type === "answer" ? "stable" : this.localDescription?.type === "offer" ? "have-local-offer" : "have-remote-offer";
    if (type === "answer") queueMicrotask(() => this.become("connected"));
  }
}

class Stream {
  getTracks() {
    return [];
  }

  getAudioTracks() {
    return [];
  }

  getVideoTracks() {
    return [];
  }
}

/** @type {{ lower: Lines, higher: Lines }} */
let pages;
/** The numbers of the lines that were offered, by whom. @type {[string, number][]} */
let offered;
let reachable = true;

beforeEach(async () => {
  Object.assign(globalThis, { RTCPeerConnection: Connection, MediaStream: Stream });
  Connection.all = [];
  Connection.refuses = 0;
  offered = [];
  reachable = true;
  pages = { lower: page("lower"), higher: page("higher") };
  await until("the first line is there", () => living("connected") === 2);
});
afterEach(() => {
  for (const lines of Object.values(pages)) lines.close();
});

test("the_side_that_notices_opens_the_next_line_of_its_own_numbers", async () => {
  of("higher").become("disconnected"); // the lower seat notices nothing
  await until("both have another", () => living("connected") === 2 && Connection.all.length === 4);
  assert.deepEqual(offered, [["lower", 1], ["higher", 2]]);
  of("lower").become("disconnected");
  await until("both have the third", () => living("connected") === 2 && Connection.all.length === 6);
  assert.deepEqual(offered[2], ["lower", 3]);
});

test("where_both_open_one_at_once_both_keep_the_same", async () => {
  const [one, two] = [of("lower"), of("higher")];
  one.become("disconnected");
  two.become("disconnected");
  await until("two are left, connected", () => living("connected") === 2 && living("") === 2 && of("lower") !== one && of("higher") !== two);
  assert.deepEqual(offered.slice(1).sort(), [["higher", 2], ["lower", 3]]);
  await pause(100);
  assert.equal(living("connected"), 2);
});

test("while_nobody_can_be_reached_the_dead_line_is_kept_and_may_come_back", async () => {
  reachable = false;
  const links = /** @type {string[]} */ ([]);
  pages.lower.addEventListener("link", (event) => links.push(/** @type {CustomEvent} */ (event).detail));
  of("lower").become("disconnected");
  of("higher").become("disconnected");
  await pause(300);
  assert.equal(Connection.all.length, 2, "nothing was tried");
  of("lower").become("connected");
  of("higher").become("connected");
  reachable = true;
  await pause(300);
  assert.deepEqual([Connection.all.length, links], [2, ["interrupted", "connected"]]);
});

test("a_line_whose_answer_cannot_be_applied_carries_nothing_and_another_is_tried", async () => {
  Connection.refuses = 1;
  of("lower").become("disconnected");
  of("higher").become("disconnected");
  await until("the answer was refused", () => Connection.refuses < 1);
  await until("another is there on both sides, and nothing else", () => living("") === 2 && Connection.all.filter(isWhole).length === 2, 1000);
});

test("what_still_comes_for_a_closed_line_is_no_error", async () => {
  pages.lower.close();
  await pages.lower.describe({ type: "answer", sdp: "a=fingerprint:sha-256 AA" });
});

/** @param {Connection} connection */
function isWhole({ signalingState, connectionState }) {
  return signalingState === "stable" && connectionState === "connected";
}

/** @param {"lower" | "higher"} name */
function page(name) {
  const tracks = { audio: null, video: null };
  const options = { iceServers: [], relayedOnly: false, certificates: [], stream: /** @type {any} */ (new Stream()), tracks };
  const lines = new Lines({ ...options, first: name === "lower", reachable: () => reachable, onLine() {} });
  lines.addEventListener("send", (event) => {
    const { description } = /** @type {CustomEvent} */ (event).detail;
    if (description?.type === "offer") offered.push([name, description.line]);
    const other = name === "lower" ? "higher" : "lower";
    setTimeout(() => description && pages[other].describe(description).catch((error) => assert.equal(error.name, "InvalidAccessError")), 5);
  });
  return lines;
}

/** The connection that carries the call. @param {"lower" | "higher"} name */
function of(name) {
  return /** @type {Connection} */ (/** @type {unknown} */ (pages[name].connection));
}

/** @param {string} state  or any */
function living(state) {
  return Connection.all.filter((one) => one.signalingState !== "closed" && (state === "" || one.connectionState === state)).length;
}

/** @param {string} what @param {() => boolean} ask @param {number} [most]  looks */
async function until(what, ask, most = 200) {
  for (let looks = 0; looks < most; looks++) {
    if (ask()) return;
    await pause(10);
  }
  assert.fail(`this did not happen: ${what}; ${JSON.stringify(offered)}`);
}
