/** What is wrong with a password as typed, told without asking the server: a key of `words/frame`, and the field. */

import { PASSWORD_MAX } from "../shared/vault.js";

/** @typedef {{ key: string, values: Record<string, string>, field: string } | null} Trouble */

/** What a new password has at least. More is advised, nothing else is asked. */
const LEAST = 8;

/**
 * @param {string} field
 * @param {Record<string, string>} values  of a form, by field
 * @returns {Trouble}
 */
export function checkPassword(field, values) {
  if (!(field in values)) return null;
  if (values[field] === "") return { key: "password.missing", values: {}, field };
  return length(values[field]) > PASSWORD_MAX ? { key: "password.long", values: {}, field } : null;
}

/**
 * A new password, typed twice.
 * @param {Record<string, string>} values
 * @returns {Trouble}
 */
export function checkFresh(values) {
  if (!("fresh" in values)) return null;
  const wrong = checkPassword("fresh", values);
  if (wrong) return wrong;
  if (length(values.fresh) < LEAST) return { key: "password.short", values: { least: String(LEAST) }, field: "fresh" };
  return values.fresh === values.again ? null : { key: "password.differs", values: {}, field: "again" };
}

/** In characters, as the vault counts them. @param {string} text */
function length(text) {
  return [...text.normalize("NFC")].length;
}
