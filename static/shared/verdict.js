/**
 * Whose line is weak. Both pages know the same: what each measures of the line between them ({@link LineSummary}), how
 * each reaches the server ({@link Reached}), and how each one's other lines are. {@link conclude} weighs the two sides
 * alike, so that both pages come to the same end; {@link Judge} keeps a sentence calm. Pure.
 */

/** @typedef {import("./line.js").LineSummary} LineSummary */
/** @typedef {import("./reach.js").Reached} Reached */
/**
 * @typedef {object} Side
 * @property {LineSummary | null} line                 nothing: the page has not told lately
 * @property {Reached | null} reach                    nothing: not measured (yet)
 * @property {{ calm: number, bad: number }} others    its lines to third people
 */
/** @typedef {{ whose: "own" | "partner" | "between", what: "loss" | "narrow" | "slow" }} Verdict */

/** From here on people notice. */
const TROUBLE = { loss: 0.03, kbit: 250, rtt: 400 };
/** So much sound invented, and a little loss: both together, for a busy computer invents sound, too. */
const SUFFERING = { concealed: 0.06, loss: 0.01 };
/**
 * From here on a way to the server is weak. Something is wrong already when this is asked: one late message in two series
 * is a trace. A full packet takes 50 ms there and back at 400 kbit/s.
 */
const WEAK = { late: 0.02, slow: 50, rtt: 300 };
/** So much weaker than the other's, a way is to blame. */
const CLEARLY = 1.5;
/** A sentence comes after so much trouble, stays at least so long, goes after so much calm; ms. */
const APPEARS = 4000;
const STAYS = 8000;
const CALM = 6000;
/** So long one waits for the measures that tell whose line it is: three series. */
const PATIENCE = 24_000;

/**
 * What is wrong between two pages, and whether it is certain that a line is to blame: a low estimate may only mean that
 * little was sent.
 * @param {LineSummary | null} own
 * @param {LineSummary | null} theirs
 * @returns {{ what: Verdict["what"], certain: boolean } | null}
 */
export function symptom(own, theirs) {
  const lines = [own, theirs].filter((line) => line !== null);
  const most = (/** @type {(line: LineSummary) => number} */ of) => Math.max(0, ...lines.map(of));
  // The receiver counts what it misses; the sender hears of it late, and of few packets.
  const loss = lines.length === 1 ? Math.max(lines[0].lossIn, lines[0].lossOut) : most(({ lossIn }) => lossIn);
  if (loss >= TROUBLE.loss) return { what: "loss", certain: true };
  if (most(({ rtt }) => rtt ?? 0) >= TROUBLE.rtt) return { what: "slow", certain: true };
  if (lines.some(isTight)) return { what: "narrow", certain: false };
  if (loss >= SUFFERING.loss && most(({ concealed }) => concealed) >= SUFFERING.concealed) return { what: "loss", certain: false };
  return null;
}

/**
 * @param {Side} own
 * @param {Side} theirs
 * @returns {{ verdict: Verdict, sure: boolean } | null}  not sure: another measure may tell more
 */
export function conclude(own, theirs) {
  const wrong = symptom(own.line, theirs.line);
  if (!wrong) return null;
  const known = own.reach !== null && theirs.reach !== null;
  const tight = isTight(own.line) || isTight(theirs.line);
  let isWeak = false;
  // A narrow line loses packets and answers late, too: so that is asked first.
  for (const [measure, what] of /** @type {const} */ ([["slow", "narrow"], ["late", "loss"], ["rtt", "slow"]])) {
    const [here, there] = [own, theirs].map(({ reach }) => (reach?.[measure] ?? 0) / WEAK[measure]);
    const whose = weaker(here, there);
    if (whose) return { verdict: { whose, what: tight ? "narrow" : what }, sure: known };
    isWeak ||= Math.max(here, there) >= 1;
  }
  const whose = weaker(amongOthers(own), amongOthers(theirs));
  if (whose) return { verdict: { whose, what: wrong.what }, sure: known };
  return known && !isWeak && !wrong.certain ? null : { verdict: { whose: "between", what: wrong.what }, sure: false };
}

/** The browser believes in little. @param {LineSummary | null} line */
function isTight(line) {
  return line !== null && line.available !== null && line.available < TROUBLE.kbit;
}

/** Bad with everybody else, too. @param {Side} side */
function amongOthers({ others }) {
  return others.bad > 0 && others.calm === 0 ? 1 : 0;
}

/** 1 is weak. @param {number} own @param {number} theirs @returns {"own" | "partner" | null} */
function weaker(own, theirs) {
  if (own >= 1 && own >= CLEARLY * theirs) return "own";
  return theirs >= 1 && theirs >= CLEARLY * own ? "partner" : null;
}

/** One line's trouble over time. Time is told, never asked for. */
export class Judge {
  /** @type {Verdict | null} */
  verdict = null;
  /** Something may be wrong: time to measure the way to the server. */
  suspects = false;
  /** ms of trouble, up to {@link CALM}; calm takes them away. */
  #trouble = 0;
  #judgedAt = /** @type {number | null} */ (null);
  #beganAt = 0;
  #shownAt = 0;
  /** What would be said instead, and since when. */
  #next = { key: "", at: 0 };

  /**
   * @param {Side} own
   * @param {Side} theirs
   * @param {number} now  ms
   */
  judge(own, theirs, now) {
    const found = conclude(own, theirs);
    this.suspects = symptom(own.line, theirs.line) !== null;
    this.#weigh(found !== null, now);
    if (this.verdict && this.#trouble === 0 && now - this.#shownAt >= STAYS) this.verdict = null;
    if (!found || this.#trouble < APPEARS) return;
    if (!found.sure && now - this.#beganAt < PATIENCE) return;
    const key = `${found.verdict.whose}.${found.verdict.what}`;
    if (this.#next.key !== key) this.#next = { key, at: now };
    const settled = now - this.#next.at >= APPEARS && now - this.#shownAt >= STAYS;
    if (this.verdict && !settled) return;
    if (!this.verdict) this.#shownAt = now;
    this.verdict = found.verdict;
  }

  /** Neither calm nor in trouble for long: says nothing about its ends. @returns {"calm" | "bad" | "unclear"} */
  get state() {
    return this.#trouble === 0 && !this.suspects ? "calm" : this.#trouble >= APPEARS ? "bad" : "unclear";
  }

  /** @param {boolean} bad @param {number} now */
  #weigh(bad, now) {
    const passed = Math.min(now - (this.#judgedAt ?? now), APPEARS); // a page that slept knows nothing of the time between
    this.#judgedAt = now;
    if (bad && this.#trouble === 0) this.#beganAt = now - passed;
    this.#trouble = Math.min(Math.max(this.#trouble + (bad ? passed : -passed), 0), CALM);
  }
}
