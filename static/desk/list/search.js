/** Finding a consultation by what is in its record: in the browser, because the server cannot read it. Pure. */

/** @typedef {import("./types.js").Facts} Facts */

/**
 * What the search looks through: folded words, and the phone number as bare digits.
 * @param {Facts | null} facts
 */
export function textOf(facts) {
  if (!facts) return "";
  const { name, title, note, phone, email, labels } = facts;
  const text = [name, title, note, phone, email, ...Object.values(labels)].join(" ").normalize("NFC");
  const folded = fold(text);
  const spelled = fold(text.replace(/[äöüÄÖÜ]/g, (letter) => `${letter}e`)); // Müller, as typed without umlauts: mueller
  return [folded, spelled === folded ? "" : spelled, phone.replace(/\D/g, "")].join(" ");
}

/**
 * Whether a text has every word of the query; case and accents do not count, order neither.
 * @param {string} query
 * @returns {(text: string) => boolean}
 */
export function matcher(query) {
  const words = fold(query).split(" ").filter(Boolean);
  const digits = query.replace(/[\s/()+-]/g, "");
  // A number's groups are as people like them: compared as one.
  const whole = /^\d{4,}$/.test(digits) ? digits : null;
  return (text) => words.every((word) => text.includes(word)) || (whole !== null && text.includes(whole));
}

/** Letters that are no letter with an accent, and are typed without all the same. @type {Record<string, string>} */
const PLAIN = { ß: "ss", ı: "i", ł: "l", ø: "o", đ: "d", ð: "d", æ: "ae", œ: "oe", þ: "th" };

/** @param {string} text */
export function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[ßıłøđðæœþ]/g, (letter) => PLAIN[letter]).replace(/\s+/g, " ").trim();
}
