/** What the practice's page knows, put into words: pure, out of the catalogue. */

import { say } from "../../shared/say.js";
import { isOther } from "./state.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Words} Words */

/**
 * Date and time in the practice's time zone.
 * @param {string} iso
 * @param {State} state
 * @param {Words} words
 */
export function moment(iso, { session }, words) {
  return new Date(iso).toLocaleString(words.locale, { dateStyle: "medium", timeStyle: "short", timeZone: session?.practice.timeZone });
}

/** @param {import("./types.js").Person} person @param {State} state @param {Words} words */
export function personFacts({ lastSeenAt }, state, words) {
  return lastSeenAt ? say(words, "practice.seen", { when: moment(lastSeenAt, state, words) }) : words["practice.never"];
}

/** @param {import("./types.js").Workplace} workplace @param {State} state @param {Words} words */
export function workplaceFacts({ state: waits, requestedBy, createdAt, releasedBy, releasedAt, lastSeenAt }, state, words) {
  if (waits === "waiting") return say(words, "workplaces.asked", { who: requestedBy, when: moment(createdAt, state, words) });
  const released = say(words, "workplaces.releasedBy", { who: releasedBy ?? "–", when: moment(releasedAt ?? createdAt, state, words) });
  return lastSeenAt ? `${released}, ${say(words, "practice.seen", { when: moment(lastSeenAt, state, words) })}` : released;
}

/** @param {{ createdAt: string, usedAt: string | null }} thing  a passkey or a token @param {State} state @param {Words} words */
export function useFacts({ createdAt, usedAt }, state, words) {
  const since = say(words, "practice.since", { when: moment(createdAt, state, words) });
  return `${since}, ${usedAt ? say(words, "practice.seen", { when: moment(usedAt, state, words) }) : words["practice.unused"]}`;
}

/** @param {import("./types.js").Token} token @param {State} state @param {Words} words */
export function tokenFacts(token, state, words) {
  const facts = useFacts(token, state, words);
  return token.madeBy ? `${say(words, "software.madeBy", { who: token.madeBy })}, ${facts}` : facts;
}

/**
 * The programs that come in no more without this person; nothing where there are none.
 * @param {string} key  of the sentence
 * @param {string} short
 * @param {State} state
 * @param {Words} words
 */
export function endingTokens(key, short, { tokens }, words) {
  const names = tokens.filter(({ madeBy }) => madeBy === short).map(({ name }) => name);
  return names.length > 0 && say(words, key, { name: short, names: listOf(names, words) });
}

/** @param {import("./types.js").OpenSession} session @param {State} state @param {Words} words */
export function sessionFacts({ workplace, seenAt, expiresAt }, state, words) {
  const seen = say(words, "practice.seen", { when: moment(seenAt, state, words) });
  return `${workplace?.name ?? words["own.elsewhere"]}, ${seen}, ${say(words, "own.until", { when: moment(expiresAt, state, words) })}`;
}

/** A line of the trail as a sentence; what this page does not know yet is shown as it is. @param {import("./types.js").AuditLine} line @param {Words} words */
export function auditSentence({ actor, what, about }, words) {
  const key = `audit.${what}`;
  return say(words, key in words ? key : "audit.other", { actor: actor === "-" ? words["audit.server"] : actor, what, about });
}

/** Who gets the practice's next key, by name. @param {import("./types.js").Holders} holders @param {Words} words */
export function stayingNames({ users, workplaces }, words) {
  const list = (/** @type {string[]} */ names) => listOf(names, words);
  return say(words, "people.staying", { users: list(users.map(({ short }) => short)), workplaces: list(workplaces.map(({ name }) => name)) });
}

/** Of those, who has another key than before; nothing where nobody has. @param {import("./types.js").Holders} holders @param {State} state @param {Words} words */
export function otherNames({ users, workplaces }, state, words) {
  const names = [...users.map(({ id, short }) => ({ id, name: short })), ...workplaces].filter(({ id }) => isOther(state, id)).map(({ name }) => name);
  return names.length > 0 && say(words, "practice.otherKeys", { names: listOf(names, words) });
}

/** @param {string[]} names @param {Words} words */
function listOf(names, words) {
  return names.sort((a, b) => a.localeCompare(b, words.locale)).join(", ") || "–";
}
