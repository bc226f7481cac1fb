/**
 * Wires the practice's page: what the user does is done by `acts.js`, goes through `reduce` and is drawn. The lists are those of the
 * section that is open.
 */

import { call, listenToDesk } from "../api.js";
import { begin, tell } from "../frame.js";
import { isLeft, whenLeft } from "../leaving.js";
import { checkWords } from "../keys.js";
import * as passkeys from "../passkeys.js";
import { checkFresh, checkPassword } from "../passwords.js";
import { keeps } from "../roles.js";
import { enter, openVault, recogniseRows } from "../session.js";
import { say } from "../../shared/say.js";
import { sentenceOf } from "../words.js";
import { ACTS, Wrong } from "./acts.js";
import { check, initialState, isOther, reduce, shownFor } from "./state.js";
import * as view from "./view.js";

/** @typedef {import("../types.js").Session} Session */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").State} State */

const AUDIT_LINES = 100;

let state = initialState();
let words = /** @type {import("./types.js").Words | null} */ (null);
let session = /** @type {Session | null} */ (null);
let vault = /** @type {import("../types.js").Vault | null} */ (null);
/** Whether something changed that the lists do not show yet. */
let outdated = false;
const live = listenToDesk();

start();

async function start() {
  whenLeft(drop);
  view.mount(act);
  addEventListener("hashchange", () => turnTo(location.hash.slice(1)));
  await begin(["practice"], (loaded) => {
    words = loaded;
    dispatch({ type: "language", language: loaded.language });
    spell();
  });
  dispatch({ type: "loaded", webauthn: passkeys.supported() });
  dispatch({ type: "section", section: location.hash.slice(1) });
  try {
    await renew();
  } catch (error) {
    return dispatch({ type: "failed", trouble: { ...sentenceOf(error), field: null } });
  }
  live.addEventListener("message", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    if (detail.type === "state" || ["users", "workplaces", "practice"].includes(detail.what)) look();
  });
  live.addEventListener("closed", look); // the session ended, and asking tells so
  live.open();
}

/** Nothing of the practice stays. */
function drop() {
  live.close();
  [session, vault] = [null, null];
  state = initialState();
}

/** What the user does: a form, a button that acts at once, a button that opens its dialog, or something for this page alone. @param {Action} action */
function act(action) {
  const { type, form, id, name, values } = action;
  if (type === "submit") return submit(form, values);
  if (AT_ONCE.has(type) && !(SEALING.has(type) && isOther(state, id))) return void perform(type, { id, name, holders: shownFor(state, type, id) }, {});
  if (type in ACTS) return dispatch({ type: "dialog", kind: type, id, name });
  if (type in HERE) return HERE[type]();
  dispatch(action);
}

/** Buttons that need no question, unless there is another key than before. */
const AT_ONCE = new Set(["release", "refuse", "giveKeys", "endSession"]);
const SEALING = new Set(["release", "giveKeys"]);

/** @type {Record<string, () => void>} */
const HERE = {
  reload: () => location.reload(),
  print: () => print(),
  copy,
  auditMore: () => run({}, () => moreAudit(false)),
};

/** A form, whatever it is about. @param {string} form @param {Record<string, string>} values */
function submit(form, values) {
  if (state.busy) return;
  const trouble = check(values) ?? checkPassword("password", values) ?? checkFresh(values);
  if (trouble) return dispatch({ type: "trouble", trouble });
  perform(form, state.dialog ?? { id: "", name: "", holders: shownFor(state, form, "") }, values);
}

/** @param {string} type @param {Pick<import("./types.js").Dialog, "id" | "name" | "holders">} about @param {Record<string, string>} values */
async function perform(type, { id, name, holders }, values) {
  const { known = {}, act: deed } = ACTS[type];
  await run(known, () => deed({
    values, id, name, holders, vault, renew, load,
    session: /** @type {Session} */ (session),
    state: () => state,
    knows: () => recogniseRows(/** @type {Session} */ (session), holders),
    confirm: (/** @type {import("./types.js").Row[]} */ rows) => dispatch({ type: "confirmed", rows }),
    show: (dialog) => dispatch({ type: "dialog", ...dialog }),
    tell: (key, holes = {}) => words && tell(say(words, key, holes)),
  }));
}

