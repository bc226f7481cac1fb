/**
 * The lines to one partner: the one that carries the call and, while it is dead, another that is tried beside it. Whichever
 * carries packets stays; until it shows a picture the old one's last frame remains. Either page may open a line and
 * numbers it, the lower seat odd and the higher even, so that both agree on the later one: the higher number.
 *
 * Events as of {@link Peer}, whose place it takes: `send` (each with the `line` it is about), `stream`, `open`, `told`,
 * `link`, `path`; and `trying` ({ attempt, nextAt }, ms since 1970, or null), `stuck` (null; again and again while
 * the line is dead: a new one needs the broker, and a credential that is still good).
 */

import { hasPicture, WATCH_MS } from "./flow.js";
import { Mending, serversFor } from "./mending.js";
import { Peer } from "./peer.js";

/** @typedef {import("./peer.js").Link} Link */
/** @typedef {import("./peer.js").Kind} Kind */
/** @typedef {{ number: number, peer: Peer }} Line */
/** @typedef {Omit<ConstructorParameters<typeof Peer>[0], "offers">} Options */

/** The first line gets so long before another is tried: nothing says yet that anything is wrong. */
const FIRST_MS = 8000;
/** A new line without a picture by then has none to show: its partner's camera is off. */
const PICTURE_MS = 1500;
const LOOK_MS = 50;
const STUCK_MS = 2000;

export class Lines extends EventTarget {
  #first;
  #options;
  #reachable;
  #onLine;
  /** @type {Line} */
  #current;
  /** @type {Line | null} */
  #next = null;
  /** All that are open, the one included whose last frame is still to be seen. @type {Set<Peer>} */
  #open = new Set();
  #bornAt = performance.now();
  #mending = new Mending();
  #plan = /** @type {import("./sending.js").Plan | null} */ (null);
  #told = "";
  #stuckAt = 0;
  #watching;

  /**
   * @param {Options & { first: boolean, reachable: () => boolean, onLine: (peer: Peer) => void }} options  `first`: true for the lower
   *   seat, which opens the first line; `reachable`: whether what is sent now gets to the partner's page; `onLine`: hears of each
   *   connection before it says anything
   */
  constructor({ first, reachable, onLine, ...options }) {
    super();
    this.#first = first;
    this.#reachable = reachable;
    this.#onLine = onLine;
    this.#options = { ...options, vouched: { theirs: null } };
    this.#current = this.#line(1, first);
    this.#watching = setInterval(() => this.#step(), WATCH_MS);
  }

  /** The one that carries the call: another after each mending, told by `open`. */
  get connection() {
    return this.#current.peer.connection;
  }

