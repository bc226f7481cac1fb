/** Draws the list: who waits, the week, the search and the rows. */

import { say } from "../../shared/say.js";
import { all, clone, el, input, keyed, part, put } from "../../shared/dom.js";
import { consults } from "../roles.js";
import { Roll } from "./roll.js";
import { countOf, rowsOf, weekOf } from "./shown.js";
import { queue } from "./state.js";
import { dateOf, dayLabel, dayTitle, foundText, marksOf, nameOf, quietText, waitsFor, waitsText, weekTitle } from "./words-of.js";
import { clockOf } from "./zone.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./types.js").Words} Words */
/** @typedef {import("./words-of.js").Mark} Mark */

/** What rows are drawn by: the roll asks for them when it is scrolled, too. @type {{ state: State, words: Words }} */
let shown;
const roll = new Roll(el.rows, {
  heading: () => document.createElement("h2"),
  item: () => clone("visit"),
  draw: (element, row) => (row.kind === "day" ? put(element, dayTitle(row.day, shown.state, shown.words)) : drawVisit(element, row.entry)),
});

/** @param {State} state @param {Words} words */
export function drawList(state, words) {
  shown = { state, words };
  drawWeek(state, words);
  const { query, past, day, sound, loaded, hushed } = state;
  if (input("search").value !== query) input("search").value = query;
  input("past").checked = past;
  input("sound").checked = sound;
  el.hushed.hidden = !(sound && hushed);
  busyButton(el.now, state.busy === "now");
  const rows = rowsOf(state);
  const count = countOf(rows);
  const whole = past ? loaded.past : loaded.coming;
  put(el.found, [(query || day || past) && count > 0 && foundText(count, words), (!whole || state.opening) && words["list.loading"]].filter(Boolean).join(" "));
  el.empty.hidden = count > 0 || !whole;
  put(el["empty-text"], words[query ? "list.empty.search" : day ? "list.empty.day" : past ? "list.empty.past" : "list.empty"]);
  el["empty-past"].hidden = !query || past;
  el["empty-days"].hidden = !day;
  roll.show(rows);
}

/** Who waits, above everything. @param {State} state @param {Words} words */
export function drawDoor(state, words) {
  el.door.hidden = state.waiting.length === 0;
  keyed(el.queue, queue(state), "knock", "waiting", (item, waiting) => {
    const { consultation } = waiting;
    put(part(item, "text"), waitsText(state, waiting, words));
    put(part(item, "about"), waitsFor(state, waiting, words));
    const entry = state.entries.get(consultation);
    const open = /** @type {HTMLAnchorElement} */ (part(item, "open"));
    open.hidden = !entry || state.current === consultation;
    put(open, !open.hidden && words["list.open"]);
    open.href = `#consultation=${consultation}`;
    if (entry) open.setAttribute("aria-label", say(words, "list.openFor", { name: nameOf(entry, words) }));
    drawStart(/** @type {HTMLElement} */ (item.querySelector("[data-do=start]")), consultation, state, words, true);
  });
  put(el["door-quiet"], quietText(state, words));
}

/** @param {HTMLElement} item @param {Entry} entry */
function drawVisit(item, entry) {
  const { state, words } = shown;
  const { desk, facts, lock, end } = entry;
  const { timeZone } = state.practice;
  const revoked = desk.state === "revoked";
  /** @type {HTMLAnchorElement} */ (item.querySelector(".open")).href = `#consultation=${desk.id}`;
  put(part(item, "time"), clockOf(timeZone, entry.start));
  put(part(item, "minutes"), say(words, "list.minutes", { count: String(desk.durationMinutes) }));
  put(part(item, "name"), nameOf(entry, words));
  put(part(item, "title"), facts?.title);
  item.querySelector(".whom")?.toggleAttribute("data-locked", lock !== "open" || !facts?.name);
  item.toggleAttribute("data-revoked", revoked);
  item.toggleAttribute("data-faint", revoked || end <= state.now);
  item.toggleAttribute("data-waits", state.waiting.some(({ consultation }) => consultation === desk.id));
  drawMarks(part(item, "marks"), marksOf(entry, state, words));
  const ready = Date.parse(desk.opensAt) <= state.now && Date.parse(desk.expiresAt) > state.now && !revoked && end > state.now - LATE_MS;
  const start = /** @type {HTMLElement} */ (item.querySelector("[data-do=start]"));
  drawStart(start, desk.id, state, words, ready);
  item.toggleAttribute("data-starts", !start.hidden);
}

/** So long after its end a consultation may still be started from the list. */
const LATE_MS = 60 * 60_000;

/**
 * Only doctors start (R09).
 * @param {HTMLElement} button
 * @param {string} id
 * @param {State} state
 * @param {Words} words
 * @param {boolean} ready
 */
export function drawStart(button, id, state, words, ready) {
  const entry = state.entries.get(id);
  button.hidden = !entry || !ready || !consults(state.user.role);
  if (!entry || button.hidden) return;
  button.dataset.id = id;
  const busy = state.busy === `start ${id}`;
  const text = words[busy ? "list.starting" : "list.start"];
  put(/** @type {HTMLElement | null} */ (button.querySelector("[data-part=text]")) ?? button, text);
  button.setAttribute("aria-label", say(words, "list.startFor", { start: text, name: nameOf(entry, words) }));
  busyButton(button, busy);
}

/** @param {HTMLElement} button @param {boolean} busy */
export function busyButton(button, busy) {
  if (busy) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}

/** @param {HTMLElement} place @param {Mark[]} marks */
export function drawMarks(place, marks) {
  keyed(place, marks, "id", "mark", (badge, { text, tone, icon }) => {
    badge.dataset.tone = tone;
    badge.querySelector("use")?.setAttribute("href", `#${icon}`);
    put(part(badge, "text"), text);
  });
}

/** @param {State} state @param {Words} words */
function drawWeek(state, words) {
  const days = weekOf(state);
  put(el["week-title"], weekTitle(state.week, words));
  el["this-week"].hidden = days.some(({ today }) => today);
  keyed(el.days, days, "day", "day", (item, day) => {
    const button = /** @type {HTMLElement} */ (item.querySelector("button"));
    put(part(item, "weekday"), dateOf(day.day, words, { weekday: "short" }));
    put(part(item, "date"), dateOf(day.day, words, { day: "numeric" }).replace(/\D/g, ""));
    part(item, "count").textContent = day.count ? String(day.count) : day.count === 0 ? "–" : "";
    put(part(item, "label"), dayLabel(day, words));
    button.setAttribute("aria-pressed", String(day.chosen));
    if (day.today) button.setAttribute("aria-current", "date");
    else button.removeAttribute("aria-current");
    button.toggleAttribute("data-busy", Boolean(day.count));
  });
}

/** Labels of fields that may stay empty. @param {Words} words */
export function labelOptional(words) {
  for (const label of all("[data-optional]")) put(label, say(words, "plan.optional", { label: words[label.dataset.optional ?? ""] }));
}
