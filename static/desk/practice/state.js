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
    seen: {},
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
  entered: (state, { session, held }) => ({ ...state, screen: "practice", session, held, section: allowed(state.section, session.user.role) }),
  failed: (state, { trouble }) => ({ ...state, screen: "trouble", dialog: null, busy: false, trouble }),
  practice: (state, { practice }) => ({ ...state, session: state.session && { ...state.session, practice } }),
  section: (state, { section }) => ({ ...state, section: allowed(section, state.session?.user.role ?? "staff"), trouble: null }),
  /** Lists as the server tells them, whichever came. The key that somebody had first stays the one that others are held against. */
  loaded: (state, { type: _, ...lists }) => ({
    ...state, ...lists, seen: { ...keysOf([...(lists.users ?? []), ...(lists.workplaces ?? [])]), ...state.seen },
  }),
  checkWords: (state, { publicKey, words }) => ({ ...state, checkWords: { ...state.checkWords, [publicKey]: words } }),
  /** The user said so, or this page made the key. */
  confirmed: (state, { rows }) => ({ ...state, seen: { ...state.seen, ...keysOf(rows) } }),
  auditLines: (state, { lines, more, first }) => ({ ...state, audit: first ? lines : [...state.audit, ...lines], auditMore: more }),
  dialog: (state, { kind, id = "", name = "", secret = "" }) => ({
    ...state, dialog: { kind, id, name, secret, holders: shownFor(state, kind, id) }, shown: false, busy: false, trouble: null,
  }),
  /** Who stands in the lists now; nothing is sealed until that was confirmed, too. */
  askAgain: (state) => ({ ...state, dialog: state.dialog && { ...state.dialog, holders: shownFor(state, state.dialog.kind, state.dialog.id) } }),
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

/** @param {import("./types.js").Row[]} rows @returns {Record<string, string>} by id and by name */
function keysOf(rows) {
  return Object.fromEntries(rows.flatMap((row) => [[row.id, row.publicKey], [nameOf(row), row.publicKey]]));
}

/** No id has a space. @param {import("./types.js").Row} row */
function nameOf(row) {
  return "short" in row ? `user ${row.short}` : `workplace ${row.name}`;
}

/**
 * Whether the server names another key for somebody than it did in this page before: under the same id, or under the same name, the
 * former key having gone. Released workplaces are known by their id alone, for they may be renamed.
 * @param {State} state
 * @param {string} id
 */
export function isOther({ seen, users, workplaces }, id) {
  const rows = [...users, ...workplaces];
  const row = rows.find((one) => one.id === id);
  if (!row) return false;
  const [before, named] = [seen[id] ?? row.publicKey, seen[nameOf(row)] ?? row.publicKey];
  const isRenamed = "name" in row && row.state === "released";
  return before !== row.publicKey || (!isRenamed && named !== row.publicKey && !rows.some(({ publicKey }) => publicKey === named));
}

/**
 * For whom a question or a button seals keys: these rows, with these keys, as they stand on the screen now.
 * @param {State} state
 * @param {string} kind  of the dialog or the button
 * @param {string} id    whom it is about
 * @returns {import("./types.js").Holders}
 */
export function shownFor({ users, workplaces }, kind, id) {
  if (kind === "release") return { users: [], workplaces: workplaces.filter((one) => one.id === id) };
  if (kind === "giveKeys") return { users: users.filter((one) => one.id === id), workplaces: [] };
  if (kind !== "withdrawUser" && kind !== "withdrawPlace") return { users: [], workplaces: [] };
  return {
    users: users.filter((one) => one.id !== id),
    workplaces: workplaces.filter((one) => one.id !== id && one.state === "released"),
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
