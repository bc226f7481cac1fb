/**
 * The practice's sealed vault (R36, docs/security.md): what patients are called never reaches the server in the clear. A
 * practice has a key, made here; each user and each released workplace holds it sealed for a key pair of its own. The
 * password opens a user's pair, the printed recovery key opens it too; a workplace's pair never leaves its browser.
 * WebCrypto alone: PBKDF2, HKDF, ECDH on P-256, AES-256-GCM. Binary values are base64url.
 */

import { normalize } from "./code.js";
import { base64url, bytes } from "./seal.js";

export { newRecoveryKey } from "./code.js";

/** @typedef {{ version: number, key: CryptoKey }} PracticeKey  AES-GCM; extractable, because it is sealed for others */
/** @typedef {{ public: string, private: CryptoKey }} Pair  `public` is the point, 65 bytes */

const P256 = { name: "ECDH", namedCurve: "P-256" };
const AES = { name: "AES-GCM", length: 256 };
/** OWASP's advice for PBKDF2 with SHA-256. */
const ROUNDS = 600_000;
export const PASSWORD_MAX = 1024;

/** @typedef {{ signIn: string, wrap: CryptoKey }} Opener  `signIn` goes to the server, `wrap` opens the user's pair and stays here */

/**
 * What a password is good for. Neither half tells the other.
 * @param {string} password  1 to 1,024 characters, as typed: a longer one is refused, never cut
 * @param {string} salt      the server's, for this practice and user
 * @returns {Promise<Opener>}
 */
export async function fromPassword(password, salt) {
  const text = password.normalize("NFC");
  if (text === "" || [...text].length > PASSWORD_MAX) throw new RangeError(`A password has 1 to ${PASSWORD_MAX} characters.`);
  const typed = encode(text);
  const base = await crypto.subtle.importKey("raw", typed, "PBKDF2", false, ["deriveBits"]);
  const stretched = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: ROUNDS }, base, 256);
  return { signIn: base64url(await derive(stretched, "sign-in")), wrap: await aesKey(await derive(stretched, "wrap")) };
}

/**
 * The same from a printed recovery key ({@link newRecoveryKey}), which is random and needs no stretching.
 * @param {string} typed  well formed; case, spaces and dashes are free, look-alikes are read as meant
 * @returns {Promise<Opener>}
 */
export async function fromRecoveryKey(typed) {
  const key = encode(normalize(typed));
  return { signIn: base64url(await derive(key, "recovery sign-in")), wrap: await aesKey(await derive(key, "recovery wrap")) };
}

/** A user's pair, extractable: it is wrapped once by the password and once by the recovery key. */
export function newUserPair() {
  return newPair(true);
}

/** A workplace's pair, which never leaves this browser. */
export function newWorkplacePair() {
  return newPair(false);
}

/** @param {boolean} extractable @returns {Promise<Pair>} */
async function newPair(extractable) {
  const pair = await crypto.subtle.generateKey(P256, extractable, ["deriveBits"]);
  return { public: base64url(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))), private: pair.privateKey };
}

/** @param {CryptoKey} wrap @param {CryptoKey} pair  the private half */
export async function wrapPair(wrap, pair) {
  return close(wrap, "user pair", new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair)));
}

/**
 * The pair, whose public half comes out of the private one: nobody else is asked for it.
 * @param {CryptoKey} wrap
 * @param {string} wrapped
 * @param {boolean} [extractable]  to wrap it anew, for another password
 * @returns {Promise<Pair | null>} nothing where the key does not fit
 */
export async function unwrapPair(wrap, wrapped, extractable = false) {
  const plain = await open(wrap, "user pair", wrapped);
  if (!plain) return null;
  /** @param {boolean} out */
  const half = (out) => crypto.subtle.importKey("pkcs8", plain, P256, out, ["deriveBits"]);
  const [told, own] = await Promise.all([half(true), half(extractable)]);
  return { public: await pointOf(told), private: own };
}

/** The public half of a private one: 4, x, y (SEC 1, 2.3.3). @param {CryptoKey} half  extractable @returns {Promise<string>} base64url */
async function pointOf(half) {
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", half);
  return base64url(new Uint8Array([4, ...bytes(x), ...bytes(y)]));
}

/** @param {number} version  one more than the last @returns {Promise<PracticeKey>} */
export async function newPracticeKey(version) {
  return { version, key: /** @type {CryptoKey} */ (await crypto.subtle.generateKey(AES, true, ["encrypt", "decrypt"])) };
}

