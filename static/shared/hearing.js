/**
 * What the levels of both sides tell, by looks every {@link LOOK_MS}: a microphone that delivers nothing, somebody who
 * speaks though muted, somebody whom nobody hears, the own voice coming back from a partner, and whose voice is heard here.
 * Plain numbers in and out. All of it is careful: a hint that is wrong does more harm than one that is missing.
 */

/** @typedef {{ rms: number, peak: number }} Level */
/**
 * @typedef {object} Look
 * @property {number} now          in ms
 * @property {Level | null} own    of the own microphone, muted or not; `null`: not measured
 * @property {boolean} on          whether it is on
 * @property {{ seat: number, rms: number, hearsUs: boolean | null }[]} partners  those connected, with the level that came from each
 * @property {boolean} played      whether what came is played here
 */
/** @typedef {{ silent: boolean, mutedSpeaking: boolean, unheard: boolean, echo: boolean }} Hints */

export const LOOK_MS = 100;
/** Somebody speaks: -46 dB. Breath and a ventilator lie below. */
export const SPEECH = 0.005;
/** Less than one step of 16 bits is no quiet room but a dead microphone: even noise suppression leaves more. */
export const NOTHING = 1 / 40_000;
export const SILENT_MS = 4000;
/** Of the silent time the others must have spoken so much, and of the time before a hint one must have spoken oneself. */
const SPOKEN_LOOKS = 10;
const SPEAKING_LOOKS = { of: 20, least: 10 };
const UNHEARD_LOOKS = 40;
/** A voice that was heard holds for so long: whoever listens for a while is not unheard. */
const HEARD_MS = 30_000;
/** Whoever is told something must have the time to read it. */
const STAYS_MS = 6000;
const ECHO = { looks: 100, every: 10, furthest: 12, like: 0.8, ahead: 0.25, least: 20, most: 75 };

export class Hearing {
  #at = 0;
  #silentSince = 0;
  #spoken = 0;
  #unheard = 0;
  /** @type {boolean[]} */
  #muted = [];
  /** The own level and the partners', in decibels, of the last looks. @type {number[]} */
  #voice = [];
  /** @type {Map<number, { voice: number[], looks: number, echoes: number, heardAt: number }>} */
  #partners = new Map();
  /** Until when each hint stays. */
  #until = { mutedSpeaking: 0, echo: 0 };

