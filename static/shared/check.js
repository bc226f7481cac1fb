/**
 * Whether somebody sits between two pages (R22, docs/protocol.md "The check"). Over the data channel the lower seat
 * commits itself to a nonce, the higher answers with one, the lower reveals; both then hold one transcript with the
 * fingerprints as each of them sees them. A secret that both have, the link's or one kept from words that agreed before,
 * proves in silence that the transcripts are equal. Without one, four words out of the transcript are compared by the
 * two people. Each connection is checked once: what comes twice or out of order counts for nothing, so that nobody can
 * try again until the words fit.
 *
 * Events: `say` (detail: a message for the data channel), `result` (a {@link Result}), `mismatch` (the end of it).
 */

import { agree, base64url, bytes } from "./seal.js";

/** @typedef {import("./transport.js").Fingerprints} Fingerprints */
/** @typedef {"de" | "en"} Language */
/**
 * @typedef {object} Result
 * @property {"words" | "checked"} level
 * @property {"link" | "words" | null} by
 * @property {string[] | null} words      to be compared, or that were
 * @property {Language} language          of the words: the lower seat's, on both sides
 * @property {string} [pair]              after {@link Check#confirm}: what vouches for this partner from now on
 */
/**
 * What one side proves itself with: the link's secret, a key kept from before (named, so that an old one is no alarm).
 * @typedef {{ link: boolean, pair: string | null }} Claims
 */

const VERSION = "visavis check v1";
const WORDS = 4;
/** A whole check takes three from each side at most. */
const MOST_MESSAGES = 8;
const BYTES_32 = /^[A-Za-z0-9_-]{43}$/;
const PAIR_NAME = /^[A-Za-z0-9_-]{16}$/;
/** @type {Record<Language, () => Promise<{ default: string[] }>>} */
const LISTS = { de: () => import("./check-words/de.js"), en: () => import("./check-words/en.js") };

export class Check extends EventTarget {
  #options;
  #isLower;
  #nonce = base64url(crypto.getRandomValues(new Uint8Array(32)));
  /** The step that may come next. @type {string | null} */
  #awaits;
  #begun = false;
  /** Nobody can undo what is proven. */
  #isDone = false;
  #heard = 0;
  /** Messages are taken one after the other. @type {Promise<void>} */
  #work = Promise.resolve();
  /** As they were when the check began. */
  #seen = /** @type {Fingerprints} */ ({ own: [], theirs: [] });
  #commitment = "";
  /** @type {Language} */
  #language;
  #transcript = "";
  /** @type {Claims} */
  #theirClaims = { link: false, pair: null };
  /** @type {string[] | null} */
  #words = null;

  /**
   * @param {object} options
   * @param {string} options.consultation
   * @param {{ seat: number, role: string }} options.own
   * @param {{ seat: number, role: string, key: string }} options.partner  `key`: of its page, as the broker told it
   * @param {import("./seal.js").Keys} options.keys  this page's own
   * @param {string | null} options.secret  the link's
   * @param {string | null} options.pair    of an earlier check's result with this seat
   * @param {Language} options.language     for the words, if this is the lower seat
   * @param {() => Fingerprints} options.fingerprints  of the descriptions in force
   */
  constructor(options) {
    super();
    this.#options = options;
    this.#isLower = options.own.seat < options.partner.seat;
    this.#awaits = this.#isLower ? null : "commit";
    this.#language = options.language;
  }