/**
 * Something that takes a moment and may be refused.
 * @param {Record<string, string | [string, string]>} known
 * @param {() => Promise<void>} what
 */
async function run(known, what) {
  if (state.busy) return;
  dispatch({ type: "busy" });
  try {
    await what();
    dispatch({ type: "done" });
  } catch (error) {
    await fail(known, error);
  }
}

/**
 * What went wrong, in a sentence.
 * @param {Record<string, string | [string, string]>} known
 * @param {unknown} error
 */
async function fail(known, error) {
  if (error instanceof Wrong) return dispatch({ type: "trouble", trouble: error.trouble });
  const kind = /** @type {any} */ (error).kind;
  if (kind === "session") return; // the sign-in page opens
  if (kind === "own-key") return dispatch({ type: "failed", trouble: { ...sentenceOf(error), field: null } });
  if (!kind) console.warn("visavis:", error instanceof Error ? `${error.name}: ${error.message}` : "unknown trouble");
  if (kind === "recipients" || kind === "not-found") {
    const stopped = await renew().then(() => false, (odd) => odd.kind === "own-key" && odd);
    if (stopped) return fail({}, stopped);
    dispatch({ type: "askAgain" });
  }
  const own = known[kind];
  const [key, field] = Array.isArray(own) ? own : [own, null];
  dispatch({ type: "trouble", trouble: { ...sentenceOf(error, key ? { [kind]: key } : {}), field } });
}

/** Session, vault and lists, anew. @returns {Promise<Session>} */
async function renew() {
  session = await enter();
  vault = await openVault(session);
  dispatch({ type: "entered", session, held: [...(vault?.keys.keys() ?? [])] });
  await load();
  return session;
}

/** The lists of the section that is open; people and workplaces always, for whoever stays gets the next key. */
async function load() {
  const admin = keeps(session?.user.role);
  const own = state.section === "own";
  const [users, workplaces, sessions, keys, tokens] = await Promise.all([
    call("GET", "users"),
    call("GET", "workplaces"),
    own ? call("GET", "sessions") : state.sessions,
    own ? call("GET", "passkeys") : state.passkeys,
    admin && ["software", "people"].includes(state.section) ? call("GET", "tokens") : state.tokens,
  ]);
  await recogniseRows(/** @type {Session} */ (session), { users, workplaces });
  dispatch({ type: "loaded", users, workplaces, sessions, passkeys: keys, tokens });
  spell();
  if (admin && state.section === "audit") await moreAudit(true);
}

/** @param {boolean} first */
async function moreAudit(first) {
  const before = first ? "" : `&before=${state.audit.at(-1)?.id}`;
  const lines = await call("GET", `audit?limit=${AUDIT_LINES}${before}`);
  dispatch({ type: "auditLines", lines, more: lines.length === AUDIT_LINES, first });
}

/** Something changed, perhaps at another workplace. What is being done here is not disturbed: the lists follow when it is done. */
async function look() {
  outdated = true;
  if (state.busy || state.dialog || state.screen === "trouble") return;
  outdated = false;
  await renew().catch((error) => (error.kind === "own-key" ? fail({}, error) : undefined)); // else the next change will tell
}

/** @param {string} section */
function turnTo(section) {
  dispatch({ type: "section", section });
  // What is typed meanwhile may be sent at once.
  load().catch((error) => fail({}, error));
}

/** The words of each key that waits. */
async function spell() {
  for (const { state: waits, publicKey } of state.workplaces) {
    if (waits !== "waiting" || !session || publicKey in state.checkWords) continue;
    dispatch({ type: "checkWords", publicKey, words: await checkWords(publicKey, session.practice.id, state.language) });
  }
}

async function copy() {
  await navigator.clipboard.writeText(state.dialog?.secret ?? "").then(() => words && tell(words["common.copied"]), () => {}); // it can be selected
}

/** @param {Action} action */
function dispatch(action) {
  if (isLeft()) return;
  state = reduce(state, action);
  if (words) view.render(state, words);
  if (outdated && !state.busy && !state.dialog) look();
}
