/**
 * An appointment for calendars (RFC 5545, RFC 5546): one event with an alarm, whose later versions and cancellation replace it.
 * Pure.
 */

import { say } from "../../shared/say.js";
import { codeOf, valuesOf, linkOf, wordsOf } from "./texts.js";

/** @typedef {import("./types.js").Occasion} Occasion */

/** A longer line goes on in the next, after a space. */
const LINE_BYTES = 75;
const MINUTE_MS = 60_000;

/**
 * @param {Occasion} occasion
 * @param {number} seat  whose link is in it
 * @param {"PUBLISH" | "REQUEST" | "CANCEL"} method  for a file, a mail, and either where it is called off
 * @param {{ secret?: boolean, now?: number }} [options]
 */
export function calendarOf(occasion, seat, method, { secret = true, now = Date.now() } = {}) {
  const { desk, origin } = occasion;
  const words = wordsOf(occasion);
  const starts = Date.parse(desk.startsAt);
  const cancelled = method === "CANCEL";
  const link = linkOf(occasion, seat, secret);
  return [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    `PRODID:-//visavis//${words["invite.letter.language"].toUpperCase()}`,
    "CALSCALE:GREGORIAN",
    `METHOD:${method}`,
    "BEGIN:VEVENT",
    `UID:${desk.id}@${new URL(origin).hostname}`,
    `SEQUENCE:${desk.sequence}`,
    `DTSTAMP:${stamp(now)}`,
    `DTSTART:${stamp(starts)}`,
    `DTEND:${stamp(starts + desk.durationMinutes * MINUTE_MS)}`,
    `SUMMARY:${escaped(words["invite.event"])}`,
    "CLASS:PRIVATE",
    `STATUS:${cancelled ? "CANCELLED" : "CONFIRMED"}`,
    ...(cancelled ? [] : [
      `DESCRIPTION:${escaped(description(occasion, seat, link))}`,
      `LOCATION:${escaped(link)}`,
      `URL:${link}`,
      "BEGIN:VALARM",
      "ACTION:DISPLAY",
      "TRIGGER:-PT15M",
      `DESCRIPTION:${escaped(words["invite.event.alarm"])}`,
      "END:VALARM",
    ]),
    "END:VEVENT",
    "END:VCALENDAR",
  ].map(folded).join("");
}

/** @param {Occasion} occasion @param {number} seat @param {string} link */
function description(occasion, seat, link) {
  const words = wordsOf(occasion);
  const filled = { ...valuesOf(occasion), code: codeOf(occasion, seat) };
  const tell = (/** @type {string} */ key) => say(words, `invite.letter.${key}`, filled);
  const lines = [words["invite.event.open"], link, "", tell("code"), ...(filled.phone ? [tell("phone")] : []), filled.practice];
  return lines.join("\n");
}

/** UTC, in seconds. @param {number} moment */
function stamp(moment) {
  return new Date(moment).toISOString().replace(/[-:]|\.\d+/g, "");
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[\\;,]/g, "\\$&").replace(/\r?\n/g, "\\n");
}

/** No character is cut in two. @param {string} line */
function folded(line) {
  let lines = "";
  let used = 0;
  for (const character of line) {
    const bytes = new TextEncoder().encode(character).length;
    if (used + bytes > LINE_BYTES) {
      lines += "\r\n ";
      used = 1;
    }
    lines += character;
    used += bytes;
  }
  return `${lines}\r\n`;
}
