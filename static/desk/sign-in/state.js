/**
 * Everything the sign-in page knows, as plain data, and how it changes (`reduce` is pure). Passwords are no part of it: they go
 * from their fields to `main.js` and are forgotten there.
 */

import { PASSWORD_MAX } from "../../shared/vault.js";
import { problem, RECOVERY_LENGTH } from "../../shared/code.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Trouble} Trouble */

/** What a new password has at least. More is advised, nothing else is asked. */
export const PASSWORD_LEAST = 8;
const SHORT = /^[\p{L}\p{N}._-]{1,40}$/u;

/** @returns {State} */
export function initialState() {
  return {
    screen: "opening",
    language: "de",
    why: null,
    practice: "",
    user: "",
    practiceName: null,
    passkeys: false,
    capsLock: false,
    shown: false,
    busy: false,
    trouble: null,
    recoveryKey: null,
    needsPassword: false,
    workplace: "",
    words: null,
    admin: false,
    offline: false,
  };
}

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  return REACTIONS[action.type]?.(state, action) ?? state;
}

/** @type {Record<string, (state: State, action: Action) => State>} */
const REACTIONS = {
  language: (state, { language }) => ({ ...state, language }),
  /** The workplace that this browser remembers. */
  place: (state, { place, passkeys }) => ({ ...state, practice: place.practice, user: place.user, practiceName: place.practiceName, passkeys }),
  /** What else comes with a screen, as its own facts. */
  screen: (state, { screen, ...facts }) => ({
    ...state, busy: false, trouble: null, capsLock: false, shown: false, why: null, ...without(facts), screen,
  }),
  capsLock: (state, { on }) => ({ ...state, capsLock: on }),
  show: (state) => ({ ...state, shown: !state.shown }),
  busy: (state) => ({ ...state, busy: true, trouble: null }),
  trouble: (state, { trouble }) => ({ ...state, busy: false, trouble }),
  words: (state, { words }) => ({ ...state, words }),
  offline: (state, { offline }) => ({ ...state, offline }),
};

/** @param {Record<string, unknown>} facts */
function without({ type: _, ...facts }) {
  return facts;
}

/**
 * What is wrong with what was typed, told without asking the server.
 * @param {Record<string, string>} values  of a form, by field
 * @returns {Trouble | null}
 */
export function check(values) {
  for (const field of ["practice", "user"]) {
    if (field in values && !SHORT.test(values[field].normalize("NFC").trim())) return { key: values[field].trim() ? `entry.${field}Odd` : `entry.${field}Missing`, values: {}, field };
  }
  for (const field of ["name", "workplace"]) {
    if (field in values && !values[field].trim()) return { key: `entry.${field}Missing`, values: {}, field };
  }
  if ("recovery" in values) {
    const wrong = problem(values.recovery, RECOVERY_LENGTH);
    if (wrong) return { key: `entry.${wrong}`, values: {}, field: "recovery" };
  }
  for (const field of ["password", "initial"]) {
    const wrong = field in values ? lengthOf(field, values[field]) : null;
    if (wrong) return wrong;
  }
  return checkNew(values);
}

/**
 * A new password, typed twice.
 * @param {Record<string, string>} values
 * @returns {Trouble | null}
 */
export function checkNew({ fresh, again }) {
  if (fresh === undefined) return null;
  const wrong = lengthOf("fresh", fresh);
  if (wrong) return wrong;
  if ([...fresh].length < PASSWORD_LEAST) return { key: "entry.passwordShort", values: { least: String(PASSWORD_LEAST) }, field: "fresh" };
  return fresh.normalize("NFC") === again.normalize("NFC") ? null : { key: "entry.passwordDiffers", values: {}, field: "again" };
}

/** @param {string} field @param {string} password @returns {Trouble | null} */
function lengthOf(field, password) {
  if (password === "") return { key: "entry.passwordMissing", values: {}, field };
  return [...password.normalize("NFC")].length > PASSWORD_MAX ? { key: "entry.passwordLong", values: {}, field } : null;
}
