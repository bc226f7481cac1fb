/**
 * Every screen and every trouble of the list, the detail and the form by name, each with a sample state, so that tests can
 * draw and check each one (`render(state, words)` needs no server). The page itself never loads this file.
 */

import { noFacts } from "./draft.js";
import { initialState, reduce } from "./state.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Desk} Desk */
/** @typedef {import("./types.js").Facts} Facts */

/** Half past nine in Berlin, a Wednesday. */
const NOW = Date.parse("2026-11-25T08:30:00Z");
const HOUR_MS = 3_600_000;
const practice = { id: "p", short: "markt", name: "Praxis am Markt", phone: "030 1234567", timeZone: "Europe/Berlin" };

/** @param {string} id @param {string} startsAt @param {Partial<Desk>} [other] @returns {Desk} */
function desk(id, startsAt, other = {}) {
  const start = Date.parse(startsAt);
  return {
    id,
    startsAt,
    opensAt: new Date(start - HOUR_MS / 2).toISOString(),
    expiresAt: new Date(start + 24 * HOUR_MS).toISOString(),
    durationMinutes: 20,
    state: "planned",
    relayedOnly: false,
    language: "de",
    sealed: "1.sample",
    revision: 1,
    sequence: 0,
    createdBy: "weber",
    seats: [{ seat: 1, role: "doctor" }, { seat: 2, role: "patient" }],
    readiness: null,
    ...other,
  };
}

/** @param {Partial<Facts>} other @returns {Facts} */
function facts(other) {
  return { ...noFacts(), secret: "AAECAwQFBgcICQoLDA0ODw", codes: { 2: "K7QF3XM29TDA", 3: "M4RC8WJ5PZ2X" }, ...other };
}

/** @param {"green" | "yellow" | "red"} verdict @param {Partial<NonNullable<Desk["readiness"]>>} [other] */
function ready(verdict, other = {}) {
  return { readiness: { verdict, camera: /** @type {const} */ ("ok"), microphone: /** @type {const} */ ("ok"), relay: /** @type {const} */ ("ok"), at: "2026-11-24T17:12:00Z", ...other } };
}

const guests = [{ seat: 1, role: /** @type {const} */ ("doctor") }, { seat: 2, role: /** @type {const} */ ("patient") }, { seat: 3, role: /** @type {const} */ ("guest") }];

const crowd = [...guests, { seat: 4, role: /** @type {const} */ ("guest") }];

/** @type {[Desk, Facts | null][]} */
const CONSULTATIONS = [
  [desk("a", "2026-11-25T07:40:00Z", { state: "open", ...ready("green") }), facts({ name: "Jürgen Muster", title: "Befund" })],
  [desk("b", "2026-11-25T08:20:00Z", { state: "open", ...ready("green") }), facts({ name: "Maria Beispiel", title: "Kontrolle", phone: "+49 171 2345678", email: "maria@example.org", note: "Bringt die Werte der letzten Woche mit.\nBitte an das Rezept denken." })],
  [desk("c", "2026-11-25T08:40:00Z", { state: "open", seats: guests, ...ready("yellow", { camera: "failed" }) }), facts({ name: "Amira Haddad", title: "Erstgespräch", phone: "030 7654321", labels: { 3: "Dolmetscherin" } })],
  [desk("d", "2026-11-25T09:20:00Z", { ...ready("red", { microphone: "missing", relay: "failed" }) }), facts({ name: "Friedrich-Wilhelm Oberbergmüller-Schachtschneider", title: "Besprechung der Ergebnisse aus dem Labor" })],
  [desk("e", "2026-11-25T10:00:00Z", { state: "revoked" }), facts({ name: "Thomas Vogt", title: "Nachsorge" })],
  [desk("f", "2026-11-25T11:00:00Z", ready("red", { camera: "missing", microphone: "failed", relay: "missing" })), facts({ name: "Elif Yılmaz", phone: "030 5551234", telephone: true })],
  [desk("g", "2026-11-26T08:00:00Z", { createdBy: null, sealed: null }), null],
  [desk("h", "2026-11-26T09:00:00Z", { sealed: "7.sample", relayedOnly: true }), null],
  [desk("i", "2026-11-30T09:00:00Z", { language: "en" }), facts({ name: "", title: "Interview" })],
];
const PAST = [desk("y", "2026-11-24T09:00:00Z", { state: "expired", seats: crowd }), desk("z", "2026-11-20T14:00:00Z", { state: "expired" })];

