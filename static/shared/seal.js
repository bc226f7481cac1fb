/**
 * Names sealed from page to page (R10, docs/protocol.md "Sealed names"): the broker passes on what it cannot read.
 * ECDH on P-256, HKDF-SHA-256, AES-256-GCM, all by WebCrypto. Binary values travel as base64url without padding.
 */

/** @typedef {{ key: string, iv: string, data: string, salted: boolean }} Sealed */
/** @typedef {{ private: CryptoKey, key: string }} Keys  `key` is the public point, 65 bytes as base64url */
/**
 * @typedef {object} Envelope
 * @property {Keys} keys             this page's own
 * @property {string | null} secret  the link's secret, 16 bytes as base64url
 * @property {string} consultation
 * @property {number} seat           the sender's
 */

const P256 = { name: "ECDH", namedCurve: "P-256" };
const NAME_BYTES = 100;
const PADDED_BYTES = 128;

/**
 * A key pair for one page life. The private half cannot be exported.
 * @returns {Promise<Keys>}
 */
export async function generateKeys() {
  const pair = await crypto.subtle.generateKey(P256, false, ["deriveBits"]);
  const point = await crypto.subtle.exportKey("raw", pair.publicKey);
  return { private: pair.privateKey, key: base64url(new Uint8Array(point)) };
}

/** 128 random bits, as a device's identity (docs/protocol.md "Data model"). */
export function randomDevice() {
  return base64url(crypto.getRandomValues(new Uint8Array(16)));
}

/**
 * Seals `name` so that only the holder of `addressee` (a public key) can read it. A link secret is always used.
 * @param {string} name
 * @param {string} addressee
 * @param {Envelope} envelope
 * @returns {Promise<Sealed>}
 */
export async function seal(name, addressee, { keys, secret, consultation, seat }) {
  const label = `${consultation}|${seat}|${keys.key}|${addressee}`;
  const key = await deriveKey(keys, addressee, secret, label);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const plain = new Uint8Array(PADDED_BYTES);
  plain.set(new TextEncoder().encode(shorten(name)));
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain);
  return { key: keys.key, iv: base64url(iv), data: base64url(new Uint8Array(data)), salted: secret !== null };
}

/**
 * Opens what {@link seal} made. `locked: "no-secret"` if the sender's link had a secret and ours has none,
 * `"mismatch"` if it does not open: another secret, another seat or a changed text.
 * @param {Sealed} sealed
 * @param {Envelope} envelope  `seat` is the sender's
 * @returns {Promise<{ name: string } | { locked: "no-secret" | "mismatch" }>}
 */
export async function unseal(sealed, { keys, secret, consultation, seat }) {
  if (sealed.salted && secret === null) return { locked: "no-secret" };
  try {
    const label = `${consultation}|${seat}|${sealed.key}|${keys.key}`;
    const key = await deriveKey(keys, sealed.key, sealed.salted ? secret : null, label);
    const iv = bytes(sealed.iv);
    const plain = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, bytes(sealed.data)));
    const end = plain.indexOf(0);
    return { name: new TextDecoder().decode(end < 0 ? plain : plain.subarray(0, end)) };
  } catch {
    return { locked: "mismatch" }; // not base64url, not a point of the curve, or the tag does not fit
  }
}

/** What only the two pages can compute (ECDH). @param {Keys} keys @param {string} other  public key */
export async function agree(keys, other) {
  const point = await crypto.subtle.importKey("raw", bytes(other), P256, false, []);
  return crypto.subtle.deriveBits({ name: "ECDH", public: point }, keys.private, 256);
}

/** @param {Keys} keys @param {string} other  public key @param {string | null} secret @param {string} label */
async function deriveKey(keys, other, secret, label) {
  const base = await crypto.subtle.importKey("raw", await agree(keys, other), "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode(`visavis name v1|${label}`);
  const salt = secret === null ? new Uint8Array(0) : bytes(secret);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt, info };
  return crypto.subtle.deriveKey(hkdf, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/**
 * At most 100 bytes of UTF-8, cut between characters; zero bytes would read as padding.
 * @param {string} name
 */
function shorten(name) {
  let kept = "";
  for (const character of name.replaceAll("\0", "").trim()) {
    if (new TextEncoder().encode(kept + character).length > NAME_BYTES) break;
    kept += character;
  }
  return kept;
}

/** @param {Uint8Array} value */
export function base64url(value) {
  return btoa(String.fromCharCode(...value)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} text */
export function bytes(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
