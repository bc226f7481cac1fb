/** The ways by which a letter leaves the browser through the user's own programs, as addresses that open them. Pure. */

/** @typedef {import("./types.js").Letter} Letter */

/** Some mail programs take no longer address. */
export const MAILTO_MOST = 1900;

/**
 * RFC 6068. A letter that would not fit shrinks to its short form.
 * @param {string} to  may be empty
 * @param {Letter} letter
 */
export function mailto(to, { subject, text, short }) {
  const whole = address(to, subject, text);
  return whole.length <= MAILTO_MOST ? whole : address(to, subject, short);
}

/**
 * RFC 5724. Older iPhones want an ampersand before the text, all others a question mark: both understand both together.
 * @param {string} phone  as people write it
 * @param {Letter} letter
 */
export function sms(phone, { short }) {
  return `sms:${dialled(phone)}?&body=${encodeURIComponent(short)}`;
}

/** `+49 (0) 30 / 12 34` becomes `+49301234`. @param {string} phone */
export function dialled(phone) {
  const bare = phone.replace(/\(0\)/g, (zero, at) => (phone.trimStart().startsWith("+") && at > 0 ? "" : zero));
  return (bare.trimStart().startsWith("+") ? "+" : "") + bare.replace(/\D/g, "");
}

/** @param {string} to @param {string} subject @param {string} body */
function address(to, subject, body) {
  const whom = encodeURIComponent(to.trim()).replace("%40", "@");
  return `mailto:${whom}?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(body.replace(/\n/g, "\r\n"))}`;
}
