/** Keys and what they are sealed in, as the API takes them: new passwords, new users, keys for colleagues, and the practice's next key. */

import {
  checkNumbers, fromPassword, fromRecoveryKey, newPracticeKey, newRecoveryKey, newUserPair, sealKey, wrapPair,
} from "../shared/vault.js";
import { call } from "./api.js";
import { keepOwn } from "./places.js";
import { ownPair, short } from "./session.js";

/** @typedef {import("./types.js").KeyFor} KeyFor */
/** @typedef {import("./types.js").Session} Session */
/** @typedef {import("../shared/vault.js").Pair} Pair */
/** @typedef {import("../shared/vault.js").PracticeKey} PracticeKey */
/** @typedef {{ practice: string, user: string }} Names  the short ones */
/** What a user is known by: a new pair, and its opener. @typedef {{ secret: string, publicKey: string, byPassword: string, pair: Pair }} Made */

/** @param {Record<string, string>} typed @returns {Names} */
export function namesOf({ practice, user }) {
  return { practice: short(practice), user: short(user) };
}

/** @param {string} password @param {Names} names @returns {Promise<import("../shared/vault.js").Opener>} */
export async function opener(password, names) {
  const { salt } = await call("POST", "salt", namesOf(names));
  return fromPassword(password, salt);
}

/**
 * The own pair, if the password is the right one, and the password's half for the server. Fails with #own-key.
 * @param {Session} session
 * @param {string} password
 * @returns {Promise<{ pair: Pair, secret: string } | null>}
 */
export async function openOwn(session, password) {
  const { practice, user } = session;
  const { signIn, wrap } = await opener(password, { practice: practice.short, user: user.short });
  const pair = await ownPair(user, user.byPassword, wrap, true);
  if (!pair) return null;
  await keepOwn(session, pair.public);
  return { pair, secret: signIn };
}

/** A new pair that this password opens. @param {string} password @param {Names} names @returns {Promise<Made>} */
export async function makeUser(password, names) {
  const [{ signIn, wrap }, pair] = await Promise.all([opener(password, names), newUserPair()]);
  return { secret: signIn, publicKey: pair.public, byPassword: await wrapPair(wrap, pair.private), pair };
}

/** A new recovery key for a pair. @param {Pair} pair  extractable */
export async function makeRecovery(pair) {
  const key = newRecoveryKey();
  const { signIn, wrap } = await fromRecoveryKey(key);
  return { key, recoverySecret: signIn, byRecovery: await wrapPair(wrap, pair.private) };
}

/**
 * Another password for the own pair.
 * @param {Session} session
 * @param {Pair} pair  extractable
 * @param {{ by: "password" | "recovery", secret: string }} proof
 * @param {string} password
 * @returns {Promise<string>} its half for the server
 */
export async function changePassword({ practice, user }, pair, proof, password) {
  const next = await opener(password, { practice: practice.short, user: user.short });
  await call("PUT", "me/password", { ...proof, newSecret: next.signIn, byPassword: await wrapPair(next.wrap, pair.private) });
  return next.signIn;
}

/** Another recovery key for the own pair, shown once. @param {Pair} pair  extractable @param {string} secret  the password's */
export async function changeRecovery(pair, secret) {
  const { key, ...told } = await makeRecovery(pair);
  await call("PUT", "me/recovery", { secret, ...told });
  return key;
}

/** @param {Iterable<PracticeKey>} keys @param {string} addressee  public @returns {Promise<KeyFor[]>} */
export function sealAll(keys, addressee) {
  return Promise.all([...keys].map(async (key) => ({ version: key.version, wrapped: await sealKey(key, addressee) })));
}

/**
 * What the own pair lacks and this workplace has: after a password was given anew, for one.
 * @param {Session} session
 * @param {import("./types.js").Vault | null} vault
 * @param {Pair} own  opened in this page: no key that the server names is filled
 */
export async function fillOwn({ user }, vault, own) {
  const missing = [...(vault?.keys.values() ?? [])].filter(({ version }) => !user.keys.some((key) => key.version === version));
  if (missing.length > 0) await call("PUT", "me/keys", { keys: await sealAll(missing, own.public) });
}

/**
 * The practice's next key, sealed for exactly these: whoever confirmed has read their names.
 * @param {number} version  the one in force
 * @param {{ users: { id: string, publicKey: string }[], workplaces: { id: string, publicKey: string }[] }} holders
 */
export async function rotation(version, { users, workplaces }) {
  const next = await newPracticeKey(version + 1);
  /** @param {{ id: string, publicKey: string }[]} people */
  const forEach = (people) => Promise.all(people.map(async ({ id, publicKey }) => ({ id, wrapped: await sealKey(next, publicKey) })));
  return { version: next.version, users: await forEach(users), workplaces: await forEach(workplaces) };
}

const LISTS = { de: () => import("../shared/check-words/de.js"), en: () => import("../shared/check-words/en.js") };

/**
 * Four words by which two people know that they look at the same workplace.
 * @param {string} publicKey
 * @param {string} practice  its id
 * @param {string} language
 */
export async function checkWords(publicKey, practice, language) {
  const [numbers, list] = await Promise.all([checkNumbers(publicKey, practice), LISTS[language === "en" ? "en" : "de"]()]);
  return numbers.map((number) => list.default[number]);
}