  /**
   * @param {Kind} kind
   * @param {MediaStreamTrack | null} track
   */
  async setTrack(kind, track) {
    this.#options.tracks = { ...this.#options.tracks, [kind]: track };
    for (const peer of [...this.#open]) await peer.setTrack(kind, track);
  }

  /** @param {import("./sending.js").Plan} plan */
  send(plan) {
    this.#plan = plan;
    for (const peer of this.#open) peer.send(plan);
  }

  /** @param {RTCIceServer[]} iceServers  for the lines to come */
  setServers(iceServers) {
    this.#options.iceServers = iceServers;
  }

  /** @param {import("../consultation/types.js").Told} message @returns {boolean} whether it could be said */
  tell(message) {
    return this.#current.peer.tell(message);
  }

  /** Of the connection that carries the call. */
  statistics() {
    return this.#current.peer.statistics();
  }

  expectSilence() {
    for (const peer of this.#open) peer.expectSilence();
  }

  /**
   * The partner's offer, perhaps of a line not known here, or its answer. Whatever is about an older line is dropped.
   * @param {RTCSessionDescriptionInit & { line?: number }} description
   */
  async describe({ line = 1, type, sdp }) {
    if (type === "offer" && line > Math.max(this.#current.number, this.#next?.number ?? 0)) {
      this.#mending.yield(performance.now());
      this.#tryBeside(this.#line(line, false));
    }
    await this.#numbered(line)?.peer.describe({ type, sdp });
  }

  /** @param {(RTCIceCandidateInit & { line?: number }) | null} candidate */
  async addCandidate(candidate) {
    const { line = 1, ...init } = candidate ?? {};
    await this.#numbered(line)?.peer.addCandidate(init.candidate ? init : null);
  }

  /** The partner's same page is back, or the network is: what was said meanwhile is lost. */
  hurry() {
    this.#mending.hurry(performance.now());
    this.#step();
  }

  close() {
    clearInterval(this.#watching);
    for (const peer of this.#open) peer.close();
    this.#open.clear();
  }

  /** @param {number} number */
  #numbered(number) {
    return [this.#current, this.#next].find((line) => line?.number === number);
  }

  /** @param {number} number @param {boolean} offers @param {import("./mending.js").Ways} [ways] @returns {Line} */
  #line(number, offers, ways = "all") {
    const { iceServers, relayedOnly, ...rest } = this.#options;
    const peer = new Peer({
      ...rest,
      offers,
      iceServers: serversFor(iceServers, ways),
      relayedOnly: relayedOnly || ways !== "all",
    });
    if (this.#plan) peer.send(this.#plan);
    this.#open.add(peer);
    this.#onLine(peer);
    const line = { number, peer };
    this.#follow(line);
    return line;
  }

  /** @param {Line} line */
  #follow(line) {
    /** @type {(type: string, listener: (detail: any) => void) => void} */
    const on = (type, listener) => line.peer.addEventListener(type, (event) => {
      if (this.#numbered(line.number) === line) listener(/** @type {CustomEvent} */ (event).detail);
    });
    on("send", ({ description, candidate }) => {
      if (description) this.#emit("send", { description: { type: description.type, sdp: description.sdp, line: line.number } });
      else this.#emit("send", { candidate: { ...(candidate ?? { candidate: "" }), line: line.number } });
    });
    on("stream", (stream) => line === this.#current && this.#emit("stream", stream));
    on("path", (path) => line === this.#current && this.#emit("path", path));
    on("told", (message) => this.#emit("told", message));
    on("open", () => line === this.#current && this.#emit("open", null));
    on("link", (link) => {
      if (line === this.#next && link === "connected") this.#promote(line);
      if (line !== this.#current) return;
      this.#emit("link", link);
      this.#step();
    });
  }

  #step() {
    const { peer, number } = this.#current;
    const now = performance.now();
    const waited = now - this.#bornAt > FIRST_MS;
    const dead = peer.link === "interrupted" || (peer.link === "connecting" && (peer.failed || waited));
    const ways = this.#mending.step(now, { dead, reachable: this.#reachable() });
    if (ways) {
      const highest = Math.max(number, this.#next?.number ?? 0);
      const odd = highest % 2 === 1;
      this.#tryBeside(this.#line(highest + (odd === this.#first ? 2 : 1), true, ways));
    }
    if (dead && (ways || now - this.#stuckAt > STUCK_MS)) {
      this.#stuckAt = now;
      this.#emit("stuck", null);
    }
    this.#tellTrying(now);
  }

  /** @param {Line} line  the one to try now, instead of whatever was tried before */
  #tryBeside(line) {
    if (this.#next) this.#drop(this.#next.peer);
    this.#next = line;
  }

  /**
   * The new line carries packets: sound changes over at once, the picture when there is one.
   * @param {Line} line
   */
  async #promote(line) {
    const old = this.#current.peer;
    this.#current = line;
    this.#next = null;
    this.#mending.succeed();
    const { peer } = line;
    this.#emit("path", peer.path);
    if (peer.isOpen) this.#emit("open", null);
    this.#emit("stream", new MediaStream([...peer.stream.getAudioTracks(), ...old.stream.getVideoTracks()]));
    const until = performance.now() + PICTURE_MS;
    while (this.#open.has(peer) && performance.now() < until && !hasPicture(await peer.connection.getStats())) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    if (this.#current === line && this.#open.has(peer)) this.#emit("stream", peer.stream);
    this.#drop(old);
  }

  /** @param {Peer} peer */
  #drop(peer) {
    this.#open.delete(peer);
    peer.close();
  }

  /** @param {number} now */
  #tellTrying(now) {
    const { trying } = this.#mending;
    const at = trying && { attempt: trying.attempt, nextAt: Math.round(performance.timeOrigin + Math.max(trying.nextAt, now)) };
    const told = JSON.stringify(trying);
    if (told === this.#told) return;
    this.#told = told;
    this.#emit("trying", at);
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
