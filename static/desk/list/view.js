/**
 * The list's page on the screen: `render(state, words)` draws the whole state and may be called any number of times; what
 * the user does comes out of `mount` as plain actions (`data-do` in the markup names them).
 */

import { all, el, form, input, put } from "../../shared/dom.js";
import { say } from "../../shared/say.js";
import { drawFrame, tell } from "../frame.js";
import { drawDetail, drawDialog, mountDialog } from "./detail-view.js";
import { drawDoor, drawList, labelOptional } from "./list-view.js";
import { drawPlan, mountPlan } from "./plan-view.js";
import { titleOf } from "./words-of.js";

export { focusField } from "./plan-view.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Words} Words */
/** @typedef {import("./types.js").Action} Action */

/** What was drawn last, so that focus moves and a sentence is said only once. */
const drawn = {
  screen: "",
  current: /** @type {string | null} */ (null),
  announcement: /** @type {State["announcement"]} */ (null),
  notice: /** @type {State["notice"]} */ (null),
  words: /** @type {Words | null} */ (null),
  listAt: 0,
};

/** What the markup says until the scripts are here. */
const overdue = document.querySelector(".overdue");

/**
 * Listens to the user.
 * @param {(action: Action) => void} emit
 */
export function mount(emit) {
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target).closest("[data-do]");
    if (!(target instanceof HTMLElement) || target.getAttribute("aria-disabled") === "true") return;
    const { do: type, id, day, by, dialog, seat } = target.dataset;
    emit({ type: type ?? "", id, day, by: Number(by), dialog, seat: seat ? Number(seat) : null });
  });
  input("search").addEventListener("input", () => emit({ type: "search", query: input("search").value }));
  for (const id of ["past", "sound"]) input(id).addEventListener("change", () => emit({ type: id, on: input(id).checked }));
  form("plan-form", () => emit({ type: "submit" }));
  form("guest-form", () => emit({ type: "addGuest", label: input("guest").value }));
  mountPlan(emit);
  mountDialog(() => emit({ type: "dialog", dialog: "none" }));
}

/** @param {State} state @param {Words} words */
export function render(state, words) {
  const moved = state.screen !== drawn.screen || state.current !== drawn.current;
  if (moved && drawn.screen === "list") drawn.listAt = window.scrollY;
  document.body.dataset.screen = state.screen;
  overdue?.remove();
  drawFrame(words, state.practice.name ? /** @type {any} */ ({ practice: state.practice }) : null, titleOf(state, words));
  if (words !== drawn.words) labelOptional(words);
  for (const section of all("main > section:not(#door)")) section.hidden = section.id !== `screen-${state.screen}`;
  drawNews(state, words);
  drawDoor(state, words);
  SCREENS[state.screen](state, words);
  drawDialog(state, words);
  Object.assign(drawn, { screen: state.screen, current: state.current, words });
  if (moved) moveFocus(state);
  speak(state, words);
}

/** To the letter that helps with the devices. */
export function toTip() {
  const kind = /** @type {HTMLInputElement | null} */ (el.invitation.querySelector("input[value=tip]"));
  kind?.click();
  kind?.focus();
}

/** To what somebody else has changed. */
export function toStale() {
  window.scrollTo(0, 0);
}

/** After a guest was added: the field is free for the next. */
export function clearGuest() {
  input("guest").value = "";
}

/** @type {Record<import("./types.js").Screen, (state: State, words: Words) => void>} */
const SCREENS = {
  opening() {},
  trouble({ problem }, words) {
    const vault = problem?.key === "list.vault.text";
    put(el["trouble-title"], words[vault ? "list.vault.title" : "list.trouble.title"]);
    put(el["trouble-text"], problem && say(words, problem.key, problem.values));
    el["trouble-again"].hidden = vault;
  },
  list: drawList,
  detail: drawDetail,
  plan: drawPlan,
};

/** What everybody must know, wherever they are. @param {State} state @param {Words} words */
function drawNews(state, words) {
  const { live, unsaved, room, problem, screen, entries } = state;
  put(el["live-down"], live === "down" && screen !== "opening" && screen !== "trouble" && words["list.live.down"]);
  el.unsaved.hidden = unsaved.length === 0;
  put(el["unsaved-text"], unsaved.length > 0 && say(words, unsaved.length === 1 ? "list.unsaved.one" : "list.unsaved.many", { count: String(unsaved.length) }));
  const entry = entries.get(room ?? "");
  el.room.hidden = !room;
  put(el["room-text"], room && (entry?.facts?.name ? say(words, "list.room", { name: entry.facts.name }) : words["list.roomNameless"]));
  el["room-again"].dataset.id = room ?? "";
  put(el.problem, screen !== "trouble" && problem && say(words, problem.key, problem.values));
  el.news.hidden = [...el.news.children].every((child) => /** @type {HTMLElement} */ (child).hidden);
}

/** @param {State} state */
function moveFocus({ screen }) {
  if (screen === "opening") return;
  window.scrollTo(0, screen === "list" ? drawn.listAt : 0);
  el[`${screen}-title`].focus({ preventScroll: true });
}

/** @param {State} state @param {Words} words */
function speak(state, words) {
  const { announcement, notice } = state;
  if (announcement && announcement !== drawn.announcement) el.announcer.textContent = say(words, announcement.key, announcement.values);
  if (notice && notice !== drawn.notice) tell(say(words, notice.key, notice.values));
  Object.assign(drawn, { announcement, notice });
}