/**
 * The practice's key for somebody's pair: only its private half opens it.
 * @param {PracticeKey} practice
 * @param {string} addressee  public
 */
export async function sealKey({ version, key }, addressee) {
  const once = await newPair(false);
  const shared = await agree(once.private, addressee);
  const wrap = await aesKey(await derive(shared, `practice key ${version}|${once.public}|${addressee}`));
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", key));
  return `${once.public}.${await close(wrap, "practice key", raw)}`;
}

/**
 * @param {string} sealed
 * @param {number} version
 * @param {Pair} pair
 * @returns {Promise<PracticeKey | null>}
 */
export async function openKey(sealed, version, pair) {
  const [once, closed] = sealed.split(".");
  const shared = await agree(pair.private, once).catch(() => null);
  const wrap = shared && (await aesKey(await derive(shared, `practice key ${version}|${once}|${pair.public}`)));
  const raw = wrap && (await open(wrap, "practice key", closed));
  return raw && { version, key: await crypto.subtle.importKey("raw", raw, AES, true, ["encrypt", "decrypt"]) };
}

/**
 * Four numbers of 0 to 255 that two people compare as words, so that a workplace that is released is the one that asks. Stretched like
 * a password, so that nobody makes a key with the same ones while they wait.
 * @param {string} key       the workplace's, public
 * @param {string} practice  its id
 */
export async function checkNumbers(key, practice) {
  const salt = encode(`visavis workplace v1|${practice}`);
  const base = await crypto.subtle.importKey("raw", bytes(key), "PBKDF2", false, ["deriveBits"]);
  return [...new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS }, base, 32))];
}

/**
 * What is known of one consultation, as the server keeps it. Padded, so that its length tells no name.
 * @param {PracticeKey} practice
 * @param {string} about  the practice's and the consultation's ids: a record that is moved does not open
 * @param {Record<string, unknown>} record
 */
export async function sealRecord({ version, key }, about, record) {
  const text = encode(JSON.stringify(record));
  const padded = new Uint8Array(Math.ceil((text.length + 1) / 256) * 256).fill(0x20);
  padded.set(text);
  return `${version}.${await close(key, `record|${about}`, padded)}`;
}

/** The key's version that a record needs. @param {string} sealed */
export function versionOf(sealed) {
  return Number(sealed.split(".")[0]);
}

/**
 * @param {PracticeKey} practice  of the record's version
 * @param {string} about
 * @param {string} sealed
 * @returns {Promise<Record<string, any> | null>} nothing where it was changed or belongs elsewhere
 */
export async function openRecord({ key }, about, sealed) {
  const plain = await open(key, `record|${about}`, sealed.split(".")[1] ?? "");
  return plain && JSON.parse(new TextDecoder().decode(plain));
}

/** @param {CryptoKey} key @param {string} label @param {BufferSource} plain */
async function close(key, label, plain) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const data = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: encode(label) }, key, plain));
  const whole = new Uint8Array(12 + data.length);
  whole.set(iv);
  whole.set(data, 12);
  return base64url(whole);
}

/** @param {CryptoKey} key @param {string} label @param {string} closed @returns {Promise<ArrayBuffer | null>} */
async function open(key, label, closed) {
  try {
    const whole = bytes(closed);
    return await crypto.subtle.decrypt({ name: "AES-GCM", iv: whole.subarray(0, 12), additionalData: encode(label) }, key, whole.subarray(12));
  } catch {
    return null; // no base64url, or the tag does not fit
  }
}

/** @param {CryptoKey} own @param {string} other  public */
async function agree(own, other) {
  const point = await crypto.subtle.importKey("raw", bytes(other), P256, false, []);
  return crypto.subtle.deriveBits({ name: "ECDH", public: point }, own, 256);
}

/** HKDF-SHA-256, 32 bytes. @param {BufferSource} secret @param {string} purpose */
async function derive(secret, purpose) {
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encode(`visavis vault v1|${purpose}`) };
  return new Uint8Array(await crypto.subtle.deriveBits(hkdf, base, 256));
}

/** @param {BufferSource} raw */
function aesKey(raw) {
  return crypto.subtle.importKey("raw", raw, AES, false, ["encrypt", "decrypt"]);
}

/** @param {string} text */
function encode(text) {
  return new TextEncoder().encode(text);
}
