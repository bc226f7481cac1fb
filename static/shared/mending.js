/**
 * When a dead line is tried anew, and over which ways: a clock and a ladder without any browser in it. Every try is a new
 * line beside the dead one (lines.js): Chromium clings to a dead pair for about four seconds, whatever is restarted.
 */

/** @typedef {"all" | "relay" | "stream"} Ways  every path; the relay alone; the relay over TLS or TCP alone */

/** Each try waits longer than the one before: an answer over a slow line needs its time. */
const LADDER = /** @type {{ ways: Ways, ms: number }[]} */ ([
  { ways: "all", ms: 2500 },
  { ways: "relay", ms: 4000 },
  { ways: "stream", ms: 6000 },
  { ways: "all", ms: 8000 },
  { ways: "relay", ms: 8000 },
  { ways: "stream", ms: 8000 },
]);
const AGAIN_FROM = 3;
/** A line that holds so long was worth its try: the next trouble begins with the first rung. */
const HOLDS_MS = 10_000;

export class Mending {
  #attempt = 0;
  #dead = false;
  #nextAt = 0;
  #wellSince = 0;

  /**
   * One look, several times a second.
   * @param {number} now  in ms
   * @param {{ dead: boolean, reachable: boolean }} line  reachable: what is said to the partner arrives
   * @returns {Ways | null}  the ways to try now
   */
  step(now, { dead, reachable }) {
    if (dead !== this.#dead) {
      this.#dead = dead;
      this.#wellSince = now;
      this.#nextAt = dead ? Math.max(now, this.#nextAt) : 0;
    }
    if (!dead && now - this.#wellSince >= HOLDS_MS) this.#attempt = 0;
    if (!dead || !reachable || now < this.#nextAt) return null;
    const { ways, ms } = this.#rung();
    this.#attempt++;
    this.#nextAt = now + ms;
    return ways;
  }

  /** Something has changed for the better: the next try comes at once, over every path. @param {number} now */
  hurry(now) {
    this.#attempt = 0;
    this.#nextAt = now;
  }

  /** The partner tries: leave it the time for that. @param {number} now */
  yield(now) {
    this.#nextAt = now + this.#rung().ms;
  }

  /** The try has come to a line: should that die, nobody waits. */
  succeed() {
    this.#nextAt = 0;
  }

  /** Which try comes next, and when by the clock of `step`; nothing while the line is well. */
  get trying() {
    return this.#dead ? { attempt: this.#attempt + 1, nextAt: this.#nextAt } : null;
  }

  #rung() {
    const round = LADDER.length - AGAIN_FROM;
    const at = this.#attempt < LADDER.length ? this.#attempt : AGAIN_FROM + ((this.#attempt - AGAIN_FROM) % round);
    return LADDER[at];
  }
}

/**
 * The relay's addresses for these ways.
 * @param {RTCIceServer[]} servers
 * @param {Ways} ways
 * @returns {RTCIceServer[]}
 */
export function serversFor(servers, ways) {
  if (ways !== "stream") return servers;
  const all = servers.flatMap(({ urls }) => urls);
  const overTls = all.filter((url) => url.startsWith("turns:"));
  const chosen = overTls.length > 0 ? overTls : all.filter((url) => url.endsWith("transport=tcp"));
  return servers.map((server) => ({ ...server, urls: chosen }));
}
