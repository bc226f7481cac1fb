/** Draws the practice page's lists: workplaces, people, sessions, passkeys, accesses for programs, the trail. */

import { all, el, keyed, part, put } from "../../shared/dom.js";
import { say } from "../../shared/say.js";
import { keeps } from "../roles.js";
import { isOther, lacks } from "./state.js";
import { auditSentence, moment, personFacts, sessionFacts, tokenFacts, useFacts, workplaceFacts } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Words} Words */

/** @param {State} state @param {Words} words */
export function drawLists(state, words) {
  drawWorkplaces(state, words);
  drawPeople(state, words);
  drawOwn(state, words);
  el["tokens-none"].hidden = state.tokens.length > 0;
  keyed(el.tokens, state.tokens, "id", "token", (child, token) => {
    nameOf(child, token.name);
    put(part(child, "scope"), words[`software.${token.scope}`]);
    put(part(child, "facts"), tokenFacts(token, state, words));
  });
  el["audit-none"].hidden = state.audit.length > 0;
  el["audit-more"].hidden = !state.auditMore;
  keyed(el.audit, state.audit, "id", "audit", (child, line) => {
    put(part(child, "at"), moment(line.at, state, words));
    part(child, "at").setAttribute("datetime", line.at);
    put(part(child, "sentence"), auditSentence(line, words));
  });
}

/** @param {State} state @param {Words} words */
function drawWorkplaces(state, words) {
  keyed(el.workplaces, state.workplaces, "id", "workplace", (child, workplace) => {
    const waits = workplace.state === "waiting";
    nameOf(child, workplace.name);
    const badge = part(child, "state");
    put(badge, words[`workplaces.${workplace.state}`]);
    badge.dataset.tone = waits ? "wait" : "good";
    part(child, "here").hidden = !workplace.current;
    put(part(child, "facts"), workplaceFacts(workplace, state, words));
    part(child, "kept").hidden = waits;
    part(child, "waiting").hidden = !waits;
    const there = drawCheckWords(part(child, "words"), state, workplace.publicKey);
    part(child, "computing").hidden = there;
    put(part(child, "other"), isOther(state, workplace.id) && words[waits ? "workplaces.other" : "workplaces.otherReleased"]);
    button(child, "release").hidden = !there || !state.held.includes(state.session?.practice.keyVersion ?? 0);
  });
}

/**
 * What is compared before a release: the words of this key, and none while they are computed.
 * @param {HTMLElement} place
 * @param {State} state
 * @param {string | undefined} publicKey
 * @returns {boolean} whether they are there
 */
export function drawCheckWords(place, state, publicKey = "") {
  const check = state.checkWords[publicKey] ?? [];
  place.lang = state.language;
  place.replaceChildren(...check.map((word) => Object.assign(document.createElement("li"), { textContent: word })));
  return check.length > 0;
}

/** @param {State} state @param {Words} words */
function drawPeople(state, words) {
  const current = state.session?.practice.keyVersion ?? 0;
  keyed(el.users, state.users, "id", "person", (child, person) => {
    const own = person.id === state.session?.user.id;
    nameOf(child, person.short);
    put(part(child, "role"), words[`role.${person.role}`]);
    part(child, "you").hidden = !own;
    part(child, "initial").hidden = !person.mustChange;
    part(child, "keyless").hidden = person.keys.includes(current);
    put(part(child, "other"), isOther(state, person.id) && words["people.other"]);
    put(part(child, "facts"), personFacts(person, state, words));
    button(child, "giveKeys").hidden = lacks(state, person).length === 0;
    for (const only of ["reset", "withdrawUser"]) button(child, only).toggleAttribute("data-own", own);
  });
}

/** @param {State} state @param {Words} words */
function drawOwn(state, words) {
  const { session } = state;
  if (!session) return;
  const can = state.webauthn && session.passkeys;
  put(el["own-signed"], say(words, "own.signedIn", { name: session.user.short, role: words[`role.${session.user.role}`] }));
  el["own-recovery-none"].hidden = session.user.byRecovery !== null;
  put(el["passkeys-none"], !can ? words["own.passkeysNot"] : state.passkeys.length === 0 && words["own.passkeysNone"]);
  el["passkey-add"].hidden = !can;
  keyed(el.passkeys, state.passkeys, "id", "passkey", (child, passkey) => {
    nameOf(child, passkey.name);
    put(part(child, "facts"), useFacts(passkey, state, words));
  });
  put(el["sessions-title"], words[keeps(session.user.role) ? "own.sessionsAll" : "own.sessions"]);
  keyed(el.sessions, state.sessions, "id", "session", (child, open) => {
    nameOf(child, open.user.name);
    part(child, "here").hidden = !open.current;
    put(part(child, "facts"), sessionFacts(open, state, words));
    button(child, "endSession").hidden = open.current;
  });
}

/** A row's name, which its buttons bring along. @param {HTMLElement} child @param {string} name */
function nameOf(child, name) {
  put(part(child, "name"), name);
  for (const target of all("[data-do]", child)) {
    target.dataset.name = name;
    target.setAttribute("aria-label", `${target.textContent} (${name})`);
  }
}

/** @param {HTMLElement} child @param {string} what */
function button(child, what) {
  return /** @type {HTMLElement} */ (child.querySelector(`[data-do=${what}]`));
}
