/** What the desk knows, put into words: pure, out of the catalogue `words/list`. */

import { say } from "../../shared/say.js";
import { isOn, today } from "./shown.js";
import { inCall, waitingName } from "./state.js";
import { clockOf, dayOf, plusDays } from "./zone.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./types.js").Waiting} Waiting */
/** @typedef {import("./types.js").Words} Words */
/** @typedef {{ id: string, text: string, tone: "good" | "wait" | "stop" | "calm" | "", icon: string }} Mark */

const MINUTE_MS = 60_000;
const VERDICTS = /** @type {const} */ ({
  green: { tone: "good", icon: "i-good" },
  yellow: { tone: "wait", icon: "i-warning" },
  red: { tone: "stop", icon: "i-bad" },
});
const PARTS = /** @type {const} */ (["camera", "microphone", "relay"]);

/** Intl's formats take long to make. @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {Entry} entry @param {Words} words */
export function nameOf({ desk, facts, lock }, words) {
  if (lock === "sealed") return words["list.opens"];
  if (lock === "locked") return words["list.locked"];
  return facts?.name || words[desk.createdBy === null ? "list.byApi" : "list.nameless"];
}

/** @param {State} state @param {Words} words */
export function titleOf(state, words) {
  const { waiting, screen } = state;
  const title = words[screen === "plan" ? (state.draft?.id ? "plan.titleChange" : "plan.title") : "list.title"];
  return waiting.length > 0 ? say(words, "list.titleWaiting", { count: String(waiting.length) }) : title;
}

/** Heute, Morgen, or the weekday; always with the date. @param {string} day @param {State} state @param {Words} words */
export function dayTitle(day, state, words) {
  const now = today(state);
  const name = { [now]: "list.today", [plusDays(now, 1)]: "list.tomorrow", [plusDays(now, -1)]: "list.yesterday" }[day];
  const date = dateOf(day, words, { weekday: "long", day: "numeric", month: "long", ...(day.slice(0, 4) === now.slice(0, 4) ? {} : { year: "numeric" }) });
  return name ? say(words, "list.dayNamed", { name: words[name], date }) : date;
}

/** @param {string} day @param {Words} words @param {Intl.DateTimeFormatOptions} options */
export function dateOf(day, words, options) {
  return format(words.locale, { ...options, timeZone: "UTC" }).format(Date.parse(`${day}T12:00:00Z`));
}

/** The strip's seven days. @param {string} monday @param {Words} words */
export function weekTitle(monday, words) {
  const from = Date.parse(`${monday}T12:00:00Z`);
  return format(words.locale, { day: "numeric", month: "long", timeZone: "UTC" }).formatRange(from, from + 6 * 24 * 60 * MINUTE_MS);
}

/** @param {{ day: string, count: number | null }} day @param {Words} words */
export function dayLabel({ day, count }, words) {
  const date = dateOf(day, words, { weekday: "long", day: "numeric", month: "long" });
  if (count === null) return say(words, "list.week.dayUnknown", { date });
  const counted = say(words, `list.week.${count === 0 ? "none" : count === 1 ? "one" : "count"}`, { count: String(count) });
  return say(words, "list.week.day", { date, count: counted });
}

/** @param {number} count @param {Words} words */
export function foundText(count, words) {
  return say(words, `list.found.${count === 1 ? "one" : "many"}`, { count: count.toLocaleString(words.locale) });
}

