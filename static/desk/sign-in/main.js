/**
 * Wires the sign-in page: what the user does goes to the server and through `reduce`, and is drawn. What a password gives stays in
 * this page's memory, until the list opens.
 */

import { fromRecoveryKey, newPracticeKey, newWorkplacePair, sealKey } from "../../shared/vault.js";
import { call, comeBack, keepToken, token } from "../api.js";
import { begin } from "../frame.js";
import { isLeft, whenLeft } from "../leaving.js";
import { changePassword, changeRecovery, checkWords, fillOwn, makeRecovery, makeUser, namesOf, openOwn, opener, sealAll } from "../keys.js";
import * as passkeys from "../passkeys.js";
import { forgetPlace, keepOwn, keepPlace, lastPlace, placeOf, tryOut } from "../places.js";
import { keeps } from "../roles.js";
import { endSession, forget, keep, notOwn, openAll, openVault, ownPair, recognise, refresh, short } from "../session.js";
import { sentenceOf } from "../words.js";
import { check, initialState, reduce } from "./state.js";
import * as view from "./view.js";

/** @typedef {import("../types.js").Session} Session */
/** @typedef {import("../../shared/vault.js").Pair} Pair */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {Record<string, string>} Values  of a form, by field */

const LOOK_MS = 3000;

let state = initialState();
let words = /** @type {import("./types.js").Words | null} */ (null);
/** The secret of a link to this page, until it is used. */
let link = "";
let session = /** @type {Session | null} */ (null);
/** The user's own pair, and the password's half for the server: known after the password was typed in this page. */
let held = /** @type {{ pair: Pair, secret: string } | null} */ (null);
let looking = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

start();

async function start() {
  addEventListener("hashchange", () => location.reload());
  whenLeft(drop);
  view.mount(act);
  await begin(["entry"], (loaded) => {
    words = loaded;
    dispatch({ type: "language", language: loaded.language });
    if (state.screen === "waiting") spell();
  }, otherOut);
  if (!window.isSecureContext) return show("unsupported", { trouble: plain("entry.insecure") });
  try {
    await tryOut((await newWorkplacePair()).private);
    const place = await lastPlace();
    if (place) dispatch({ type: "place", place, passkeys: place.released && passkeys.supported() });
  } catch {
    return show("unsupported", { trouble: plain("entry.storeless") });
  }
  const [, what, secret = ""] = /^#([a-z-]+)(?:=(.*))?$/.exec(location.hash) ?? [];
  if (what === "set-up" || what === "rescue") {
    link = secret;
    return show(what === "rescue" ? "rescue" : "setUp");
  }
  if (token() === null) return show("signIn", { why: what === "ended" || what === "out" ? what : null });
  await run({}, async () => proceed(await refresh()));
  if (state.screen === "opening") show("signIn", { trouble: state.trouble });
}

/** Neither a pair nor what is shown once stays. */
function drop() {
  clearTimeout(looking);
  [session, held, link] = [null, null, ""];
  state = initialState();
}

/** Somebody signed out in another tab. A recovery key that is being written down stays on the screen. */
function otherOut() {
  if (token() === null) return;
  endSession();
  forget();
  if (state.screen === "recovery") return;
  [session, held] = [null, null];
  show("signIn", { why: "out" });
}

/** What the user does. @param {Action} action */
function act(action) {
  const { type, form = type, values } = action;
  if (form in FORMS) {
    if (state.busy) return;
    const trouble = check(values);
    if (trouble) return dispatch({ type: "trouble", trouble });
    const { known, submit } = FORMS[form];
    run(known, () => submit(values));
  } else if (form in STEPS) STEPS[form]();
  else dispatch(action);
}

/** What else can be pressed. @type {Record<string, () => void>} */
const STEPS = {
  toForgot: () => show("forgot"),
  toSignIn: () => show("signIn"),
  kept: () => run({}, async () => proceed(await refresh())),
  askAnew: () => show("name"),
  print: () => print(),
  async otherUser() {
    await endSession();
    forget();
    [session, held] = [null, null];
    show("signIn");
  },
};

/**
 * Each form: what it does, and how it says what the server refuses (a key, or a key and its field).
 * @type {Record<string, { known: Record<string, string | [string, string]>, submit: (values: Values) => Promise<void> }>}
 */
