/** Every section, dialog and trouble of the practice's page by name, each with a sample state, for the tests. The page itself never loads this file. */

import { initialState, shownFor } from "./state.js";

/** @typedef {import("./types.js").State} State */

const at = "2026-11-20T08:30:00Z";

/** @type {State["session"]} */
const session = {
  token: null,
  expiresAt: "2026-11-21T20:00:00Z",
  practice: { id: "p", short: "markt12", name: "Praxis am Markt", phone: "030 1234567", timeZone: "Europe/Berlin", keyVersion: 2, retentionDays: 30 },
  user: { id: "u1", short: "weber", role: "admin", publicKey: "key u1", byPassword: "", byRecovery: "x", mustChange: false, keys: [] },
  workplace: { id: "w1", name: "Empfang", state: "released", keys: [] },
  mail: true,
  passkeys: true,
  leadMinutes: 15,
};

/** @type {State} */
const base = {
  ...initialState(),
  screen: "practice",
  session,
  held: [1, 2],
  webauthn: true,
  users: [
    { id: "u1", short: "weber", role: "admin", publicKey: "key u1", createdAt: at, lastSeenAt: at, keys: [1, 2], mustChange: false },
    { id: "u2", short: "dr.yilmaz", role: "doctor", publicKey: "key u2", createdAt: at, lastSeenAt: at, keys: [1], mustChange: false },
    { id: "u3", short: "aushilfe", role: "staff", publicKey: "key u3", createdAt: at, lastSeenAt: null, keys: [1, 2], mustChange: true },
  ],
  workplaces: [
    { id: "w2", name: "Zimmer 2", state: "waiting", publicKey: "key w2", createdAt: at, requestedBy: "dr.yilmaz", releasedAt: null, releasedBy: null, lastSeenAt: null, keys: [], current: false },
    { id: "w1", name: "Empfang", state: "released", publicKey: "key w1", createdAt: at, requestedBy: "weber", releasedAt: at, releasedBy: "weber", lastSeenAt: at, keys: [1, 2], current: true },
    { id: "w3", name: "Homeoffice mit einem recht langen Namen", state: "released", publicKey: "key w3", createdAt: at, requestedBy: "weber", releasedAt: at, releasedBy: "weber", lastSeenAt: null, keys: [1, 2], current: false },
  ],
  checkWords: { "key w2": ["Brezel", "Wolle", "Saxofon", "Eisberg"] },
  sessions: [
    { id: "s1", user: { id: "u1", name: "weber" }, workplace: { id: "w1", name: "Empfang" }, createdAt: at, seenAt: at, expiresAt: at, current: true },
    { id: "s2", user: { id: "u2", name: "dr.yilmaz" }, workplace: null, createdAt: at, seenAt: at, expiresAt: at, current: false },
  ],
  passkeys: [{ id: "k1", name: "Laptop am Empfang", createdAt: at, usedAt: null }],
  tokens: [
    { id: "t1", name: "Praxisprogramm", scope: "plan", createdAt: at, usedAt: at, madeBy: "dr.yilmaz" },
    { id: "t2", name: "Anzeige im Flur", scope: "read", createdAt: at, usedAt: null, madeBy: null },
  ],
};

/** Everything the trail may tell. */
const WHAT = [
  "sign-in", "sign-in-passkey", "recovery", "sign-out", "set-up", "rescue", "rescue-link", "session-ended", "password-changed", "recovery-changed",
  "passkey-added", "passkey-removed", "workplace-asked", "workplace-released", "workplace-renamed", "workplace-withdrawn", "user-added",
  "role-changed", "user-reset", "keys-given", "user-withdrawn", "token-made", "token-withdrawn", "token-ended", "settings-changed", "exported", "restored",
  "consultation-created", "consultation-moved", "consultation-cancelled", "consultation-deleted", "entered", "code-issued", "code-revoked",
  "mail-sent", "something-new",
];

/** @type {State["session"]} */
const staff = { ...session, passkeys: false, user: { ...session.user, id: "u3", short: "aushilfe", role: "staff", byRecovery: null } };

/** @param {string} key @param {string | null} [field] @param {Record<string, string>} [values] */
function trouble(key, field = null, values = {}) {
  return { key, field, values };
}

/** @param {import("./types.js").Dialog["kind"]} kind @param {Partial<import("./types.js").Dialog>} [facts] */
function dialog(kind, facts = {}) {
  const { id = "" } = facts;
  return { kind, id, name: "", secret: "", holders: shownFor(base, kind, id), ...facts };
}

