/**
 * Access codes as people type, paste and receive them (R13, docs/protocol.md "From the page"): tidies the spelling,
 * checks the check symbol, and takes a link's fragment apart. Pure text; no DOM, no network.
 */

/** Crockford's base 32: no I, L, O, U. A symbol's place is its value. */
const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 12;
/** A practice's recovery key (vault.js) is spelled and checked the same way, and longer. */
export const RECOVERY_LENGTH = 32;

/** What the eye or the keyboard confuses, and what is meant. */
const ALIKE = new Map([["O", "0"], ["I", "1"], ["L", "1"], ["U", "V"]]);

/**
 * The code in its bare form: upper case, without spaces, dashes and other punctuation, look-alikes replaced.
 * Letters that no code holds stay, so that {@link problem} can see them.
 * @param {string} text
 */
export function normalize(text) {
  const bare = text.normalize("NFKC").toUpperCase().replace(/[\s\p{P}\p{Cf}]/gu, "");
  return [...bare].map((symbol) => ALIKE.get(symbol) ?? symbol).join("");
}

/**
 * Why the text is no access code, told without asking the server; `null` if it is well formed.
 * @param {string} text
 * @param {number} [length]
 * @returns {"code-empty" | "code-length" | "code-typo" | null}
 */
export function problem(text, length = LENGTH) {
  const code = normalize(text);
  if (code === "") return "code-empty";
  if ([...code].length !== length) return "code-length";
  const values = [...code].map((symbol) => SYMBOLS.indexOf(symbol));
  if (values.includes(-1) || checkValue(values.slice(0, -1)) !== values[length - 1]) return "code-typo";
  return null;
}

/** A recovery key: 155 random bits and the check symbol, in groups of four. */
export function newRecoveryKey() {
  const values = random(RECOVERY_LENGTH - 1);
  return spell([...values, checkValue(values)]);
}

/** A password for the first time, to be read out and typed: 60 random bits in groups of four. */
export function newInitialPassword() {
  return spell(random(LENGTH)).toLowerCase();
}

/** @param {number} count */
function random(count) {
  return [...crypto.getRandomValues(new Uint8Array(count))].map((byte) => byte & 31);
}

/** @param {number[]} values */
function spell(values) {
  return format(values.map((value) => SYMBOLS[value]).join(""));
}

/**
 * Over GF(2^5) with the polynomial 0x3B: `s = (s xor symbol) · x^5` for each symbol. Catches every
 * single error and every swap of neighbours.
 * @param {number[]} values
 */
function checkValue(values) {
  let sum = 0;
  for (const value of values) {
    sum ^= value;
    for (let power = 0; power < 5; power++) {
      sum <<= 1;
      if (sum & 0x20) sum ^= 0x3b;
    }
  }
  return sum;
}

/**
 * `K7QF-3XM2-9TDA`: groups of four. An unfinished or wrong code is grouped as far as it goes.
 * @param {string} text
 */
export function format(text) {
  return (normalize(text).match(/.{1,4}/gu) ?? []).join("-");
}

/**
 * What a link's fragment holds, `#CODE` or `#CODE.secret`. Mail programs escape characters and glue punctuation to
 * the end; both are forgiven. The secret (16 bytes as base64url) is `null` where there is none or it is cut off.
 * @param {string} hash  `location.hash`
 * @returns {{ code: string, secret: string | null } | null}
 */
export function fromFragment(hash) {
  const text = unescape(hash.replace(/^#/, "")).trim();
  if (text === "") return null;
  const dot = text.indexOf(".");
  const code = dot < 0 ? text : text.slice(0, dot);
  const secret = dot < 0 ? null : /^[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])/.exec(text.slice(dot + 1));
  return { code: normalize(code), secret: secret ? secret[0] : null };
}

/**
 * The same from what somebody put into the code field: a code, or a whole link pasted there.
 * @param {string} text
 */
export function fromInput(text) {
  return fromFragment(text.slice(text.indexOf("#") + 1)) ?? { code: "", secret: null };
}

/** @param {string} text */
function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone percent sign: no escape, so leave it as it is
  }
}
