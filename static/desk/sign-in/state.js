/**
 * Everything the sign-in page knows, as plain data, and how it changes (`reduce` is pure). Passwords are no part of it: they go
 * from their fields to `main.js` and are forgotten there.
 */

import { problem, RECOVERY_LENGTH } from "../../shared/code.js";
import { checkFresh, checkPassword } from "../passwords.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Trouble} Trouble */

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
  return checkPassword("password", values) ?? checkPassword("initial", values) ?? checkFresh(values);
}
