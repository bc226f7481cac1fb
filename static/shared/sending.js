/**
 * What to send to one partner, sound first (R24). {@link Sending#step} is asked once a second with the line's measures
 * and answers with a {@link Plan}: rungs of a ladder for the picture, and at its foot none. A weak line costs the
 * picture after five seconds; it comes back by itself, and each time that fails it waits longer. Knows no browser.
 */

/** @typedef {"automatic" | "high" | "low" | "sound"} Quality  what the user wants; `high` keeps the picture's size, `low` saves data */
/**
 * @typedef {object} Measure
 * @property {number | null} available  bit/s that the browser believes in; Firefox does not tell
 * @property {number | null} loss       0 to 1, of what was sent lately
 * @property {number | null} roundTrip  ms
 * @property {number | null} sent       bit/s, in the last seconds
 * @property {boolean} limited  the encoder says that the picture could use more than it gets
 */
/**
 * @typedef {object} Wish
 * @property {number} partners  all to whom this page sends
 * @property {Quality} quality
 * @property {boolean} camera   whether there is a picture to send
 * @property {boolean} deaf     the partner chose sound only: he wants no picture
 * @property {boolean} wait     another partner's picture is on its way back: one at a time
 */
/**
 * @typedef {object} Plan
 * @property {"on" | "weak" | "sound"} picture  what the partner is told: sent, paused because the line is weak, sound chosen
 * @property {boolean} active
 * @property {number} maxBitrate    of the picture, bit/s
 * @property {number} maxFramerate
 * @property {number} height        of the picture at most, along its shorter side
 * @property {"maintain-framerate" | "maintain-resolution"} degradationPreference
 * @property {number | null} sound  bit/s of the sound, `null`: as the browser has it
 * @property {boolean} ask          the partner should be asked to send less
 */

/** A rung is left for the next one when the line does not carry even that one's rate. */
const RUNGS = [
  { rate: 1_700_000, height: 720, frames: 30 },
  { rate: 800_000, height: 480, frames: 24 },
  { rate: 300_000, height: 360, frames: 20 },
  { rate: 120_000, height: 240, frames: 15 },
];
const FOOT = RUNGS.length - 1;
const LOW = 2;
/** Where the ladder ends for so many partners, and the picture's size: each is encoded anew for everybody. */
const GROUPS = [
  { partners: 1, top: 0, height: 720, frames: 30 },
  { partners: 3, top: 1, height: 480, frames: 24 },
  { partners: 5, top: 1, height: 360, frames: 20 },
  { partners: 8, top: 2, height: 240, frames: 15 },
];
/** With its packets' headers. */
const SOUND = 64_000;
/**
 * For a line that hardly carries a sound. As long as it does, and loses packets, the sound stays as it is: so low a rate
 * leaves Opus no room for what mends losses (its forward error correction ends at about 26 kbit/s).
 */
const NARROW = { line: 100_000, loss: 0.02, sound: 24_000 };
const WEAK_LINE = 150_000;
const LOSSY = 0.08;
/** Of what the line is thought to carry: who sends less does not want more. */
const SPARE = 0.75;
/**
 * A picture comes back small: even its first frame would hold up the sound on a line that is still weak. Such a line is
 * known sooner than others, so that the sound suffers shortly.
 */
const TRIAL = { ms: 6000, feeling: 2000, weak: 2000, line: 100_000, height: 160, frames: 8 };
/** So much longer on the way than at best, and packets queue. Asked where the browser tells no rate; at twice that the line is weak. */
const QUEUED_MS = 250;
/** So much may the best round trip grow in a second: a line that changed its way is not taken for a slow one for ever. */
const DRIFT_MS = 20;

/** Readings, one a second: receivers report a sound's losses every five seconds at the latest. */
const WINDOW = 7;

const WEAK_MS = 5000;
const TIGHT_MS = 2000;
const ROOMY_MS = 5000;
const MOST_PATIENT_MS = 40_000;
/** A new picture's rate is not known yet: the browser has just begun to feel its way. */
const FEELING_MS = 5000;
/** How long the line must be calm before the picture comes back: at first, after one failure, after more. */
const RETURNS_MS = [15_000, 30_000, 60_000];
/** A picture that lasted so long has not failed. */
const PROVEN_MS = 30_000;
const LESS_MS = 15_000;
const ASK_MS = 5000;