/** Day and time in the practice's zone, and by this browser's clock where that differs. @param {Entry} entry @param {State} state @param {Words} words */
export function whenOf({ day, start, end }, state, words) {
  const { timeZone } = state.practice;
  const there = `${dayTitle(day, state, words)}, ${say(words, "list.fromTo", { from: clockOf(timeZone, start), to: clockOf(timeZone, end) })}`;
  const here = format(words.locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(start);
  return here === clockOf(timeZone, start) ? there : say(words, "list.elsewhere", { there, here });
}

/** @param {string} iso @param {State} state @param {Words} words */
export function momentOf(iso, state, words) {
  const { timeZone } = state.practice;
  const at = Date.parse(iso);
  const day = dayOf(timeZone, at);
  const date = day === today(state) ? words["list.today"] : dateOf(day, words, { weekday: "short", day: "numeric", month: "long" });
  return `${date}, ${say(words, "list.clock", { time: clockOf(timeZone, at) })}`;
}

/** @param {State} state @param {Waiting} waiting @param {Words} words */
export function waitsText(state, waiting, words) {
  return say(words, "list.waits", { name: visitorOf(state, waiting, words), since: sinceOf(state, waiting, words) });
}

/** Which appointment somebody waits for. @param {State} state @param {Waiting} waiting @param {Words} words */
export function waitsFor(state, { consultation, role, seat }, words) {
  const entry = state.entries.get(consultation);
  if (!entry) return "";
  const time = clockOf(state.practice.timeZone, entry.start);
  const far = entry.day !== today(state);
  const appointment = say(words, far ? "list.appointmentOn" : "list.appointment", { time, day: far ? dayTitle(entry.day, state, words) : "" });
  const who = role === "guest" && entry.facts?.labels[seat] ? entry.facts.name : "";
  return [appointment, who, entry.facts?.title].filter(Boolean).join(" · ");
}

/** @param {State} state @param {Waiting} waiting @param {Words} words */
function visitorOf(state, waiting, words) {
  return waitingName(state, waiting) ?? words[waiting.role === "guest" ? "list.visitor.guest" : "list.somebody"];
}

/** @param {State} state @param {Waiting} waiting @param {Words} words */
function sinceOf({ now }, { since }, words) {
  const minutes = Math.max(0, Math.floor((now - Date.parse(since)) / MINUTE_MS));
  if (minutes === 0) return words["list.since.now"];
  if (minutes === 1) return words["list.since.one"];
  if (minutes < 60) return say(words, "list.since.minutes", { count: String(minutes) });
  return say(words, "list.since.hours", { hours: String(Math.floor(minutes / 60)), minutes: String(minutes % 60) });
}

/** Why no knock is heard just now. @param {State} state @param {Words} words */
export function quietText(state, words) {
  return state.waiting.length > 0 && state.sound && inCall(state) ? words["list.quiet"] : null;
}

/** What is special about a consultation: what is going on first. @param {Entry} entry @param {State} state @param {Words} words @returns {Mark[]} */
export function marksOf({ desk, facts, end }, state, words) {
  const { id, readiness, seats } = desk;
  const revoked = desk.state === "revoked";
  const on = isOn(state, id);
  const over = !revoked && !on && end <= state.now;
  const guests = seats.filter(({ role }) => role === "guest").length;
  /** @type {(Mark | false)[]} */
  const marks = [
    state.waiting.some(({ consultation }) => consultation === id) && { id: "waiting", text: words["list.mark.waiting"], tone: "wait", icon: "i-door" },
    on && { id: "on", text: words[state.calls[id].length > 1 ? "list.mark.on" : "list.mark.one"], tone: "calm", icon: "i-speaking" },
    revoked && { id: "revoked", text: words["list.mark.revoked"], tone: "stop", icon: "i-bad" },
    state.unsaved.includes(id) && { id: "unsaved", text: words["list.mark.unsaved"], tone: "wait", icon: "i-warning" },
    over && { id: "over", text: words["list.mark.over"], tone: "", icon: "i-clock" },
    Boolean(facts?.telephone) && !revoked && { id: "telephone", text: words["list.mark.telephone"], tone: "calm", icon: "i-phone" },
    readiness !== null && !facts?.telephone && !revoked && !over && { id: "ready", text: words[`list.ready.${readiness.verdict}`], ...VERDICTS[readiness.verdict] },
    guests > 0 && { id: "guests", text: say(words, `list.guests.${guests === 1 ? "one" : "many"}`, { count: String(guests) }), tone: "", icon: "i-person" },
  ];
  return marks.flatMap((mark) => mark || []);
}

/**
 * What the patient's check found, and what is missing.
 * @param {Entry["desk"]} desk
 * @param {Words} words
 * @returns {{ verdict: string, parts: string[], tone: "good" | "wait" | "stop" | null, icon: string }}
 */
export function readinessOf({ readiness }, words) {
  if (!readiness) return { verdict: words["detail.ready.none"], parts: [], tone: null, icon: "" };
  const wrong = PARTS.filter((part) => readiness[part] !== "ok");
  return { verdict: words[`detail.ready.${readiness.verdict}`], parts: wrong.map((part) => words[`detail.part.${part}.${readiness[part]}`]), ...VERDICTS[readiness.verdict] };
}

/** Who a seat is for. @param {Entry} entry @param {{ seat: number, role: string }} seat @param {Words} words */
export function seatName({ facts }, { seat, role }, words) {
  const name = role === "patient" ? facts?.name : facts?.labels[seat];
  return name || words[`list.visitor.${role}`];
}

/** What somebody else has changed under the form. @param {State} state @param {Words} words */
export function changesOf({ draft }, words) {
  if (!draft) return [];
  return draft.changed.filter((field) => !["guests", "relayedOnly"].includes(field)).map((field) => {
    const value = String(draft.base[field]) || words["plan.nothing"];
    const kept = draft.values[field] !== draft.base[field];
    const label = words[field === "title" ? "plan.field.title" : `plan.${field}`];
    return say(words, kept ? "plan.staleKept" : "plan.staleFollowed", { field: label, value: field === "language" ? words[`plan.language.${value}`] : value });
  });
}

/** @param {string} locale @param {Intl.DateTimeFormatOptions} options */
function format(locale, options) {
  const key = `${locale}${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat(locale, options)));
  return found;
}