const FORMS = {
  signIn: {
    known: { "sign-in": "entry.wrong", "too-many": "entry.tooMany" },
    async submit({ password, ...typed }) {
      const names = namesOf(typed);
      const { signIn, wrap } = await opener(password, names);
      const told = await signInAt(names, signIn, "password");
      const pair = await ownPair(told.user, told.user.byPassword, wrap, true);
      if (!pair) throw notOwn(); // the password is right, and what lies there is not its pair
      await entered(names, told, pair);
      held = { pair, secret: signIn };
      await proceed();
    },
  },
  passkey: {
    known: { "sign-in": "entry.passkeyWrong", "not-found": "entry.passkeyWrong", "too-many": "entry.tooMany" },
    async submit(typed) {
      const names = namesOf(typed);
      const workplace = (await placeOf(names.practice))?.token;
      if (!workplace) return dispatch({ type: "trouble", trouble: plain("entry.passkeyWrong") });
      const { id, options } = await call("POST", "passkey/begin", { ...names, workplace });
      const credential = await passkeys.use(options).catch((error) => {
        if (passkeys.isRefused(error)) return null;
        throw error;
      });
      if (!credential) return dispatch({ type: "trouble", trouble: plain("entry.passkeyRefused") });
      await entered(names, await call("POST", "passkey/finish", { id, credential }), null);
      await proceed();
    },
  },
  forgot: {
    known: { "sign-in": ["entry.recoveryWrong", "recovery"], "too-many": "entry.tooMany" },
    async submit({ recovery, fresh, ...typed }) {
      const names = namesOf(typed);
      const { signIn, wrap } = await fromRecoveryKey(recovery);
      const told = await signInAt(names, signIn, "recovery");
      const pair = await ownPair(told.user, told.user.byRecovery, wrap, true);
      if (!pair) return dispatch({ type: "trouble", trouble: { ...plain("entry.recoveryWrong"), field: "recovery" } });
      await entered(names, told, pair);
      held = { pair, secret: await changePassword(told, pair, { by: "recovery", secret: signIn }, fresh) };
      await proceed(await refresh());
    },
  },
  setUp: {
    known: { "not-found": "entry.linkUsed", taken: ["entry.taken", "practice"] },
    async submit({ name, phone, timeZone, role, fresh, workplace, ...typed }) {
      const names = namesOf(typed);
      const [{ pair, ...made }, key, own] = await Promise.all([makeUser(fresh, names), newPracticeKey(1), newWorkplacePair()]);
      const { key: recoveryKey, ...recovery } = await makeRecovery(pair);
      const [practiceKey, workplaceKey] = await Promise.all([sealKey(key, pair.public), sealKey(key, own.public)]);
      /** @type {Session} */
      const told = await call("POST", "set-up", {
        link, ...names, name: name.trim(), phone: phone.trim() || undefined, timeZone, role, ...made, ...recovery, practiceKey,
        workplace: { name: workplace.trim(), publicKey: own.public, practiceKey: workplaceKey },
      });
      await keepPlace({
        practice: names.practice, practiceName: name.trim(), id: told.workplace?.id ?? "", token: told.workplaceToken ?? "", pair: own,
        own: new Map(), user: names.user, released: true,
      });
      await entered(names, told, pair);
      show("recovery", { recoveryKey });
    },
  },
  rescue: {
    known: { "not-found": "entry.linkUsed", "sign-in": "entry.linkUsed" },
    async submit({ fresh, ...typed }) {
      const names = namesOf(typed);
      const { pair, ...made } = await makeUser(fresh, names);
      const { key: recoveryKey, ...recovery } = await makeRecovery(pair);
      keepToken((await call("POST", "rescue", { link, ...names, ...made, ...recovery })).token);
      await entered(names, await signInAt(names, made.secret, "password"), pair); // so that this browser's workplace is known
      held = { pair, secret: made.secret };
      show("recovery", { recoveryKey });
    },
  },
  first: {
    known: { "sign-in": ["entry.initialWrong", "initial"] },
    async submit({ initial, fresh }) {
      const now = /** @type {Session} */ (session);
      held ??= await openOwn(now, initial);
      if (!held) return dispatch({ type: "trouble", trouble: { ...plain("entry.initialWrong"), field: "initial" } });
      const secret = await changePassword(now, held.pair, { by: "password", secret: held.secret }, fresh);
      held = { ...held, secret };
      show("recovery", { recoveryKey: await changeRecovery(held.pair, secret) });
    },
  },
  name: {
    known: {},
    async submit({ workplace }) {
      const now = /** @type {Session} */ (session);
      const pair = await newWorkplacePair();
      const { id, token: own } = await call("POST", "workplaces", { name: workplace.trim(), publicKey: pair.public });
      await keepPlace({
        practice: now.practice.short, practiceName: now.practice.name, id, token: own, pair, own: new Map(), user: now.user.short, released: false,
      });
      if (held) await keepOwn(now, held.pair.public);
      await proceed(await refresh());
    },
  },
  /** An admin releases the own workplace. */
  release: {
    known: { "sign-in": ["entry.passwordWrong", "password"] },
    async submit({ password }) {
      const now = /** @type {Session} */ (session);
      const place = await placeOf(now.practice.short);
      held ??= await openOwn(now, password);
      if (!held || !place) return dispatch({ type: "trouble", trouble: { ...plain("entry.passwordWrong"), field: "password" } });
      const keys = await openAll(now.user.keys, held.pair);
      if (!keys.some(({ version }) => version === now.practice.keyVersion)) return dispatch({ type: "trouble", trouble: plain("entry.releaseKeyless") });
      await call("POST", `workplaces/${place.id}/release`, { keys: await sealAll(keys, place.pair.public) });
      await proceed(await refresh());
    },
  },
};