/**
 * What a page sends at most, to all of its partners together, in bit/s.
 * @param {number} partners
 * @param {Quality} [quality]
 */
export function total(partners, quality = "automatic") {
  return partners * (RUNGS[topOf(partners, quality)].rate + SOUND);
}

export class Sending {
  #rung = 0;
  #paused = false;
  #wanted = false;
  /** Since when the line is so without a break. @type {Record<"weak" | "tight" | "roomy" | "calm", number | null>} */
  #since = { weak: null, tight: null, roomy: null, calm: null };
  /** When the picture began, or came back. */
  #begunAt = -Infinity;
  #failures = 0;
  #raisedAt = -Infinity;
  /** A rung that did not hold is tried again later each time. */
  #patience = ROOMY_MS;
  #lessAt = -Infinity;
  #askedAt = -Infinity;
  /** The round trip of the line when nothing queues. */
  #best = Infinity;

  /** The partner asks to send less. @param {number} now  ms */
  less(now) {
    this.#lessAt = now;
  }

  /** Whether a picture that has come back is still on trial. @param {number} now */
  tries(now) {
    return this.#wanted && !this.#paused && this.#failures > 0 && now - this.#begunAt < TRIAL.ms;
  }

  /**
   * @param {number} now  ms
   * @param {Measure} measure
   * @param {Wish} wish
   * @returns {Plan}
   */
  step(now, measure, wish) {
    const wanted = wish.camera && !wish.deaf && wish.quality !== "sound";
    if (!wanted) this.#paused = false;
    if (wanted && !this.#wanted) this.#begin(now, this.#rung);
    this.#wanted = wanted;
    this.#judge(now, measure);
    if (this.#paused) {
      const calm = RETURNS_MS[Math.min(this.#failures, RETURNS_MS.length) - 1];
      if (!wish.wait && this.#lasts("calm", now, calm)) this.#begin(now, FOOT);
    } else if (wanted) {
      if (this.#lasts("weak", now, this.tries(now) ? TRIAL.weak : WEAK_MS)) this.#pause(now);
      else this.#climb(now, measure);
    }
    const less = now - this.#lessAt < LESS_MS;
    this.#rung = Math.max(this.#rung, less ? FOOT : topOf(wish.partners, wish.quality));
    return this.#plan(now, measure, wish);
  }

  /** @param {number} now @param {number} rung */
  #begin(now, rung) {
    this.#paused = false;
    this.#rung = rung;
    this.#begunAt = now;
    this.#since = { weak: null, tight: null, roomy: null, calm: null };
  }

  /** @param {number} now */
  #pause(now) {
    this.#failures = now - this.#begunAt < PROVEN_MS ? this.#failures + 1 : 1;
    this.#paused = true;
    this.#since.calm = null;
  }

  /** @param {number} now @param {Measure} measure */
  #judge(now, { available, loss, roundTrip, sent, limited }) {
    this.#best = Math.min(roundTrip ?? Infinity, this.#best + DRIFT_MS);
    const lossy = loss !== null && loss > LOSSY;
    const tries = this.tries(now);
    const feeling = this.#paused || now - this.#begunAt < (tries ? TRIAL.feeling : FEELING_MS); // a rate without a picture tells nothing
    const queued = available === null && roundTrip !== null ? roundTrip - this.#best : 0;
    const room = available === null ? null : available - SOUND;
    const below = RUNGS[this.#rung + 1];
    // An easy picture leaves the browser's estimate low on the best of lines: then it does not use even that.
    const spare = available !== null && sent !== null && sent < SPARE * available;
    const poor = available !== null && available < (tries ? TRIAL.line : limited ? WEAK_LINE : SOUND);
    const weak = lossy || queued > 2 * QUEUED_MS || (!feeling && poor);
    const tight = !feeling && below !== undefined && (room === null ? lossy || queued > QUEUED_MS : !spare && room < below.rate);
    const roomy = room === null ? queued < QUEUED_MS : room >= RUNGS[this.#rung].rate || (spare && !limited);
    this.#note("weak", now, weak);
    this.#note("calm", now, !weak);
    this.#note("tight", now, tight);
    this.#note("roomy", now, !feeling && !weak && roomy);
  }

  /** @param {number} now @param {Measure} measure */
  #climb(now, { available }) {
    if (this.#lasts("tight", now, TIGHT_MS)) {
      if (now - this.#raisedAt < 2 * ROOMY_MS) this.#patience = Math.min(2 * this.#patience, MOST_PATIENT_MS);
      do this.#rung++;
      while (available !== null && this.#rung < FOOT && available - SOUND < RUNGS[this.#rung + 1].rate);
    } else if (this.#rung > 0 && this.#lasts("roomy", now, this.#patience)) {
      this.#rung--;
      this.#raisedAt = now;
    } else {
      return;
    }
    this.#since.tight = this.#since.roomy = null;
  }

  /** @param {"weak" | "tight" | "roomy" | "calm"} what @param {number} now @param {boolean} is */
  #note(what, now, is) {
    this.#since[what] = is ? (this.#since[what] ?? now) : null;
  }

  /** @param {"weak" | "tight" | "roomy" | "calm"} what @param {number} now @param {number} ms */
  #lasts(what, now, ms) {
    const since = this.#since[what];
    return since !== null && now - since >= ms;
  }

  /** @param {number} now @param {Measure} measure @param {Wish} wish @returns {Plan} */
  #plan(now, { available, loss }, { partners, quality }) {
    const { rate, ...rung } = RUNGS[this.#rung];
    const group = groupOf(partners);
    const high = quality === "high";
    const { height, frames } = this.tries(now) ? TRIAL : { height: high ? group.height : rung.height, frames: rung.frames };
    const whole = (loss ?? 0) <= NARROW.loss;
    const narrow = available === null ? this.#paused && whole : available < SOUND || (available < NARROW.line && whole);
    const ask = this.#paused && this.#since.weak !== null && now - this.#askedAt >= ASK_MS;
    if (ask) this.#askedAt = now;
    return {
      picture: quality === "sound" ? "sound" : this.#paused ? "weak" : "on",
      active: this.#wanted && !this.#paused,
      maxBitrate: rate,
      maxFramerate: Math.min(frames, group.frames),
      height: Math.min(height, group.height),
      degradationPreference: high ? "maintain-resolution" : "maintain-framerate",
      sound: narrow ? NARROW.sound : null,
      ask,
    };
  }
}

/** Makes a {@link Measure} of what `getStats()` of a connection reports from time to time. */
export class Gauge {
  /** Counters of the last seconds, the oldest first. @type {{ at: number, bytes: number, sent: number, lost: number }[]} */
  #past = [];

  /** @param {RTCStatsReport} report @returns {Measure} */
  read(report) {
    /** @type {any[]} */
    const all = [...report.values()];
    const told = all.filter(({ type }) => type === "remote-inbound-rtp");
    const out = all.filter(({ type }) => type === "outbound-rtp");
    const counted = {
      at: out[0]?.timestamp ?? 0,
      bytes: sum(out, "bytesSent") + sum(out, "headerBytesSent"),
      sent: sum(out, "packetsSent"),
      lost: sum(told, "packetsLost"),
    };
    this.#past.push(counted);
    if (this.#past.length > WINDOW) this.#past.shift();
    const sent = counted.sent - this.#past[0].sent;
    const recent = this.#past.slice(-3)[0];
    const ms = counted.at - recent.at;
    const reasons = all.map(({ qualityLimitationReason }) => qualityLimitationReason).filter(Boolean);
    const transport = all.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId);
    const latest = told.sort((one, other) => other.timestamp - one.timestamp)[0];
    return {
      available: (transport && report.get(transport.selectedCandidatePairId)?.availableOutgoingBitrate) ?? null,
      loss: sent > 0 ? Math.max(0, counted.lost - this.#past[0].lost) / sent : null,
      roundTrip: latest?.roundTripTime === undefined ? null : 1000 * latest.roundTripTime,
      sent: ms > 0 ? (8000 * (counted.bytes - recent.bytes)) / ms : null,
      limited: !reasons.includes("none"),
    };
  }
}

/** @param {any[]} entries @param {string} counter */
function sum(entries, counter) {
  return entries.reduce((before, entry) => before + (entry[counter] ?? 0), 0);
}

/** @param {number} partners */
function groupOf(partners) {
  return GROUPS.find((group) => partners <= group.partners) ?? GROUPS[GROUPS.length - 1];
}

/** @param {number} partners @param {Quality} quality */
function topOf(partners, quality) {
  const { top } = groupOf(partners);
  return quality === "low" ? Math.max(top, LOW) : top;
}