  /** The channel is open. */
  async begin() {
    if (!this.#isLower || this.#begun) return;
    this.#begun = true;
    await this.#then(async () => {
      this.#look();
      this.#awaits = "nonce";
      this.#say({ step: "commit", commitment: await this.#commit(this.#nonce), language: this.#language });
    });
  }

  /**
   * What the partner's page says: a stranger's until the check has ended well.
   * @param {any} message
   */
  async hear(message) {
    if (this.#heard++ < MOST_MESSAGES) await this.#then(() => this.#take(message));
  }

  /** The person here says that the words agree: they vouch for the connection, and for later ones by a key of the two. */
  async confirm() {
    if (!this.#words) return;
    const shared = await agree(this.#options.keys, this.#options.partner.key).catch(() => null);
    if (!shared) return this.refuse(); // its key is none: no page of ours
    this.#isDone = true;
    const pair = base64url(await derive(shared, "pair", await digest(this.#transcript)));
    this.#tell("result", { level: "checked", by: "words", words: this.#words, language: this.#language, pair });
  }

  /** The person here says that they do not, or something else does not fit: the partner's page is told, too. */
  refuse() {
    if (this.#heard === Infinity) return;
    this.#heard = Infinity;
    this.#awaits = null;
    this.#words = null;
    this.#say({ step: "mismatch" });
    this.#tell("mismatch", null);
  }

  /** @param {() => Promise<void>} next */
  #then(next) {
    // Without its word list, or with a key that is none, the check stays where it is: not done.
    this.#work = this.#work.then(next).catch(() => void (this.#awaits = null));
    return this.#work;
  }

  /** @param {any} message */
  async #take(message) {
    if (message?.step === "mismatch" && !this.#isDone) return this.refuse();
    if (typeof message?.step !== "string" || message.step !== this.#awaits) return;
    this.#awaits = null;
    if (message.step === "commit" && BYTES_32.test(message.commitment) && Object.hasOwn(LISTS, message.language)) {
      this.#look();
      this.#commitment = message.commitment;
      this.#language = message.language;
      this.#awaits = "reveal";
      this.#say({ step: "nonce", nonce: this.#nonce, ...(await this.#claims()) });
    } else if (message.step === "nonce" && BYTES_32.test(message.nonce)) {
      this.#say({ step: "reveal", nonce: this.#nonce, ...(await this.#claims()) });
      await this.#settle(message);
    } else if (message.step === "reveal" && BYTES_32.test(message.nonce)) {
      if ((await this.#commit(message.nonce)) !== this.#commitment) return this.refuse();
      await this.#settle(message);
    } else if (message.step === "proof" && BYTES_32.test(message.proof)) {
      await this.#verify(message.proof);
    }
  }

  /** Nothing that the broker says later changes what is checked. */
  #look() {
    this.#seen = this.#options.fingerprints();
    if (this.#seen.own.length === 0 || this.#seen.theirs.length === 0) throw new Error("no fingerprints");
  }

  /** The lower seat's promise, as it makes it or as the higher seat must find it. @param {string} nonce */
  async #commit(nonce) {
    const text = JSON.stringify([`${VERSION} commit`, this.#options.consultation, this.#language, ...this.#sides(nonce, "")[0]]);
    return base64url(await digest(text));
  }

  /**
   * Both sides as this page sees them, the lower seat first.
   * @param {string} lower   its nonce
   * @param {string} higher
   */
  #sides(lower, higher) {
    const { own, partner, keys } = this.#options;
    const [mine, theirs] = this.#isLower ? [lower, higher] : [higher, lower];
    const sides = [
      [own.seat, own.role, keys.key, mine, this.#seen.own],
      [partner.seat, partner.role, partner.key, theirs, this.#seen.theirs],
    ];
    return this.#isLower ? sides : sides.reverse();
  }

  /** @returns {Promise<Claims>} */
  async #claims() {
    const { secret, pair } = this.#options;
    return { link: secret !== null, pair: pair === null ? null : await nameOf(pair) };
  }

  /** Both nonces are known. @param {{ nonce: string, link: unknown, pair: unknown }} message */
  async #settle({ nonce, link, pair }) {
    const { consultation } = this.#options;
    const sides = this.#isLower ? this.#sides(this.#nonce, nonce) : this.#sides(nonce, this.#nonce);
    this.#transcript = JSON.stringify([VERSION, consultation, this.#language, ...sides]);
    this.#theirClaims = { link: link === true, pair: typeof pair === "string" && PAIR_NAME.test(pair) ? pair : null };
    const shared = await this.#shared();
    if (!shared) return this.#compare();
    this.#awaits = "proof";
    const proof = await crypto.subtle.sign("HMAC", shared.key, this.#proven(this.#isLower));
    this.#say({ step: "proof", proof: base64url(new Uint8Array(proof)) });
  }

  /** What both say they have, the link's secret before a kept key. */
  async #shared() {
    const { secret, pair } = this.#options;
    const claims = await this.#claims();
    const theirs = this.#theirClaims;
    if (secret && theirs.link) return { by: /** @type {const} */ ("link"), key: await proofKey(secret, "link") };
    if (pair && claims.pair === theirs.pair) return { by: /** @type {const} */ ("words"), key: await proofKey(pair, "words") };
    return null;
  }

  /** @param {string} proof */
  async #verify(proof) {
    const shared = await this.#shared();
    if (!shared) return;
    const fits = await crypto.subtle.verify("HMAC", shared.key, bytes(proof), this.#proven(!this.#isLower));
    if (!fits) return this.refuse();
    this.#isDone = true;
    this.#tell("result", { level: "checked", by: shared.by, words: null, language: this.#language });
  }

  /** What a side's proof is made over. @param {boolean} lower */
  #proven(lower) {
    return encode(this.#transcript + (lower ? "lower" : "higher"));
  }

  /** No secret in common: the people compare. */
  async #compare() {
    const { default: list } = await LISTS[this.#language]();
    this.#words = [...(await digest(this.#transcript)).subarray(0, WORDS)].map((index) => list[index]);
    this.#tell("result", { level: "words", by: null, words: this.#words, language: this.#language });
  }

  /** @param {Record<string, unknown>} fields */
  #say(fields) {
    this.#tell("say", { type: "check", ...fields });
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {string} secret @param {"link" | "words"} by */
async function proofKey(secret, by) {
  const key = await derive(bytes(secret), `proof by ${by}`);
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

/** A kept key's name, which tells nothing of it. @param {string} pair */
async function nameOf(pair) {
  return base64url((await derive(bytes(pair), "name")).subarray(0, 12));
}

/**
 * HKDF-SHA-256, 32 bytes.
 * @param {BufferSource} secret
 * @param {string} purpose
 * @param {BufferSource} [salt]
 */
async function derive(secret, purpose, salt = new Uint8Array(0)) {
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt, info: encode(`${VERSION} ${purpose}`) };
  return new Uint8Array(await crypto.subtle.deriveBits(hkdf, base, 256));
}

/** @param {string} text */
async function digest(text) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encode(text)));
}

/** @param {string} text */
function encode(text) {
  return new TextEncoder().encode(text);
}
