/**
 * The form's values: out of a consultation and into requests, what must be mended before it is sent, and what is worth a
 * warning. Pure.
 */

import { inOrder } from "./shown.js";
import { clockOf, dayOf, momentOf } from "./zone.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Values} Values */
/** @typedef {import("./types.js").Field} Field */
/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./types.js").Desk} Desk */

const MINUTE_MS = 60_000;
/** A plan begins at the next of these. */
const GRID_MS = 5 * MINUTE_MS;
export const DURATION = { least: 5, most: 480, usual: 20 };
/** Doctor and patient have the first two of nine. */
export const GUESTS_MOST = 7;
const NAMED = 3;

/** What the sealed record says. @type {(keyof Values & keyof Facts)[]} */
const SEALED = ["name", "title", "phone", "email", "note"];

/** @returns {Facts} */
export function noFacts() {
  return { title: "", name: "", phone: "", email: "", note: "", secret: null, codes: {}, labels: {}, telephone: false };
}

/** A new consultation: at the next five minutes, or on a chosen day. @param {State} state @returns {Values} */
export function blank({ practice, now, day }) {
  const next = Math.ceil((now + MINUTE_MS) / GRID_MS) * GRID_MS;
  const { timeZone } = practice;
  const other = day !== null && day > dayOf(timeZone, next);
  return {
    date: other ? String(day) : dayOf(timeZone, next),
    time: other ? "" : clockOf(timeZone, next),
    duration: String(DURATION.usual),
    name: "",
    title: "",
    phone: "",
    email: "",
    language: "de",
    note: "",
    guests: "",
    relayedOnly: false,
  };
}

/** @param {Pick<Entry, "desk" | "facts">} entry @param {string} zone @returns {Values} */
export function valuesOf({ desk, facts }, zone) {
  const { name, title, phone, email, note, labels } = facts ?? noFacts();
  const guests = desk.seats.filter(({ role }) => role === "guest").map(({ seat }) => labels[seat] ?? "");
  return {
    date: dayOf(zone, Date.parse(desk.startsAt)),
    time: clockOf(zone, Date.parse(desk.startsAt)),
    duration: String(desk.durationMinutes),
    name,
    title,
    phone,
    email,
    language: desk.language,
    note,
    guests: guests.join("\n"),
    relayedOnly: desk.relayedOnly,
  };
}

/** The same again for another day. @param {Entry} entry @param {State} state @returns {Values} */
export function copyOf(entry, state) {
  const { date } = blank(state);
  return { ...valuesOf(entry, state.practice.timeZone), date };
}

/** The first field that cannot be understood. @param {Values} values @returns {Field | null} */
export function problemOf({ date, time, duration, email, guests }) {
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) return "date";
  if (!/^\d\d:\d\d$/.test(time)) return "time";
  const minutes = Number(duration);
  if (!Number.isInteger(minutes) || minutes < DURATION.least || minutes > DURATION.most) return "duration";
  if (email.trim() && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email.trim())) return "email";
  return labelsOf(guests).length > GUESTS_MOST ? "guests" : null;
}

/** One guest in each line. @param {string} guests */
export function labelsOf(guests) {
  return guests.split("\n").map((label) => label.trim()).filter(Boolean);
}

/** What is asked of the server for a new one; who it is about stays here. @param {Values} values */
export function planOf(values) {
  return {
    startsAt: localOf(values),
    durationMinutes: Number(values.duration),
    language: values.language,
    seats: ["doctor", "patient", ...labelsOf(values.guests).map(() => "guest")],
    relayedOnly: values.relayedOnly,
  };
}

/**
 * What is asked of the server for a change: what is as it was is not said, so that a start in the second of two equal
 * hours stays there.
 * @param {Values} values
 * @param {Desk} desk
 * @param {string} zone
 */
export function changeOf(values, desk, zone) {
  const { date, time, duration, language } = valuesOf({ desk, facts: null }, zone);
  return {
    ...(date === values.date && time === values.time ? {} : { startsAt: localOf(values) }),
    ...(duration === values.duration ? {} : { durationMinutes: Number(values.duration) }),
    ...(language === values.language ? {} : { language: values.language }),
  };
}

/** The record with what the form says. @param {Facts} facts @param {Partial<Values>} values @returns {Facts} */
export function factsOf(facts, values) {
  return { ...facts, ...Object.fromEntries(SEALED.map((field) => [field, String(values[field] ?? "").trim()])) };
}

/**
 * Somebody else has changed the consultation meanwhile: what was typed stays, what was not touched follows.
 * @param {{ base: Values, values: Values }} draft
 * @param {Values} theirs
 * @returns {{ values: Values, changed: Field[] }}
 */
export function merged({ base, values }, theirs) {
  const fields = /** @type {Field[]} */ (Object.keys(theirs));
  const changed = fields.filter((field) => theirs[field] !== base[field]);
  const untouched = changed.filter((field) => values[field] === base[field]);
  return { values: { ...values, ...Object.fromEntries(untouched.map((field) => [field, theirs[field]])) }, changed };
}

/**
 * What the practice should know of the time, and may well want (warns, never forbids).
 * @param {State} state
 * @returns {{ key: string, values: Record<string, string> }[]}
 */
export function doubtsOf(state) {
  const { draft, practice, entries, now } = state;
  if (!draft || ["date", "time", "duration"].includes(problemOf(draft.values) ?? "")) return [];
  const { date, time, duration } = draft.values;
  const { at, kind } = momentOf(practice.timeZone, date, time);
  const doubts = [];
  if (kind === "skipped") doubts.push({ key: "plan.skipped", values: { time, then: clockOf(practice.timeZone, at) } });
  if (kind === "twice") doubts.push({ key: "plan.twice", values: { time } });
  const until = at + Number(duration) * MINUTE_MS;
  if (until <= now) doubts.push({ key: "plan.past", values: {} });
  const others = overlapping(entries, at, until, draft.id);
  for (const entry of others.slice(0, NAMED)) {
    const clock = clockOf(practice.timeZone, entry.start);
    doubts.push({ key: entry.facts?.name ? "plan.overlap" : "plan.overlapNameless", values: { time: clock, name: entry.facts?.name ?? "" } });
  }
  if (others.length > NAMED) doubts.push({ key: "plan.overlapMore", values: { count: String(others.length - NAMED) } });
  return doubts;
}

/**
 * @param {State["entries"]} entries
 * @param {number} from
 * @param {number} until
 * @param {string | null} self  the consultation itself does not count
 */
export function overlapping(entries, from, until, self) {
  return inOrder(entries).filter((entry) =>
    entry.desk.id !== self && entry.desk.state !== "revoked" && entry.start < until && entry.end > from);
}

/** @param {Values} values */
function localOf({ date, time }) {
  return `${date}T${time}:00`;
}