const opening = reduce(initialState(), { type: "set", change: { now: NOW, practice: { ...practice, name: "" } } });
const session = { practice, user: { short: "weber", role: "doctor" }, mail: true };
const empty = walk(opening, { type: "session", session, now: NOW }, page([]), { type: "live", live: "up" });
const full = walk(empty, page(CONSULTATIONS.map(([one]) => one)), {
  type: "opened",
  records: CONSULTATIONS.flatMap(([{ id, sealed }, known]) => (sealed ? { id, sealed, facts: known } : [])),
});
const knocks = [
  { type: "waiting", consultation: "b", knock: "k1", seat: 2, role: "patient", since: "2026-11-25T08:26:00Z" },
  { type: "waiting", consultation: "c", knock: "k2", seat: 3, role: "guest", since: "2026-11-25T08:29:50Z" },
];
const waiting = walk(full, ...knocks);
const past = walk(full, { type: "page", consultations: PAST, past: true, last: true, ids: ["y", "z"] }, { type: "past", on: true }, { type: "opened", records: [{ id: "y", sealed: "1.sample", facts: facts({ name: "Hanna Sommer", title: "Kontrolle", labels: { 3: "Tochter", 4: "Kollege" } }) }] });
const planning = walk(full, { type: "plan" }, { type: "go", screen: "plan" });
const changing = walk(full, { type: "change", id: "b" }, { type: "go", screen: "plan", id: "b" });
const stale = walk(
  typed(changing, { note: "Meine Notiz", time: "09:40" }),
  { type: "stored", desk: desk("b", "2026-11-25T09:00:00Z", { revision: 2, language: "en" }), facts: facts({ name: "Maria Beispiel-Neu", note: "Notiz einer Kollegin" }) },
  { type: "stale", id: "b" },
);

