/**
 * Watches the lines of a call: every two seconds it reads each connection's statistics, tells them to the partner's page,
 * and judges both sides' figures. While a line is in trouble it measures the own way to the server. What the screen has to
 * know comes out as one `lines` action each time; the last minutes stay here, for a report.
 */

import { compare, count, parse, whole } from "../shared/line.js";
import { parseReached, Reach } from "../shared/reach.js";
import { messages } from "../shared/signaling.js";
import { Judge } from "../shared/verdict.js";

/** @typedef {import("../shared/line.js").LineSummary} LineSummary */
/** @typedef {import("../shared/verdict.js").Side} Side */
/** @typedef {{ seat: number, peer: import("../shared/lines.js").Lines }} Partner */
/** @typedef {{ at: number, own: LineSummary, theirs: LineSummary | null, verdict: string | null }} Moment  `at`: ms, of the page's clock */
/**
 * @typedef {object} Line
 * @property {RTCPeerConnection} connection
 * @property {import("../shared/line.js").Counters | null} before
 * @property {LineSummary | null} own
 * @property {Side & { at: number }} theirs
 * @property {Judge} judge
 * @property {Moment[]} past
 */

const LOOK_MS = 2000;
/** A page that has told nothing for so long is hidden, or an old one. */
const SILENT_MS = 7000;
/** Between two series to the server: at first the answer is awaited, then it is only kept up to date. */
const PAUSE_MS = { first: 4000, later: 20_000 };
const FIRST_SERIES = 3;
const PAST_MS = 5 * 60_000;

export class WeakLines {
  #page;
  #partners;
  /** @type {Map<number, Line>} */
  #lines = new Map();
  #reach;
  #series = { count: 0, at: -Infinity };

  /**
   * @param {Pick<import("./peers.js").Page, "signaling" | "dispatch">} page
   * @param {() => Iterable<Partner>} partners
   */
  constructor(page, partners) {
    this.#page = page;
    this.#partners = partners;
    this.#reach = new Reach(({ id, pad }) => page.signaling.send(messages.probe(id, pad)));
    setInterval(() => this.#look(), LOOK_MS);
  }

  /** @param {{ id: number }} probe  back from the server */
  echoed(probe) {
    this.#reach.echoed(probe);
  }

  /**
   * The partner's page tells of its side.
   * @param {Partner} partner
   * @param {import("./types.js").Told} message
   */
  told(partner, message) {
    const others = Object(message.others);
    this.#of(partner).theirs = {
      line: parse(message),
      reach: parseReached(message.reach),
      others: { calm: whole(others.calm, 9) ?? 0, bad: whole(others.bad, 9) ?? 0 },
      at: performance.now(),
    };
  }

  /** The last minutes, by seat. @returns {Map<number, Moment[]>} */
  past() {
    return new Map([...this.#lines].map(([seat, { past }]) => [seat, past]));
  }

  async #look() {
    const partners = [...this.#partners()];
    for (const seat of this.#lines.keys()) if (!partners.some((partner) => partner.seat === seat)) this.#lines.delete(seat);
    await Promise.all(partners.map((partner) => this.#read(partner)));
    const now = performance.now();
    const changes = partners.flatMap((partner) => this.#judge(partner, now) ?? []);
    if (changes.length > 0) this.#page.dispatch({ type: "lines", changes });
    this.#measure(now);
  }

  /** @param {Partner} partner */
  async #read(partner) {
    const line = this.#of(partner);
    if (line.connection.signalingState === "closed") return;
    const { at, report } = await partner.peer.statistics();
    const counters = count(report, at);
    line.own = line.before && compare(counters, line.before);
    line.before = counters;
  }

  /** @param {Partner} partner @param {number} now */
  #judge({ seat, peer }, now) {
    const line = this.#lines.get(seat);
    if (!line?.own) return null;
    const { own, theirs, judge, past } = line;
    const others = this.#others(seat);
    const reach = this.#reach.result;
    peer.tell({ type: "line", ...own, reach, others });
    const fresh = now - theirs.at < SILENT_MS;
    judge.judge({ line: own, reach, others }, fresh ? theirs : NOBODY, now);
    const verdict = judge.verdict && `${judge.verdict.whose}.${judge.verdict.what}`;
    const change = { line: own, theirLine: fresh ? theirs.line : null, verdict };
    past.push({ at: now, own, theirs: change.theirLine, verdict });
    while (now - past[0].at > PAST_MS) past.shift();
    return { seat, change };
  }

  /** How the lines to all but this one are. @param {number} seat */
  #others(seat) {
    const states = [...this.#lines].filter(([other]) => other !== seat).map(([, { judge }]) => judge.state);
    return { calm: states.filter((state) => state === "calm").length, bad: states.filter((state) => state === "bad").length };
  }

  /** @param {number} now */
  #measure(now) {
    const judges = [...this.#lines.values()].map(({ judge }) => judge);
    if (this.#reach.running) {
      this.#series.at = now;
    } else if (judges.some(({ suspects }) => suspects)) {
      const pause = this.#series.count < FIRST_SERIES ? PAUSE_MS.first : PAUSE_MS.later;
      if (now - this.#series.at < pause) return;
      this.#series = { count: this.#series.count + 1, at: now };
      this.#reach.measure();
    } else if (judges.every(({ state }) => state === "calm") && now - this.#series.at > PAUSE_MS.later) {
      this.#series.count = 0;
      this.#reach.forget();
    }
  }

  /** A new connection to a seat begins to count anew. @param {Partner} partner @returns {Line} */
  #of({ seat, peer: { connection } }) {
    const known = this.#lines.get(seat);
    if (known?.connection === connection) return known;
    const line = { connection, before: null, own: null, theirs: NOBODY, judge: new Judge(), past: known?.past ?? [] };
    this.#lines.set(seat, line);
    return line;
  }
}

/** @type {Side & { at: number }} */
const NOBODY = { line: null, reach: null, others: { calm: 0, bad: 0 }, at: -Infinity };
