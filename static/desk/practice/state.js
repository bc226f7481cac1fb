/**
 * Everything the practice's page knows, as plain data, and how it changes (`reduce` is pure). Passwords are no part of it; what is shown
 * once (an initial password, a recovery key, a token) is, until its dialog closes.
 */

import { keeps } from "../roles.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Section} Section */
/** @typedef {import("./types.js").Person} Person */

/** @type {Section[]} */
const FOR_ALL = ["workplaces", "people", "own", "data"];
/** @type {Section[]} */
const FOR_ADMINS = ["workplaces", "people", "own", "settings", "software", "audit", "data"];
export const RETENTION_DAYS = [1, 89];
const SHORT = /^[\p{L}\p{N}._-]{1,40}$/u;

/** @returns {State} */
export function initialState() {
  return {
    screen: "opening",
    language: "de",
    section: "workplaces",
    session: null,
    held: [],
    users: [],
    workplaces: [],
    checkWords: {},
    sessions: [],
    passkeys: [],
    webauthn: false,
    tokens: [],
    audit: [],
    auditMore: false,
    dialog: null,
    capsLock: false,
    shown: false,
    busy: false,
    trouble: null,
  };
}

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  return REACTIONS[action.type]?.(state, action) ?? state;
}

/** @type {Record<string, (state: State, action: Action) => State>} */
const REACTIONS = {
  language: (state, { language }) => ({ ...state, language, checkWords: {} }),
  entered: (state, { session, held }) => ({ ...state, screen: "practice", session, held, section: allowed(state.section, session.user.role), trouble: null }),
  failed: (state, { trouble }) => ({ ...state, screen: "trouble", trouble }),
  practice: (state, { practice }) => ({ ...state, session: state.session && { ...state.session, practice } }),
  section: (state, { section }) => ({ ...state, section: allowed(section, state.session?.user.role ?? "staff"), trouble: null }),
  /** Lists as the server tells them, whichever came. */
  loaded: (state, { type: _, ...lists }) => ({ ...state, ...lists }),
  checkWords: (state, { id, words }) => ({ ...state, checkWords: { ...state.checkWords, [id]: words } }),
  auditLines: (state, { lines, more, first }) => ({ ...state, audit: first ? lines : [...state.audit, ...lines], auditMore: more }),
  dialog: (state, { kind, id = "", name = "", secret = "" }) => ({ ...state, dialog: { kind, id, name, secret }, shown: false, busy: false, trouble: null }),
  closeDialog: (state) => ({ ...state, dialog: null, trouble: null }),
  busy: (state) => ({ ...state, busy: true, trouble: null }),
  /** What was asked for is done; a dialog that shows something stays. */
  done: (state) => (state.busy ? { ...state, busy: false, dialog: null } : state),
  capsLock: (state, { on }) => ({ ...state, capsLock: on }),
  show: (state) => ({ ...state, shown: !state.shown }),
  trouble: (state, { trouble }) => ({ ...state, busy: false, trouble }),
};

/** @param {import("./types.js").Role} role */
export function sectionsFor(role) {
  return keeps(role) ? FOR_ADMINS : FOR_ALL;
}

/** @param {string} section @param {import("./types.js").Role} role @returns {Section} */
function allowed(section, role) {
  return sectionsFor(role).find((one) => one === section) ?? "workplaces";
}

/** Versions of the practice's key that somebody lacks and this page could give. @param {State} state @param {Person} person */
export function lacks({ held }, { keys }) {
  return held.filter((version) => !keys.includes(version));
}

/**
 * Who gets the practice's next key when somebody or a workplace goes.
 * @param {State} state
 * @param {string} gone  the id
 * @returns {import("./types.js").Staying}
 */
export function staying({ users, workplaces }, gone) {
  return {
    users: users.filter(({ id }) => id !== gone),
    workplaces: workplaces.filter(({ id, state }) => id !== gone && state === "released"),
  };
}

/**
 * What is wrong with what was typed, told without asking the server.
 * @param {Record<string, string>} values
 * @returns {import("./types.js").Trouble | null}
 */
export function check(values) {
  /** @param {string} field @param {string} key */
  const wrong = (field, key) => ({ key: `practice.${key}`, values: {}, field });
  if ("short" in values && !SHORT.test(values.short.normalize("NFC").trim())) return wrong("short", "shortOdd");
  if ("name" in values && !values.name.trim()) return wrong("name", "nameMissing");
  if ("retentionDays" in values) {
    const days = Number(values.retentionDays);
    if (!Number.isInteger(days) || days < RETENTION_DAYS[0] || days > RETENTION_DAYS[1]) return wrong("retentionDays", "retentionOdd");
  }
  return null;
}
