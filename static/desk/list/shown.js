/**
 * Which consultations are to be seen, in which order, and how many a week's days have: pure, out of the state. With ten
 * thousand of them each answer is kept until what it is made of changes.
 */

import { matcher } from "./search.js";
import { dayOf, momentOf, plusDays } from "./zone.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {{ kind: "day", day: string, id: string } | { kind: "entry", entry: Entry, id: string }} Row */

/** @param {State} state */
export function today({ practice, now }) {
  return dayOf(practice.timeZone, now);
}

/** Whether it lies in the past of the list: over, and nobody is in it or waits. @param {State} state @param {Entry} entry */
export function isPast(state, entry) {
  if (entry.end > midnight(state)) return false;
  const { id } = entry.desk;
  return !isOn(state, id) && !state.waiting.some(({ consultation }) => consultation === id);
}

/** Whether somebody is in it. @param {State} state @param {string} id */
export function isOn({ calls }, id) {
  return (calls[id] ?? []).length > 0;
}

/** All by their start. @type {(entries: State["entries"]) => Entry[]} */
export const inOrder = kept((entries) => [...entries.values()].sort((a, b) => a.start - b.start || (a.desk.id < b.desk.id ? -1 : 1)));

/** How many each day has; what is cancelled does not count. @type {(entries: State["entries"]) => Map<string, number>} */
const byDay = kept((entries) => {
  const counts = new Map();
  for (const { day, desk } of entries.values()) {
    if (desk.state !== "revoked") counts.set(day, (counts.get(day) ?? 0) + 1);
  }
  return counts;
});

/**
 * The strip's seven days. Of days that are over nothing is known until the past was loaded.
 * @param {State} state
 * @returns {{ day: string, count: number | null, today: boolean, chosen: boolean }[]}
 */
export function weekOf(state) {
  const now = today(state);
  const counts = byDay(state.entries);
  return [...Array(7).keys()].map((ahead) => {
    const day = plusDays(state.week, ahead);
    const known = day >= now || state.loaded.past;
    return { day, count: known ? counts.get(day) ?? 0 : null, today: day === now, chosen: day === state.day };
  });
}

/** What the list shows, with a heading for each day. @param {State} state @returns {Row[]} */
export function rowsOf(state) {
  const { past, query, day, entries, waiting, calls } = state;
  return rows(entries, past, query, day, today(state), waiting, calls, state);
}

/** How many consultations are in them. @param {Row[]} rows */
export function countOf(rows) {
  return rows.reduce((sum, { kind }) => sum + (kind === "entry" ? 1 : 0), 0);
}

const rows = kept((
  /** @type {State["entries"]} */ entries,
  /** @type {boolean} */ past,
  /** @type {string} */ query,
  /** @type {string | null} */ day,
  /** @type {string} */ _today,
  /** @type {State["waiting"]} */ _waiting,
  /** @type {State["calls"]} */ _calls,
  /** @type {State} */ state,
) => {
  const matches = matcher(query);
  const found = inOrder(entries).filter((entry) =>
    (day ? entry.day === day : isPast(state, entry) === past) && matches(entry.text));
  if (past && !day) found.reverse();
  /** @type {Row[]} */
  const list = [];
  let last = "";
  for (const entry of found) {
    if (entry.day !== last) list.push({ kind: "day", day: entry.day, id: entry.day });
    last = entry.day;
    list.push({ kind: "entry", entry, id: entry.desk.id });
  }
  return list;
}, 7);

/** When today began. @param {State} state */
function midnight(state) {
  return midnightOf(state.practice.timeZone, today(state));
}

const midnightOf = kept((/** @type {string} */ zone, /** @type {string} */ day) => momentOf(zone, day, "00:00").at);

/**
 * The same answer as long as the arguments are the same.
 * @template {any[]} A
 * @template R
 * @param {(...args: A) => R} make
 * @param {number} [counted]  so many of the arguments decide
 * @returns {(...args: A) => R}
 */
function kept(make, counted) {
  let last = /** @type {A | null} */ (null);
  let answer = /** @type {R} */ (undefined);
  return (...args) => {
    const same = last?.slice(0, counted).every((value, at) => value === args[at]);
    if (!same) answer = make(...args);
    last = args;
    return answer;
  };
}
