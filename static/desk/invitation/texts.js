/**
 * What an invited person reads, in the invitation's language. Nobody's name is in it, and no subject and no file name tells that
 * it is about medicine. Pure.
 */

import { format } from "../../shared/code.js";
import { say } from "../../shared/say.js";
import de from "../words/invitation.de.js";
import en from "../words/invitation.en.js";

/** @typedef {import("./types.js").Occasion} Occasion */
/** @typedef {import("./types.js").Kind} Kind */
/** @typedef {import("./types.js").Letter} Letter */
/** @typedef {import("./types.js").Sheet} Sheet */

/** The catalogue in which the invited person reads. @param {Occasion} occasion */
export function wordsOf({ desk }) {
  return desk.language === "en" ? en : de;
}

/** @param {Occasion} occasion @param {number} seat  whose code is known */
export function codeOf({ facts }, seat) {
  return format(facts.codes[seat] ?? "");
}

/**
 * The link of a seat; without its secret where it passes a server.
 * @param {Occasion} occasion
 * @param {number} seat
 * @param {boolean} [secret]
 */
export function linkOf(occasion, seat, secret = true) {
  const { facts, origin } = occasion;
  return `${origin}/#${codeOf(occasion, seat)}${secret && facts.secret ? `.${facts.secret}` : ""}`;
}

/** What fills the sentences' holes: day and clock in the practice's time zone. @param {Occasion} occasion */
export function valuesOf(occasion) {
  const { desk, practice, origin } = occasion;
  const start = new Date(desk.startsAt);
  const opens = new Date(desk.opensAt);
  /** @param {Intl.DateTimeFormatOptions} options */
  const as = (options) =>
    new Intl.DateTimeFormat(wordsOf(occasion)["invite.letter.locale"], { timeZone: practice.timeZone, ...options });
  const day = as({ weekday: "long", day: "numeric", month: "long" });
  const clock = as({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const zone = as({ timeZoneName: "short" }).formatToParts(start).find(({ type }) => type === "timeZoneName");
  return {
    practice: practice.name,
    phone: practice.phone ?? "",
    host: new URL(origin).host, // as people type it
    day: day.format(start),
    date: as({ weekday: "long", day: "numeric", month: "long", year: "numeric" }).format(start),
    time: clock.format(start),
    zone: zone?.value ?? "",
    from: day.format(opens) === day.format(start) ? clock.format(opens) : `${day.format(opens)}, ${clock.format(opens)}`,
    minutes: String(desk.durationMinutes),
  };
}

/**
 * A letter to the person of a seat.
 * @param {Kind} kind
 * @param {Occasion} occasion
 * @param {number} seat
 * @param {{ secret?: boolean, now?: number }} [options]
 * @returns {Letter}
 */
export function letterOf(kind, occasion, seat, { secret = true, now = Date.now() } = {}) {
  const words = wordsOf(occasion);
  const filled = { ...valuesOf(occasion), code: codeOf(occasion, seat) };
  const tell = (/** @type {string} */ key) => say(words, `invite.letter.${key}`, filled);
  const link = kind === "cancellation" ? "" : linkOf(occasion, seat, secret);
  const bye = `${tell("bye")}\n${filled.practice}`;
  const call = filled.phone ? [tell("phone")] : [];
  const open = Date.parse(occasion.desk.opensAt) > now ? tell("open") : tell("openNow");
  const paragraphs = {
    invitation: () => [
      tell("hello"), tell("invitation"), tell("when"),
      [tell("how"), open, link, tell("enter"), tell("wait")].join("\n"),
      tell("code"), [tell("need"), tell("test"), tell("yours")].join("\n"), ...call, bye,
    ],
    change: () => [tell("hello"), tell("change"), tell("when"), [tell("same"), link].join("\n"), tell("code"), ...call, bye],
    cancellation: () => [tell("hello"), tell("cancellation"), ...(filled.phone ? [tell("again")] : []), bye],
    tip: () => [
      tell("hello"), tell("tip"), tipsOf(occasion).map(tell).join("\n"), [tell("tip.again"), link].join("\n"),
      tell(filled.phone ? "tip.phone" : "tip.else"), bye,
    ],
  };
  const short = [
    tell(`${kind}.short`),
    ...(kind === "tip" ? [tell("short.tip")] : []),
    ...(link ? [link, tell("short.code")] : []),
    ...(filled.phone ? [tell("short.phone")] : []),
  ];
  return { subject: tell(`${kind}.subject`), text: `${paragraphs[kind]().join("\n\n")}\n`, short: short.join("\n") };
}

/** What helps with what the check found. @param {Occasion} occasion */
function tipsOf({ desk: { readiness } }) {
  const found = /** @type {const} */ (["camera", "microphone", "relay"]).flatMap((part) => {
    const result = readiness?.[part] ?? "ok";
    return result === "ok" ? [] : [`tip.${part}.${result}`];
  });
  return found.length > 0 ? found : ["tip.any"];
}

/** What is to be told of a consultation: the last kind is the likeliest wish. @param {Occasion} occasion @returns {Kind[]} */
export function kindsOf({ desk }) {
  if (desk.state === "revoked") return ["cancellation"];
  const weak = desk.readiness !== null && desk.readiness.verdict !== "green";
  return ["invitation", ...(desk.sequence > 0 ? /** @type {const} */ (["change"]) : []), ...(weak ? /** @type {const} */ (["tip"]) : [])];
}

/** A file's name without its end; nobody's name is in it. @param {Occasion} occasion */
export function fileOf(occasion) {
  const { desk, practice } = occasion;
  const day = new Intl.DateTimeFormat("sv-SE", { timeZone: practice.timeZone }).format(new Date(desk.startsAt));
  return `${wordsOf(occasion)["invite.event.file"]}-${day}`;
}

/** @param {Occasion} occasion @param {number} seat @returns {Sheet} */
export function sheetOf(occasion, seat) {
  const { date, time, minutes, from, host } = valuesOf(occasion);
  return {
    language: wordsOf(occasion) === en ? "en" : "de",
    practice: occasion.practice.name,
    phone: occasion.practice.phone,
    date, time, minutes, from, host,
    link: linkOf(occasion, seat),
    code: codeOf(occasion, seat),
    name: fileOf(occasion),
  };
}
