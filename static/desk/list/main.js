/**
 * Wires the practice's list: what the user does and what the server says goes through `reduce` and is drawn; this file
 * keeps the handles (book, socket, sound) and does what the outside world must notice. Which
 * screen is open stands in the fragment, so that the browser's own way back works.
 */

import { onAsked, ROOM } from "../../shared/room.js";
import { Sound } from "../../shared/sound.js";
import { leave, listenToDesk, token } from "../api.js";
import { begin } from "../frame.js";
import { isLeft, whenLeft } from "../leaving.js";
import { enter, isReady, kept, openVault, refresh } from "../session.js";
import { sentenceOf } from "../words.js";
import { Book, page } from "./book.js";
import { problemOf } from "./draft.js";
import { entered, keepEntered, keepSound, sound as soundKept } from "./kept.js";
import { today } from "./shown.js";
import { inCall, initialState, reduce } from "./state.js";
import * as view from "./view.js";
import { momentOf } from "./zone.js";

/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Words} Words */
/** @typedef {import("./types.js").Waiting} Waiting */

const TICK_MS = 10_000;
const DRAW_MS = 16;
/** What was typed is kept so long after the last key. */
const KEEP_MS = 400;
/** While thousands of records are being opened the list is drawn no oftener. */
const LOADING_MS = 200;
/** What the server refuses, in words of this page. */
const REFUSED = { full: "detail.full", "last-seat": "detail.onlySeat", "not-found": "detail.gone", revoked: "detail.isCancelled", expired: "detail.isOver" };
/** @type {Record<string, string>} */
const DONE = { cancel: "detail.cancelled", delete: "detail.deleted", reissue: "detail.reissued", remove: "detail.removed" };

let state = { ...initialState(), sound: soundKept(), entered: entered() };
let words = /** @type {Words | null} */ (null);
let book = /** @type {Book | null} */ (null);
/** What the next screen is told beside its place. */
let arriving = /** @type {{ fresh?: boolean }} */ ({});
let drawing = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
let drawingAt = Infinity;
let keeping = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
/** Since the server's `state` every change is told, until the line breaks. */
let told = false;
/** The line was not there for a while: changes may have gone unheard. */
let missed = false;

/** Until the first names are there. */
let first = true;

/** Codes for the tabs that *Start* has opened, until they have asked. @type {Map<Window, Promise<import("../../shared/room.js").Handed | null>>} */
const rooms = new Map();
/** Knocks that were heard. @type {Set<string>} */
const heard = new Set();
const sound = new Sound();
const live = listenToDesk();

start().catch(fail);

async function start() {
  const speaking = begin(["list", "invitation"], (said) => {
    words = said;
    dispatch({ type: "set", change: { language: said.language } });
    draw();
  });
  whenLeft(drop);
  view.mount(act);
  listen();
  // Whoever was here before need not wait for the session to be asked: everything is asked for at once.
  const known = kept();
  if (token() === null) return leave("step");
  if (known && isReady(known)) live.open();
  const early = known && isReady(known) ? page(false) : null;
  early?.catch(() => {}); // said where it is needed
  const session = await enter();
  const settled = new Promise((resolve) => ["message", "down", "closed"].forEach((event) => live.addEventListener(event, resolve)));
  live.open();
  const vault = await openVault(session);
  dispatch({ type: "session", session, now: Date.now() });
  await speaking;
  if (!vault) return dispatch({ type: "set", change: { screen: "trouble", problem: { key: "list.vault.text", values: {} } } });
  book = new Book(vault, () => state, dispatch);
  await book.restoreDraft();
  if (early) book.show(await early);
  // What changes between a list's answer and the line's first word would be missed: so the whole is asked for after that word.
  if (!told && !missed) await settled;
  missed = !told;
  await book.load(false);
  await catchUp();
  await book.restore();
}

/** Nothing that was opened stays. */
function drop() {
  live.close();
  clearTimeout(keeping);
  rooms.clear();
  book = null;
  state = initialState();
}

/** What the user does. @param {Action} action */
function act(action) {
  (ON_ACTION[action.type] ?? dispatch)(action);
  draw();
}

/** @param {Action} action */
function dispatch(action) {
  if (isLeft()) return;
  const before = state;
  state = reduce(state, action);
  if (state.screen === "list" && before.screen === "opening" && location.hash.length > 1) route();
  for (const { knock } of state.waiting) ring(knock);
  if (state.draft !== before.draft) {
    clearTimeout(keeping);
    keeping = setTimeout(() => book?.keepDraft(state.draft).catch(fail), KEEP_MS);
  }
  const many = (action.type === "page" || action.type === "opened") && !first;
  first &&= !(action.type === "opened");
  if (state !== before) drawSoon(many ? LOADING_MS : DRAW_MS);
}

