/**
 * Who is signed in, and what opens the vault. The session lies in the tab's storage (token, names, sealed keys; never a password or a
 * key in the clear), the workplace's pair in IndexedDB, where it cannot be taken out. On a released workplace the vault opens by that
 * pair alone: after a reload, with a passkey, with no question.
 */

import { tab } from "../shared/tab.js";
import { openKey, unwrapPair } from "../shared/vault.js";
import { Problem, call, keepToken, leave } from "./api.js";
import { blank, tellOut } from "./leaving.js";
import { placeOf } from "./places.js";

/** @typedef {import("./types.js").Session} Session */
/** @typedef {import("./types.js").KeyFor} KeyFor */
/** @typedef {import("./types.js").Vault} Vault */
/** @typedef {import("../shared/vault.js").Pair} Pair */
/** @typedef {import("../shared/vault.js").PracticeKey} PracticeKey */

const SESSION = "visavis.desk";

/** As short names are compared, on both sides. @param {string} name */
export function short(name) {
  return name.normalize("NFC").trim().toLowerCase();
}

/** @returns {Session | null} as it was told last: enough to draw a page at once */
export function kept() {
  const text = tab.getItem(SESSION);
  return text === null ? null : JSON.parse(text);
}

/** @param {Session} session  as a sign-in or `me` told it */
export function keep(session) {
  if (session.token) keepToken(session.token);
  const { token: _, workplaceToken: __, ...rest } = session;
  tab.setItem(SESSION, JSON.stringify({ ...rest, token: null }));
}

/** What the server says now, of the same user with the same key. @returns {Promise<Session>} */
export async function refresh() {
  const session = await recognise(await call("GET", "me"), kept());
  keep(session);
  return session;
}

/** The server names something else as the user's own: nothing is done with what it says. */
export function notOwn() {
  return new Problem(0, "own-key", "the server names another key, user or practice as the own one", null);
}

/**
 * Whom the server names is who this browser knows: by the public key that once came out of the private half here, and by who was signed
 * in before. A server alone vouches for nobody.
 * @param {Session} session
 * @param {Session | null} [before]
 * @returns {Promise<Session>} the same; fails with #own-key
 */
export async function recognise(session, before = null) {
  const { practice, user } = session;
  const own = (await placeOf(practice.short))?.own?.get(user.short);
  if (own !== undefined && own !== user.publicKey) throw notOwn();
  /** @param {Session} of */
  const names = (of) => [of.practice.id, of.practice.short, of.user.id, of.user.short].join("|");
  if (before && names(before) !== names(session)) throw notOwn();
  return session;
}

/**
 * Of lists, the rows that are this user's and this workplace's have the own keys. Fails with #own-key.
 * @param {Session} session
 * @param {{ users: { id: string, short: string, publicKey: string }[], workplaces: { id: string, publicKey: string }[] }} lists
 * @returns {Promise<boolean>} whether this browser knows both
 */
export async function recogniseRows({ practice, user }, { users, workplaces }) {
  const place = await placeOf(practice.short);
  const own = place?.own?.get(user.short);
  const isOther = users.some(({ id, short: name, publicKey }) => own !== undefined && (id === user.id || name === user.short) && publicKey !== own);
  if (isOther || workplaces.some(({ id, publicKey }) => id === place?.id && publicKey !== place.pair.public)) throw notOwn();
  return place !== null && own !== undefined;
}

/** What is still to do on the sign-in page before any other works. @param {Session} session */
export function isReady({ user, workplace }) {
  return !user.mustChange && workplace?.state === "released";
}

/**
 * The begin of every page but the sign-in page: the session, freshly asked. Without one, or with a step of signing in left, the sign-in
 * page opens and this never ends.
 * @returns {Promise<Session>}
 */
export async function enter() {
  const session = await refresh().catch((problem) => {
    if (problem.kind === "session") return new Promise(() => {});
    throw problem;
  });
  if (isReady(session)) return session;
  leave("step");
  return new Promise(() => {});
}

/** Signs out, in every tab; the workplace stays released. */
export async function signOut() {
  tellOut();
  await signOutHere();
}

/** The same, in this tab alone: another one said so. */
export async function signOutHere() {
  const ended = endSession();
  blank();
  forget();
  await leave("out", ended);
}

/** The server's half of it, whatever becomes of this page. */
export function endSession() {
  return call("DELETE", "sessions/current", undefined, { keepalive: true }).catch(() => {}); // it ends by itself, too
}

/** The names and the sealed keys leave this tab. */
export function forget() {
  tab.removeItem(SESSION);
  keepToken(null);
}

/**
 * By this workplace's pair. `null` where this browser has none or is not released.
 * @param {Session} session
 * @returns {Promise<Vault | null>}
 */
export async function openVault(session) {
  const place = await placeOf(session.practice.short);
  if (!place || place.id !== session.workplace?.id) return null;
  return vaultOf(session, await openAll(session.workplace.keys, place.pair));
}

/**
 * The user's own pair, by what the password or the recovery key gave. Fails with #own-key where the server names another public half.
 * @param {import("./types.js").User} user
 * @param {string | null} wrapped  `byPassword` or `byRecovery`
 * @param {CryptoKey} wrap
 * @param {boolean} [extractable]  to wrap it anew
 * @returns {Promise<Pair | null>} nothing where it does not open
 */
export async function ownPair(user, wrapped, wrap, extractable) {
  const pair = wrapped ? await unwrapPair(wrap, wrapped, extractable) : null;
  if (pair && pair.public !== user.publicKey) throw notOwn();
  return pair;
}

/**
 * Each version that opens.
 * @param {KeyFor[]} keys
 * @param {Pair} pair
 * @returns {Promise<PracticeKey[]>}
 */
export async function openAll(keys, pair) {
  const opened = await Promise.all(keys.map(({ version, wrapped }) => openKey(wrapped, version, pair)));
  return opened.flatMap((key) => key ?? []);
}

/**
 * @param {Session} session
 * @param {PracticeKey[]} keys
 * @returns {Vault | null} nothing without the current key
 */
export function vaultOf({ practice, user }, keys) {
  const current = keys.find(({ version }) => version === practice.keyVersion);
  return current ? { practice, user, keys: new Map(keys.map((key) => [key.version, key])), current } : null;
}