/**
 * @param {import("../keys.js").Names} names
 * @param {string} secret
 * @param {"password" | "recovery"} by
 * @returns {Promise<Session>}
 */
async function signInAt(names, secret, by) {
  return call("POST", "sign-in", { ...names, secret, by, workplace: (await placeOf(names.practice))?.token });
}

/**
 * Somebody is signed in: who was asked for, with the own key. Fails with #own-key before anything is kept.
 * @param {import("../keys.js").Names} names
 * @param {Session} told
 * @param {Pair | null} own  as the password or the recovery key opened it; with a passkey nothing does
 */
async function entered(names, told, own) {
  if (short(told.practice.short) !== names.practice || short(told.user.short) !== names.user) throw notOwn();
  if (own && own.public !== told.user.publicKey) throw notOwn();
  if (!own) await recognise(told);
  history.replaceState(null, "", location.pathname); // the link is used
  held = null;
  session = told;
  keep(told);
  const place = await placeOf(names.practice);
  if (place) await keepPlace({ ...place, user: names.user, practiceName: told.practice.name, released: told.workplace?.state === "released" });
  if (own) await keepOwn(told, own.public);
}

/** The next step, whichever it is. @param {Session} [told] */
async function proceed(told = /** @type {Session} */ (session)) {
  session = told;
  const { practice, user, workplace } = told;
  if (user.mustChange) return show("first", { needsPassword: !held });
  const place = await placeOf(practice.short);
  if (place && place.id !== workplace?.id) {
    await forgetPlace(practice.short); // refused or withdrawn: its keys open nothing new
    return show(workplace ? "name" : "refused");
  }
  if (!workplace || !place) return show("name");
  if (workplace.state === "waiting") return wait(told);
  await keepPlace({ ...place, released: true });
  if (held) await fillOwn(told, await openVault(told), held.pair);
  comeBack();
}

/** @param {Session} told */
async function wait({ user, workplace }) {
  if (state.screen !== "waiting") {
    show("waiting", { workplace: workplace?.name, words: null, admin: keeps(user.role), needsPassword: !held });
    spell();
  }
  clearTimeout(looking);
  looking = setTimeout(look, LOOK_MS);
}

/** Whether somebody has released this workplace. */
async function look() {
  if (state.screen !== "waiting") return;
  if (state.busy) return void (looking = setTimeout(look, LOOK_MS));
  try {
    const told = await refresh();
    if (state.offline) dispatch({ type: "offline", offline: false });
    await proceed(told);
  } catch (error) {
    const { kind } = /** @type {any} */ (error);
    if (kind === "session") return show("signIn", { why: "ended" });
    if (kind === "own-key") return begone(error);
    dispatch({ type: "offline", offline: true });
    looking = setTimeout(look, LOOK_MS);
  }
}

/** The words that the releasing colleague sees, too. */
async function spell() {
  const place = session && (await placeOf(session.practice.short));
  if (session && place) dispatch({ type: "words", words: await checkWords(place.pair.public, session.practice.id, state.language) });
}

/**
 * Something that takes a moment and may be refused.
 * @param {Record<string, string | [string, string]>} known
 * @param {() => Promise<void>} what
 */
async function run(known, what) {
  dispatch({ type: "busy" });
  try {
    await what();
  } catch (error) {
    const kind = /** @type {any} */ (error).kind;
    if (kind === "session") return show("signIn", { why: "ended" });
    if (kind === "own-key" && token() !== null) return begone(error);
    if (!kind) console.warn("visavis:", error instanceof Error ? `${error.name}: ${error.message}` : "unknown trouble");
    const own = known[kind];
    const [key, field] = Array.isArray(own) ? own : [own, null];
    dispatch({ type: "trouble", trouble: { ...sentenceOf(error, key ? { [kind]: key } : {}), field } });
  }
}

/** What the server says of the own user is not so: nothing goes on with this session. @param {unknown} error */
function begone(error) {
  endSession();
  forget();
  [session, held] = [null, null];
  show("signIn", { trouble: { ...sentenceOf(error), field: null } });
}

/** @param {string} key @returns {import("./types.js").Trouble} */
function plain(key) {
  return { key, values: {}, field: null };
}

/** @param {import("./types.js").Screen} screen @param {object} [facts] */
function show(screen, facts = {}) {
  dispatch({ type: "screen", screen, practiceName: session?.practice.name ?? state.practiceName, ...named(), ...facts });
}

/** Whose recovery key is printed. */
function named() {
  return session ? { practice: session.practice.short, user: session.user.short } : {};
}

/** @param {Action} action */
function dispatch(action) {
  if (isLeft()) return;
  state = reduce(state, action);
  if (words) view.render(state, words);
}
