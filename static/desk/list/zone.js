/**
 * Days and clocks in the practice's time zone, wherever the browser is: out of Intl, which knows the rules. A day is
 * written `2026-11-30`, a clock `09:00`, a moment is in ms. Local times become moments as the server does it.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Clocks change at full or half hours, nowhere in between. */
const STEP_MS = HOUR_MS / 2;

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();
/** Asking Intl is slow, and thousands of consultations share their hours. @type {Map<string, number>} */
const offsets = new Map();

/**
 * How far the zone's clocks are ahead of UTC, in ms.
 * @param {string} zone
 * @param {number} moment
 */
export function offset(zone, moment) {
  const step = Math.floor(moment / STEP_MS);
  const key = `${zone}|${step}`;
  let found = offsets.get(key);
  if (found === undefined) {
    found = ask(zone, step * STEP_MS);
    offsets.set(key, found);
  }
  return found;
}

/** @param {string} zone @param {number} moment */
export function dayOf(zone, moment) {
  return wall(zone, moment).slice(0, 10);
}

/** @param {string} zone @param {number} moment */
export function clockOf(zone, moment) {
  return wall(zone, moment).slice(11, 16);
}

/**
 * @param {string} zone
 * @param {string} day
 * @param {string} clock
 * @returns {{ at: number, kind: "plain" | "skipped" | "twice" }} a skipped time is an hour later, of two the first is meant
 */
export function momentOf(zone, day, clock) {
  const found = momentsOf(zone, day, clock);
  if (found.length > 0) return { at: found[0], kind: found.length > 1 ? "twice" : "plain" };
  const later = new Date(Date.parse(`${day}T${clock}:00Z`) + HOUR_MS).toISOString();
  return { at: momentsOf(zone, later.slice(0, 10), later.slice(11, 16))[0], kind: "skipped" };
}

/** @param {string} day @param {number} days */
export function plusDays(day, days) {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The Monday of the day's week. @param {string} day */
export function mondayOf(day) {
  return plusDays(day, -((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7));
}

/** @param {string} zone @param {string} day @param {string} clock */
function momentsOf(zone, day, clock) {
  const local = Date.parse(`${day}T${clock}:00Z`);
  const around = new Set([offset(zone, local - DAY_MS), offset(zone, local + DAY_MS)]);
  return [...around].map((ahead) => local - ahead).filter((at) => at + offset(zone, at) === local).sort((a, b) => a - b);
}

/** @param {string} zone @param {number} moment */
function wall(zone, moment) {
  return new Date(moment + offset(zone, moment)).toISOString();
}

/** @param {string} zone @param {number} moment */
function ask(zone, moment) {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - moment;
}