/** @type {{ name: string, state: State }[]} */
export const STATES = [
  { name: "opening", state: initialState() },
  { name: "trouble", state: { ...initialState(), screen: "trouble", trouble: trouble("trouble.network") } },
  { name: "trouble-own", state: { ...initialState(), screen: "trouble", trouble: trouble("trouble.ownKey") } },
  { name: "workplaces", state: base },
  { name: "workplaces-computing", state: { ...base, checkWords: {} } },
  { name: "workplaces-keyless", state: { ...base, held: [1] } },
  { name: "workplaces-staff", state: { ...base, session: staff, trouble: trouble("practice.changed") } },
  { name: "workplaces-other", state: { ...base, seen: { w2: "before", w3: "before" } } },
  { name: "release-other", state: { ...base, seen: { w2: "before" }, dialog: dialog("release", { id: "w2", name: "Zimmer 2" }) } },
  { name: "people", state: { ...base, section: "people" } },
  { name: "people-other", state: { ...base, section: "people", seen: { u2: "before" } } },
  { name: "give-other", state: { ...base, section: "people", seen: { u2: "before" }, dialog: dialog("giveKeys", { id: "u2", name: "dr.yilmaz" }) } },
  { name: "people-staff", state: { ...base, session: staff, section: "people" } },
  { name: "own", state: { ...base, section: "own" } },
  { name: "own-nothing", state: { ...base, section: "own", passkeys: [], sessions: [] } },
  { name: "own-staff", state: { ...base, session: staff, section: "own", passkeys: [] } },
  { name: "settings", state: { ...base, section: "settings" } },
  { name: "settings-wrong", state: { ...base, section: "settings", trouble: trouble("practice.retentionOdd", "retentionDays") } },
  { name: "settings-nameless", state: { ...base, section: "settings", trouble: trouble("practice.nameMissing", "name") } },
  { name: "software", state: { ...base, section: "software" } },
  { name: "software-none", state: { ...base, section: "software", tokens: [] } },
  { name: "audit", state: { ...base, section: "audit", auditMore: true, audit: WHAT.map((what, at_) => ({ id: String(at_), at, actor: at_ ? "weber" : "-", what, about: "Zimmer 2" })) } },
  { name: "audit-none", state: { ...base, section: "audit" } },
  { name: "data", state: { ...base, section: "data" } },
  { name: "data-staff", state: { ...base, session: staff, section: "data" } },
  { name: "new-user", state: { ...base, section: "people", dialog: dialog("newUser") } },
  { name: "new-user-taken", state: { ...base, section: "people", dialog: dialog("newUser"), trouble: trouble("people.taken", "short") } },
  { name: "new-user-odd", state: { ...base, section: "people", dialog: dialog("newUser"), trouble: trouble("practice.shortOdd", "short") } },
  { name: "initial", state: { ...base, section: "people", dialog: dialog("initial", { name: "aushilfe", secret: "k7qf-3xm2-9tda" }) } },
  { name: "role", state: { ...base, section: "people", dialog: dialog("role", { id: "u2", name: "dr.yilmaz" }) } },
  { name: "role-last", state: { ...base, section: "people", dialog: dialog("role", { id: "u1", name: "weber" }), trouble: trouble("people.lastAdmin", "role") } },
  { name: "reset", state: { ...base, section: "people", dialog: dialog("reset", { id: "u2", name: "dr.yilmaz" }) } },
  { name: "withdraw-user", state: { ...base, section: "people", dialog: dialog("withdrawUser", { id: "u2", name: "dr.yilmaz" }) } },
  { name: "withdraw-other", state: { ...base, section: "people", seen: { u2: "before" }, dialog: dialog("withdrawUser", { id: "u3", name: "aushilfe" }) } },
  { name: "withdraw-unknown", state: { ...base, section: "people", dialog: dialog("withdrawUser", { id: "u3", name: "aushilfe" }), trouble: trouble("practice.ownUnknown") } },
  { name: "rename", state: { ...base, dialog: dialog("rename", { id: "w1", name: "Empfang" }) } },
  { name: "withdraw-place", state: { ...base, dialog: dialog("withdrawPlace", { id: "w3", name: "Homeoffice mit einem recht langen Namen" }) } },
  { name: "withdraw-here", state: { ...base, dialog: dialog("withdrawPlace", { id: "w1", name: "Empfang" }) } },
  { name: "password", state: { ...base, section: "own", dialog: dialog("password"), capsLock: true, shown: true } },
  { name: "password-wrong", state: { ...base, section: "own", dialog: dialog("password"), trouble: trouble("own.wrong", "password") } },
  { name: "password-busy", state: { ...base, section: "own", dialog: dialog("password"), busy: true } },
  { name: "recovery", state: { ...base, section: "own", dialog: dialog("recovery") } },
  { name: "recovery-shown", state: { ...base, section: "own", dialog: dialog("recoveryShown", { secret: "K7QF-3XM2-9TDA-0B4C-8WNH-5ZRE-1JPV-6SYG" }) } },
  { name: "passkey", state: { ...base, section: "own", dialog: dialog("passkey") } },
  { name: "passkey-refused", state: { ...base, section: "own", dialog: dialog("passkey"), trouble: trouble("own.passkeyRefused") } },
  { name: "remove-passkey", state: { ...base, section: "own", dialog: dialog("removePasskey", { id: "k1", name: "Laptop am Empfang" }) } },
  { name: "token", state: { ...base, section: "software", dialog: dialog("token") } },
  { name: "token-shown", state: { ...base, section: "software", dialog: dialog("tokenShown", { name: "Praxisprogramm", secret: "AAECAwQFBgcICQoLDA0ODwAECAwQFBgcICQoLDA0OA" }) } },
  { name: "remove-token", state: { ...base, section: "software", dialog: dialog("removeToken", { id: "t1", name: "Praxisprogramm" }) } },
  { name: "delete", state: { ...base, section: "data", dialog: dialog("deletePractice") } },
  { name: "delete-odd", state: { ...base, section: "data", dialog: dialog("deletePractice"), trouble: trouble("data.deleteOdd", "practice") } },
];
