/**
 * How well this page reaches the server. What two people's statistics cannot tell, whose access line is weak, the way
 * of each to the server can: a few small messages go there and back over the signaling socket (a lost packet comes
 * late), and a few as large as a packet among them (a narrow line takes its time with those). {@link Reach#measure} begins
 * one short series; the owner asks for it while a line is in trouble, and hands over what the server echoes.
 */

import { part, whole } from "./line.js";

/**
 * @typedef {object} Reached
 * @property {number} rtt   ms of the small messages, the median
 * @property {number} late  share of them that came late: a packet was lost, and sent again
 * @property {number} slow  ms that a full packet takes longer than a few bytes, there and back
 */

const SERIES = { messages: 27, everyMs: 200 };
/** Every so many a large one: with what is around it, just a packet. */
const LARGE = { every: 6, bytes: 1200 };
/** A packet that is sent again comes at least a timeout, or the next message's distance, later. */
const LATE_MS = 180;
/** So late by its own clock, the page was busy: what came meanwhile says nothing of the line. */
const BUSY_MS = 50;
/** What is not back by then counts as late. */
const GRACE_MS = 1000;
/** Late ones are rare: two series tell more than one. What is older says nothing of now. */
const KEPT = { series: 3, ms: 75_000 };

export class Reach {
  #send;
  #clock;
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  /** Of the running series, by id. @type {Map<number, { large: boolean, at: number, took: number | null, excused: boolean }>} */
  #sent = new Map();
  #id = 0;
  #lastAt = 0;
  #steppedAt = 0;
  /** @type {{ at: number, small: number[], large: number[] }[]} */
  #series = [];

  /**
   * @param {(message: { type: string, id: number, pad: string }) => boolean} send  whether it could be sent
   * @param {() => number} [clock]  ms
   */
  constructor(send, clock = () => performance.now()) {
    this.#send = send;
    this.#clock = clock;
  }

  /** Begins a series, unless one is running. */
  measure() {
    if (this.#timer !== undefined) return;
    this.#sent.clear();
    this.#steppedAt = this.#clock() - SERIES.everyMs;
    this.#step();
  }

  /** Ends what runs, and forgets what was measured. */
  forget() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#series = [];
  }

  get running() {
    return this.#timer !== undefined;
  }

  /** @param {{ id: number }} message  back from the server */
  echoed({ id }) {
    const one = this.#sent.get(id);
    if (one && one.took === null) one.took = this.#clock() - one.at;
  }

  /** What the last series tell together, or nothing yet. @returns {Reached | null} */
  get result() {
    const recent = this.#series.filter(({ at }) => this.#clock() - at < KEPT.ms);
    const small = recent.flatMap((one) => one.small);
    const last = recent.at(-1);
    if (!last) return null;
    const rtt = median(small);
    return {
      rtt: whole(rtt) ?? 0,
      late: part(small.filter((ms) => ms > rtt + LATE_MS).length / small.length),
      slow: whole(Math.min(...last.large) - Math.min(...last.small)) ?? 0,
    };
  }

  #step() {
    this.#excuse();
    this.#timer = setTimeout(() => this.#step(), SERIES.everyMs);
    const done = this.#sent.size;
    if (done < SERIES.messages) this.#ask(done % LARGE.every === LARGE.every - 1);
    else if (this.#clock() - this.#lastAt > GRACE_MS) this.#end();
  }

  /** Takes out what was on its way while the page was busy. */
  #excuse() {
    const due = this.#steppedAt + SERIES.everyMs;
    this.#steppedAt = this.#clock();
    if (this.#steppedAt - due < BUSY_MS) return;
    for (const one of this.#sent.values()) one.excused ||= one.took === null || one.at + one.took > due;
  }

  /** @param {boolean} large */
  #ask(large) {
    const id = ++this.#id;
    this.#lastAt = this.#clock();
    const pad = large ? "x".repeat(LARGE.bytes) : "";
    if (this.#send({ type: "probe", id, pad })) this.#sent.set(id, { large, at: this.#lastAt, took: null, excused: false });
    else this.#end(); // no socket, no measure
  }

  #end() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all = [...this.#sent.values()];
    if (all.length < SERIES.messages || all.every(({ took }) => took === null)) return; // the server is away: that tells nothing of this line
    const now = this.#clock();
    /** @param {boolean} size */
    const times = (size) => all.filter(({ large, excused }) => large === size && !excused).map(({ at, took }) => took ?? now - at);
    const [small, large] = [times(false), times(true)];
    if (large.length < 2 || small.length < SERIES.messages / 2) return; // too busy to tell
    this.#series.push({ at: now, small, large });
    this.#series.splice(0, this.#series.length - KEPT.series);
  }
}

/**
 * What a partner's page told of its own way.
 * @param {any} told
 * @returns {Reached | null}
 */
export function parseReached(told) {
  if (!told || whole(told.rtt) === null) return null;
  return { rtt: whole(told.rtt) ?? 0, late: part(told.late), slow: whole(told.slow) ?? 0 };
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
}