/** @type {Record<string, (action: Action) => void>} */
const ON_ACTION = {
  now: () => under("now", async (on) => {
    const id = await on.now();
    go(`#consultation=${id}`, { fresh: true });
  }),
  start({ id }) {
    if (!book || state.busy) return;
    // At the click, or the browser would not allow it; the code follows from window to window.
    const tab = window.open(ROOM, "_blank");
    under(`start ${id}`, async (on) => {
      const made = tab && on.enter(id);
      if (tab && made) rooms.set(tab, made.catch(() => null));
      try {
        await made;
      } catch (problem) {
        tab?.close();
        throw problem;
      }
      dispatch({ type: "entered", id });
      keepEntered(state.entered);
    });
  },
  submit,
  discard() {
    const { draft } = state;
    dispatch({ type: "discard" });
    go(draft?.id ? `#consultation=${draft.id}` : "#");
  },
  ask: (action) => dispatch({ ...action, type: "dialog" }),
  yes: () => answered(),
  addGuest({ label }) {
    const { current } = state;
    if (!current) return;
    under("guest", async (on) => {
      await on.addGuest(current, label.trim());
      view.clearGuest();
      dispatch({ type: "notice", key: "detail.added" });
    });
  },
  telephone() {
    const { current } = state;
    if (current) under("telephone", (on) => on.amend(current, (facts) => ({ ...facts, telephone: !facts.telephone })));
  },
  letter: () => view.toTip(),
  saveAgain: () => under("saveAgain", (on) => on.retry()),
  reload: () => location.reload(),
  past(action) {
    dispatch(action);
    if (action.on && !state.loaded.past) book?.load(true).catch(fail);
  },
  searchPast: () => act({ type: "past", on: true }),
  allDays: () => dispatch({ type: "day", day: state.day }),
  day(action) {
    dispatch(action);
    if (state.day && !state.loaded.past && state.day < today(state)) book?.load(true).catch(fail);
  },
  sound({ on }) {
    keepSound(on);
    dispatch({ type: "set", change: { sound: on } });
    if (on) sound.wake().then(() => sound.knock(), () => {}); // that is how it sounds
  },
  language() {}, // frame.js
  signOut() {},
};

/**
 * One thing at a time, with what went wrong told.
 * @param {string} what
 * @param {(book: Book) => Promise<unknown>} does
 * @param {Record<string, string>} [refused]
 */
async function under(what, does, refused = REFUSED) {
  if (!book || state.busy) return;
  dispatch({ type: "busy", what });
  try {
    await does(book);
    dispatch({ type: "done" });
  } catch (problem) {
    dispatch({ type: "failed", ...sentenceOf(problem, refused) });
  }
}

/** The form. */
function submit() {
  const { draft } = state;
  if (!draft) return;
  const field = problemOf(draft.values);
  if (field) {
    dispatch({ type: "misread", field });
    draw();
    return view.focusField(field);
  }
  under("save", async (on) => {
    if (draft.id === null) {
      const { id, note } = await on.create(draft.values);
      dispatch({ type: "discard" });
      go(`#consultation=${id}`);
      dispatch({ type: "notice", ...(note ? clockNote(draft) : { key: "detail.created" }) });
      return;
    }
    try {
      const { moved } = await on.change(draft);
      dispatch({ type: "discard" });
      go(`#consultation=${draft.id}`);
      dispatch({ type: "notice", key: moved ? "detail.moved" : "detail.changed" });
    } catch (problem) {
      if (/** @type {any} */ (problem).kind !== "stale") throw problem;
      dispatch({ type: "stale", id: draft.id });
      view.toStale();
    }
  });
}

/** What the server decided about a time that the clocks skip or show twice. @param {import("./types.js").Draft} draft */
function clockNote({ values: { date, time } }) {
  const { timeZone } = state.practice;
  const { at, kind } = momentOf(timeZone, date, time);
  const then = new Date(at).toLocaleTimeString("de-DE", { hour: "2-digit", minute: "2-digit", timeZone });
  return { key: kind === "twice" ? "plan.twice" : "plan.skipped", values: { time, then } };
}

/** The question was answered with yes. */
function answered() {
  const { dialog, current, seat } = state;
  if (!current) return;
  under(dialog, async (on) => {
    if (dialog === "cancel") await on.cancel(current);
    if (dialog === "reissue") await on.reissue(current, Number(seat));
    if (dialog === "remove") await on.remove(current, Number(seat));
    dispatch({ type: "dialog", dialog: "none" });
    if (dialog === "delete") {
      await on.delete(current);
      go("#");
    }
    dispatch({ type: "notice", key: DONE[dialog] });
  });
}

// ---- where the user is ----

