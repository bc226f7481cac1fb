/** Every screen and every trouble of the sign-in page by name, each with a sample state, for the tests. The page itself never loads this file. */

import { initialState } from "./state.js";

/** @typedef {import("./types.js").State} State */

const base = { ...initialState(), practice: "markt12", user: "weber", practiceName: "Praxis am Markt" };
const words = ["Brezel", "Wolle", "Saxofon", "Eisberg"];

/** @param {string} key @param {string | null} [field] @param {Record<string, string>} [values] */
function trouble(key, field = null, values = {}) {
  return { key, field, values };
}

/** @type {{ name: string, state: State }[]} */
export const STATES = [
  { name: "opening", state: initialState() },
  { name: "unsupported-insecure", state: { ...initialState(), screen: "unsupported", trouble: trouble("entry.insecure") } },
  { name: "unsupported-storeless", state: { ...initialState(), screen: "unsupported", trouble: trouble("entry.storeless") } },
  { name: "sign-in", state: { ...initialState(), screen: "signIn" } },
  { name: "sign-in-known", state: { ...base, screen: "signIn", passkeys: true, why: "ended" } },
  { name: "sign-in-out", state: { ...base, screen: "signIn", why: "out" } },
  { name: "sign-in-wrong", state: { ...base, screen: "signIn", passkeys: true, trouble: trouble("entry.wrong") } },
  { name: "sign-in-many", state: { ...base, screen: "signIn", trouble: trouble("entry.tooMany", null, { minutes: "4" }) } },
  { name: "sign-in-offline", state: { ...base, screen: "signIn", trouble: trouble("trouble.network") } },
  { name: "sign-in-own-key", state: { ...base, screen: "signIn", trouble: trouble("trouble.ownKey") } },
  { name: "sign-in-caps", state: { ...base, screen: "signIn", capsLock: true, shown: true } },
  { name: "sign-in-empty", state: { ...base, screen: "signIn", trouble: trouble("password.missing", "password") } },
  { name: "sign-in-busy", state: { ...base, screen: "signIn", busy: true } },
  { name: "passkey-refused", state: { ...base, screen: "signIn", passkeys: true, trouble: trouble("entry.passkeyRefused") } },
  { name: "passkey-wrong", state: { ...base, screen: "signIn", passkeys: true, trouble: trouble("entry.passkeyWrong") } },
  { name: "forgot", state: { ...base, screen: "forgot" } },
  { name: "forgot-typo", state: { ...base, screen: "forgot", trouble: trouble("entry.code-typo", "recovery") } },
  { name: "forgot-wrong", state: { ...base, screen: "forgot", trouble: trouble("entry.recoveryWrong", "recovery") } },
  { name: "set-up", state: { ...initialState(), screen: "setUp" } },
  { name: "set-up-taken", state: { ...initialState(), screen: "setUp", trouble: trouble("entry.taken", "practice") } },
  { name: "set-up-used", state: { ...initialState(), screen: "setUp", trouble: trouble("entry.linkUsed") } },
  { name: "rescue", state: { ...initialState(), screen: "rescue" } },
  { name: "first", state: { ...base, screen: "first" } },
  { name: "first-again", state: { ...base, screen: "first", needsPassword: true, trouble: trouble("entry.initialWrong", "initial") } },
  { name: "first-short", state: { ...base, screen: "first", trouble: trouble("password.short", "fresh", { least: "8" }) } },
  { name: "first-differs", state: { ...base, screen: "first", trouble: trouble("password.differs", "again") } },
  { name: "recovery", state: { ...base, screen: "recovery", recoveryKey: "K7QF-3XM2-9TDA-0B4C-8WNH-5ZRE-1JPV-6SYG" } },
  { name: "name", state: { ...base, screen: "name" } },
  { name: "waiting-opening", state: { ...base, screen: "waiting", workplace: "Empfang" } },
  { name: "waiting", state: { ...base, screen: "waiting", workplace: "Empfang", words } },
  { name: "waiting-offline", state: { ...base, screen: "waiting", workplace: "Empfang", words, offline: true } },
  { name: "waiting-admin", state: { ...base, screen: "waiting", workplace: "Empfang", words, admin: true } },
  { name: "waiting-admin-reloaded", state: { ...base, screen: "waiting", workplace: "Empfang", words, admin: true, needsPassword: true, trouble: trouble("entry.passwordWrong", "password") } },
  { name: "waiting-keyless", state: { ...base, screen: "waiting", workplace: "Empfang", words, admin: true, trouble: trouble("entry.releaseKeyless") } },
  { name: "refused", state: { ...base, screen: "refused" } },
];