/** @type {{ name: string, state: State }[]} */
export const STATES = [
  { name: "opening", state: opening },
  { name: "trouble", state: walk(opening, { type: "set", change: { screen: "trouble", problem: { key: "trouble.network", values: {} } } }) },
  { name: "trouble-vault", state: walk(empty, { type: "set", change: { screen: "trouble", problem: { key: "list.vault.text", values: {} } } }) },
  { name: "list", state: full },
  { name: "list-empty", state: empty },
  { name: "list-loading", state: walk(opening, { type: "session", session, now: NOW }, { type: "page", consultations: CONSULTATIONS.map(([one]) => one), past: false, last: false, ids: [] }) },
  { name: "list-waiting", state: waiting },
  { name: "list-waiting-long", state: walk(full, { ...knocks[0], since: "2026-11-25T07:13:00Z" }, { ...knocks[1], consultation: "h", seat: 2, role: "patient", since: "2026-11-25T08:29:00Z" }) },
  { name: "list-in-call", state: walk(waiting, { type: "entered", id: "a" }, { type: "call", consultation: "a", seats: [1, 2] }) },
  { name: "list-room", state: walk(full, { type: "call", consultation: "b", seats: [1] }) },
  { name: "list-staff", state: { ...waiting, user: { short: "klein", role: "staff" } } },
  { name: "list-started", state: walk(waiting, { type: "entered", id: "b" }) },
  { name: "list-started-nameless", state: walk(waiting, { type: "entered", id: "i" }) },
  { name: "list-starting", state: { ...waiting, busy: "start b" } },
  { name: "list-search", state: walk(full, { type: "search", query: "maria" }) },
  { name: "list-search-nothing", state: walk(full, { type: "search", query: "Zacharias" }) },
  { name: "list-day", state: walk(full, { type: "day", day: "2026-11-26" }) },
  { name: "list-day-nothing", state: walk(full, { type: "day", day: "2026-11-27" }) },
  { name: "list-week-after", state: walk(full, { type: "week", by: 1 }) },
  { name: "list-past", state: past },
  { name: "list-past-empty", state: walk(full, { type: "page", consultations: [], past: true, last: true, ids: [] }, { type: "past", on: true }) },
  { name: "list-down", state: walk(full, { type: "live", live: "down" }) },
  { name: "list-hushed", state: { ...full, hushed: true } },
  { name: "list-silent", state: { ...waiting, sound: false } },
  { name: "list-unsaved", state: walk(full, { type: "unsaved", id: "b" }) },
  { name: "list-unsaved-many", state: walk(full, { type: "unsaved", id: "b" }, { type: "unsaved", id: "c" }) },
  { name: "list-failed", state: walk(full, { type: "failed", key: "trouble.network" }) },
  { name: "list-gone", state: walk(full, { type: "go", screen: "detail", id: "b" }, { type: "gone", id: "b" }) },
  { name: "detail", state: at("b") },
  { name: "detail-waiting", state: walk(waiting, { type: "go", screen: "detail", id: "b" }) },
  { name: "detail-fresh", state: walk(full, { type: "go", screen: "detail", id: "i", fresh: true }) },
  { name: "detail-guest", state: at("c") },
  { name: "detail-red", state: at("d") },
  { name: "detail-telephone", state: at("f") },
  { name: "detail-telephone-nameless", state: walk(full, { type: "stored", desk: desk("d", "2026-11-25T09:20:00Z"), facts: facts({ name: "Anna", telephone: true }) }, { type: "go", screen: "detail", id: "d" }) },
  { name: "detail-cancelled", state: at("e") },
  { name: "detail-api", state: at("g") },
  { name: "detail-locked", state: at("h") },
  { name: "detail-unsaved", state: walk(at("b"), { type: "unsaved", id: "b" }) },
  { name: "detail-staff", state: { ...at("b"), user: { short: "klein", role: "staff" } } },
  { name: "detail-full", state: walk(at("c"), { type: "failed", key: "detail.full" }) },
  { name: "detail-is-cancelled", state: walk(at("b"), { type: "failed", key: "detail.isCancelled" }) },
  { name: "detail-is-over", state: walk(at("b"), { type: "failed", key: "detail.isOver" }) },
  { name: "detail-only-seat", state: walk(at("c"), { type: "failed", key: "detail.onlySeat" }) },
  { name: "detail-elsewhere", state: { ...at("b"), practice: { ...practice, timeZone: "America/New_York" } } },
  { name: "detail-past", state: walk(past, { type: "go", screen: "detail", id: "y" }) },
  ...["created", "changed", "moved", "added", "removed", "reissued", "cancelled", "deleted"].map((key) => ({ name: `told-${key}`, state: walk(at("b"), { type: "notice", key: `detail.${key}` }) })),
  ...["cancel", "delete", "reissue", "remove"].map((dialog) => ({ name: `dialog-${dialog}`, state: walk(at("c"), { type: "dialog", dialog, seat: 3 }) })),
  { name: "plan", state: planning },
  { name: "plan-filled", state: typed(planning, { name: "Maria Beispiel", title: "Kontrolle", guests: "Dolmetscherin\nTochter", relayedOnly: true, language: "en" }) },
  { name: "plan-saving", state: { ...planning, busy: "save" } },
  { name: "plan-past", state: typed(planning, { date: "2026-11-24", time: "09:00" }) },
  { name: "plan-overlap", state: typed(planning, { time: "09:30", duration: "120" }) },
  { name: "plan-overlap-many", state: typed(planning, { time: "08:00", duration: "480" }) },
  { name: "plan-overlap-nameless", state: typed(planning, { date: "2026-11-26", time: "09:00" }) },
  { name: "plan-skipped", state: typed(planning, { date: "2027-03-28", time: "02:30" }) },
  { name: "plan-twice", state: typed(planning, { date: "2027-10-31", time: "02:30" }) },
  { name: "plan-elsewhere", state: { ...planning, practice: { ...practice, timeZone: "America/New_York" } } },
  ...["date", "time", "duration", "email", "guests"].map((field) => ({ name: `plan-problem-${field}`, state: walk(planning, { type: "misread", field }) })),
  { name: "plan-change", state: changing },
  { name: "plan-stale", state: stale },
  { name: "plan-locked", state: walk(full, { type: "change", id: "h" }, { type: "go", screen: "plan", id: "h" }) },
  { name: "plan-failed", state: walk(planning, { type: "failed", key: "trouble.server" }) },
  { name: "plan-no-space", state: walk(planning, { type: "failed", key: "trouble.noSpace" }) },
];

/** @param {string} id */
function at(id) {
  return walk(full, { type: "go", screen: "detail", id });
}

/** @param {Desk[]} consultations */
function page(consultations) {
  return { type: "page", consultations, past: false, last: true, ids: consultations.map(({ id }) => id) };
}

/** @param {State} state @param {object} values */
function typed(state, values) {
  return Object.entries(values).reduce((so, [field, value]) => walk(so, { type: "typed", field, value }), state);
}

/** @param {State} state @param {Action[]} actions */
function walk(state, ...actions) {
  return actions.reduce(reduce, state);
}