/** To another screen; the form that was sent is no place to come back to. @param {string} hash @param {typeof arriving} [told] */
function go(hash, told = {}) {
  arriving = told;
  if (state.screen === "plan") location.replace(hash);
  else location.hash = hash;
  route();
}

function route() {
  if (state.screen === "opening" || state.screen === "trouble") return;
  const [place, id = ""] = location.hash.slice(1).split("=");
  const told = arriving;
  const entry = state.entries.get(id);
  if (id && (!entry || entry.lock === "sealed")) {
    // It may not have come yet, or be of the past; and without its record no form is filled.
    book?.update(id).then(() => {
      if (state.entries.has(id)) return route();
      dispatch({ type: "notice", key: "detail.gone" });
      go("#");
    }, fail);
    return;
  }
  arriving = {};
  const same = place === "consultation" && state.screen === "detail" && state.current === id;
  if (same) return;
  if (place === "consultation" && id) dispatch({ type: "go", screen: "detail", id, ...told });
  else if (place === "plan" || place === "change" || place === "copy") {
    dispatch({ type: place, id });
    dispatch({ type: "go", screen: "plan", id: id || null });
  } else dispatch({ type: "go", screen: "list" });
  draw();
}

// ---- live ----

function listen() {
  window.addEventListener("hashchange", route);
  onAsked(handCode);
  live.addEventListener("message", (event) => hear(/** @type {CustomEvent} */ (event).detail));
  live.addEventListener("up", () => dispatch({ type: "live", live: "up" }));
  live.addEventListener("down", () => dispatch({ type: "live", live: "down" }));
  for (const event of ["down", "closed"]) {
    live.addEventListener(event, () => {
      told = false;
      missed = true;
    });
  }
  // 1008: the session ended. Whatever else it is, asking tells.
  live.addEventListener("closed", () => refresh().then(() => setTimeout(() => live.open(), TICK_MS), () => {}));
  setInterval(() => dispatch({ type: "tick", now: Date.now() }), TICK_MS);
  sound.addEventListener("change", () => dispatch({ type: "set", change: { hushed: sound.hushed ?? false } }));
  if (state.sound) sound.tune();
  for (const gesture of ["pointerdown", "keydown"]) {
    document.addEventListener(gesture, () => void (state.sound && sound.hushed !== false && sound.wake()));
  }
}

/** To a tab that has just been opened, or whose doctor took longer over camera and name than a code is good for. @type {Parameters<typeof onAsked>[0]} */
async function handCode(tab, consultation) {
  const made = rooms.get(tab);
  rooms.delete(tab);
  if (made) return made;
  return consultation && book ? book.enter(consultation).catch(() => null) : null;
}

/** What may have changed unheard is read anew; what could not be saved is tried again. */
async function catchUp() {
  if (!missed || !told || !book) return;
  missed = false;
  await book.load(false);
  if (state.loaded.past) await book.load(true);
  await book.retry();
}

/** @param {import("../../shared/signaling.js").Message} message */
function hear(message) {
  if (message.type === "state") {
    told = true;
    if (state.loaded.coming) catchUp().catch(fail);
  }
  if (message.type !== "changed") return dispatch(message);
  if (message.what === "consultation") book?.update(message.id).catch(fail);
  if (message.what === "practice" || message.what === "users") renew().catch(fail);
}

/** The practice's name, its zone or its key may be another. */
async function renew() {
  const session = await refresh();
  const vault = await openVault(session);
  const { practice, user, mail } = session;
  if (practice.timeZone !== state.practice.timeZone) return location.reload(); // every day may be another
  dispatch({ type: "set", change: { practice, user, mail } });
  if (!vault || !book) return;
  book.vault = vault;
  book.reopen();
}

/** A knock is heard once, and never during the own call (R08). @param {string} knock */
function ring(knock) {
  if (heard.has(knock)) return;
  heard.add(knock);
  if (state.sound && !inCall(state)) sound.knock();
}

// ---- drawing ----

/** By the clock and not by frames: the title counts in a tab that nobody looks at, too. @param {number} ms */
function drawSoon(ms) {
  const at = performance.now() + ms;
  if (drawingAt <= at) return;
  clearTimeout(drawing);
  drawingAt = at;
  drawing = setTimeout(draw, ms);
}

function draw() {
  clearTimeout(drawing);
  drawingAt = Infinity;
  if (!words || isLeft()) return;
  view.render(state, words);
}

/** What nobody asked for and went wrong all the same. @param {unknown} problem */
function fail(problem) {
  const sentence = sentenceOf(problem);
  if (state.screen === "opening") dispatch({ type: "set", change: { screen: "trouble", problem: sentence } });
  else if (/** @type {any} */ (problem).kind !== "network") dispatch({ type: "failed", ...sentence }); // that the line is down is said already
}