  /**
   * @param {Look} look
   * @returns {{ hints: Hints, heard: Map<number, boolean> }}  `heard`: by seat, whose voice arrived and is played here
   */
  look(look) {
    const { now, own, on, partners } = look;
    if (now - this.#at > 5 * LOOK_MS) this.#forget(now); // the page slept: what came before has no meaning
    this.#at = now;
    const others = partners.some(({ rms }) => rms > SPEECH);
    const hints = {
      silent: this.#isSilent(look, others),
      mutedSpeaking: this.#speaksMuted(look, others),
      unheard: this.#isUnheard(look),
      echo: this.#comesBack(look),
    };
    for (const seat of this.#partners.keys()) {
      if (!partners.some((partner) => partner.seat === seat)) this.#partners.delete(seat);
    }
    this.#voice = last(ECHO.looks, this.#voice, own && on ? decibels(own.rms) : decibels(0));
    return { hints, heard: this.#heard(look) };
  }

  /** @param {number} now */
  #forget(now) {
    this.#silentSince = now;
    this.#spoken = this.#unheard = 0;
    this.#muted = [];
    this.#voice = [];
    for (const partner of this.#partners.values()) partner.voice = [];
  }

  /** Live and on, yet nothing for so long, while somebody else speaks. @param {Look} look @param {boolean} others */
  #isSilent({ now, own, on }, others) {
    if (!own || !on || own.peak > NOTHING) [this.#silentSince, this.#spoken] = [now, 0];
    else if (others) this.#spoken++;
    return now - this.#silentSince >= SILENT_MS && this.#spoken >= SPOKEN_LOOKS;
  }

  /** While others speak it may be them whom the muted microphone hears. @param {Look} look @param {boolean} others */
  #speaksMuted({ now, own, on }, others) {
    if (on || !own) [this.#muted, this.#until.mutedSpeaking] = [[], 0];
    else this.#muted = last(SPEAKING_LOOKS.of, this.#muted, own.rms > SPEECH && !others);
    if (this.#muted.filter(Boolean).length >= SPEAKING_LOOKS.least) this.#until.mutedSpeaking = now + STAYS_MS;
    return now < this.#until.mutedSpeaking;
  }

  /** One speaks, and somebody's page says for so long that it does not hear it. @param {Look} look */
  #isUnheard({ own, on, partners }) {
    if (!on || !partners.some(({ hearsUs }) => hearsUs === false)) this.#unheard = 0;
    else if (own && own.rms > SPEECH) this.#unheard++;
    return this.#unheard >= UNHEARD_LOOKS;
  }

  /** @param {Look} look */
  #comesBack({ now, own, on, partners }) {
    for (const { seat, rms } of partners) {
      const partner = this.#partners.get(seat) ?? { voice: [], looks: 0, echoes: 0, heardAt: -HEARD_MS };
      this.#partners.set(seat, partner);
      partner.voice = last(ECHO.looks, partner.voice, decibels(rms));
      if (!own || !on || ++partner.looks % ECHO.every > 0) continue;
      partner.echoes = echoes(this.#voice, partner.voice) ? partner.echoes + 1 : 0;
      if (partner.echoes >= 2) this.#until.echo = now + STAYS_MS;
    }
    return now < this.#until.echo;
  }

  /** @param {Look} look */
  #heard({ now, partners, played }) {
    return new Map(partners.map(({ seat, rms }) => {
      const partner = this.#partners.get(seat);
      if (partner && !played) partner.heardAt = -HEARD_MS;
      else if (partner && rms > SPEECH) partner.heardAt = now;
      return [seat, partner !== undefined && now - partner.heardAt < HEARD_MS];
    }));
  }
}

/**
 * Whether the second voice is the first, later. Two people who speak in turns, and anything that repeats itself, fit as
 * well (or better) the other way round; an echo only ever comes after.
 * @param {number[]} own
 * @param {number[]} theirs  in decibels, of the same looks
 */
export function echoes(own, theirs) {
  const length = Math.min(own.length, theirs.length);
  if (length < ECHO.looks) return false;
  const spoken = own.filter((level) => level > decibels(SPEECH)).length;
  if (spoken < ECHO.least || spoken > ECHO.most) return false; // a tone tells nothing, nor does silence
  let [after, before] = [0, 0];
  for (let shift = 1; shift <= ECHO.furthest; shift++) {
    after = Math.max(after, likeness(own.slice(0, -shift), theirs.slice(shift)));
    before = Math.max(before, likeness(own.slice(shift), theirs.slice(0, -shift)));
  }
  return after >= ECHO.like && after - before >= ECHO.ahead;
}

/** Pearson's correlation: 1 is the same up and down. @param {number[]} a @param {number[]} b */
function likeness(a, b) {
  const length = Math.min(a.length, b.length);
  const [middleA, middleB] = [mean(a), mean(b)];
  let [both, squareA, squareB] = [0, 0, 0];
  for (let at = 0; at < length; at++) {
    const [x, y] = [a[at] - middleA, b[at] - middleB];
    both += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  return squareA && squareB ? both / Math.sqrt(squareA * squareB) : 0;
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** From -70 up: what lies below is silence, whatever makes it. @param {number} rms */
function decibels(rms) {
  return Math.max(-70, 20 * Math.log10(rms + 1e-9));
}

/** @template T @param {number} count @param {T[]} list @param {T} next @returns {T[]} */
function last(count, list, next) {
  return [...list.slice(1 - count), next];
}
