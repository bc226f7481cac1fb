/**
 * The page on the screen: `render(state, words)` draws the whole state and may be called any number of times, `level` the
 * meter's value; what the user does comes out of `mount` as plain actions (`data-do` in the markup names them). `stage.js`
 * draws the call, `panels.js` its dialogs, `controls.js` switches and choices; nobody else touches the document.
 */

import { format } from "../shared/code.js";
import { drawDevices } from "./controls.js";
import { all, clone, complain, el, form, input, part, put, translate } from "../shared/dom.js";
import { say } from "../shared/say.js";
import { practiceOf } from "./state.js";
import { drawKnocks, drawPanels, mountPanels } from "./panels.js";
import { drawCall, drawPictures, mountStage } from "./stage.js";
import { sentence, titleOf, troubleOf, when } from "./words-of.js";

export { level } from "./controls.js";
export { save } from "../shared/dom.js";
export { attach, largePicture, unmute } from "./stage.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Words} Words */
/** @typedef {import("./types.js").Action} Action */

const IDLE_MS = 4000;

/** @type {(action: Action) => void} */
let emit = () => {};
/** What was drawn last, so that focus moves and a sentence is said only once. */
const drawn = { screen: "", announcement: 0 };

/** What the markup says until the scripts are here. */
const overdue = document.querySelector(".overdue");

for (const place of all("[data-phone]")) place.append(clone("phone"));

/**
 * Listens to the user.
 * @param {(action: Action) => void} listener
 */
export function mount(listener) {
  emit = listener;
  document.addEventListener("click", onClick);
  document.addEventListener("change", onChange);
  input("zoom-value").addEventListener("input", () => emit({ type: "adjust", wish: { zoom: input("zoom-value").valueAsNumber } }));
  form("code-form", () => emit({ type: "submitCode", code: input("code").value }));
  form("name-form", () => emit({ type: "submitName", name: input("name").value }));
  mountPanels(listener);
  mountStage(listener);
  for (const type of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(type, onAwake);
}

/** @param {State} state @param {Words} words */
export function render(state, words) {
  translate(words);
  const moved = state.screen !== drawn.screen;
  drawn.screen = state.screen;
  document.body.dataset.screen = state.screen;
  overdue?.remove();
  for (const section of all("section")) section.hidden = section.id !== `screen-${state.screen}`;
  document.title = `${say(words, titleOf(state), { count: String(state.knocks.length) })} · visavis`;
  drawPractice(practiceOf(state));
  for (const line of all("[data-notice]")) put(line, state.notice && sentence(state.notice, words));
  for (const button of all("[data-hushed]")) button.hidden = !state.hushed;
  SCREENS[state.screen](state, words, moved);
  drawDevices(state, words);
  drawKnocks(state, words);
  drawPanels(state, words);
  drawPictures(state);
  if (moved) moveFocus(state);
  announce(state, words);
}

/** @type {Record<import("./types.js").Screen, (state: State, words: Words, moved: boolean) => void>} */
const SCREENS = {
  looking(state, words) {
    put(el["looking-title"], words["looking.title"]);
    const text = state.signaling === "down" ? "looking.down" : state.back ? "looking.back" : "looking.text";
    put(el["looking-text"], words[text]);
    el["looking-away"].hidden = state.signaling !== "down";
  },
  code(state, words, moved) {
    if (moved) input("code").value = format(state.code);
    complain("code", state.problem && words[`problem.${state.problem}`]);
  },
  welcome(state, words, moved) {
    if (moved) input("name").value = state.name;
    const practice = practiceOf(state).name;
    const title = practice ? say(words, "welcome.title", { practice }) : words["welcome.titleNobody"];
    put(el["welcome-title"], title);
    put(el["welcome-when"], say(words, "welcome.when", { when: when(state.startsAt, state, words) }));
    complain("name", state.problem && words["welcome.nameMissing"]);
  },
  early(state, words) {
    put(el["early-opens"], say(words, "early.opens", { when: when(state.opensAt, state, words) }));
    put(el["early-starts"], state.startsAt && say(words, "early.starts", { when: when(state.startsAt, state, words) }));
    el["early-trial"].hidden = state.role === "doctor";
  },
  trial(state, words) {
    const asking = drawTest("trial", state, words);
    put(el["trial-text"], (asking || triesBoth(state)) && words[asking ? "check.asking" : "check.text"]);
    el.judge.setAttribute("aria-disabled", String(asking));
  },
  ready: drawReady,
  problem(state, words) {
    const expires = state.expiresAt ? new Date(state.expiresAt).toLocaleString(words.locale, DAY_AND_TIME) : "";
    put(el["problem-title"], words[`problem.${state.problem}.title`]);
    put(el["problem-text"], say(words, `problem.${state.problem}.text`, { expires }));
    put(el["problem-next"], words[`problem.${state.problem}.next`]);
    el["problem-retry"].hidden = ["code-expired", "code-revoked", "code-used"].includes(String(state.problem));
  },
  browser(state, words) {
    put(el["browser-text"], words[`browser.${state.problem}.text`]);
    put(el["browser-next"], words[`browser.${state.problem}.next`]);
    const incomplete = state.problem === "incomplete";
    put(el["browser-title"], words[incomplete ? "browser.incomplete.title" : "browser.title"]);
    el["browser-reload"].hidden = !incomplete;
    el["browser-copy"].hidden = incomplete;
  },
  check(state, words) {
    const doctor = state.role === "doctor";
    const asking = drawTest("check", state, words);
    const text = asking ? "check.asking" : doctor ? "check.textDoctor" : "check.text";
    put(el["check-title"], words[doctor ? "check.titleDoctor" : "check.title"]);
    const shown = asking || doctor || triesBoth(state);
    put(el["check-text"], shown && say(words, text, { when: when(state.startsAt, state, words) }));
    const next = doctor ? "check.toRoom" : "check.toWaiting";
    put(el.join, words[state.joining ? "check.joining" : next]);
    el.join.setAttribute("aria-disabled", String(state.joining));
    el["check-other-side"].hidden = !doctor;
  },
  waiting(state, words) {
    const doctor = state.role === "doctor";
    const text = doctor ? "textDoctor" : state.sentBack ? "sentBack" : state.doctor ? "textDoctorHere" : "text";
    put(el["waiting-title"], words[doctor ? "waiting.titleDoctor" : "waiting.title"]);
    put(el["waiting-text"], words[`waiting.${text}`]);
    put(el["waiting-occupied"], state.occupied && !doctor && words["waiting.occupied"]);
    put(el["waiting-offline"], state.signaling === "down" && words["signaling.down"]);
    put(el["waiting-when"], say(words, "waiting.when", { when: when(state.startsAt, state, words) }));
  },
  room(state, words) {
    put(el["room-when"], say(words, "room.when", { when: when(state.startsAt, state, words) }));
    put(el["room-offline"], state.signaling === "down" && words["signaling.down"]);
    put(el["room-trouble"], troubleOf(state, words));
    el["room-empty"].hidden = state.knocks.length > 0;
  },
  call: drawCall,
  end(state, words) {
    put(el["end-title"], words[`end.${state.end}.title`]);
    put(el["end-text"], words[`end.${state.end}.text${state.role === "doctor" ? "Doctor" : ""}`] ?? words[`end.${state.end}.text`]);
    // Who came from the practice's desk goes back there, and needs neither its number nor a code.
    const fromDesk = state.role === "doctor" && state.inviter !== null;
    el["end-desk"].hidden = !fromDesk;
    el["end-else"].hidden = fromDesk;
    const open = !state.expiresAt || Date.parse(state.expiresAt) > state.now;
    el.rejoin.hidden = !open || ["revoked", "mismatch", "weak"].includes(String(state.end));
    const toRoom = state.role === "doctor" && state.end !== "left"; // the others may still be in the call
    put(el.rejoin.hidden ? null : el.rejoin, words[toRoom ? "end.rejoinRoom" : "end.rejoin"]);
  },
};

/**
 * What goes with a picture and a meter, wherever devices are tried.
 * @param {"check" | "trial"} screen
 * @param {State} state
 * @param {Words} words
 * @returns {boolean} whether the browser is still asking
 */
function drawTest(screen, state, words) {
  const { media } = state;
  // The check before the appointment wants both on: one that is off is about to be asked for.
  const open = screen === "trial" ? ["asking", "off"] : ["asking"];
  const asking = open.includes(media.microphone) || open.includes(media.camera);
  const trouble = troubleOf(state, words) ?? (state.hints.silent && words["hint.silent"]);
  put(el[`${screen}-problem`], trouble);
  el[`${screen}-again`].hidden = !troubleOf(state, words) || asking;
  el[`${screen}-level`].hidden = media.microphone !== "on";
  put(el[`${screen}-level-hint`], state.hushed && media.microphone === "on" && words["check.levelHint"]);
  return asking;
}

/** Whether there is an own picture to look at and a bar that moves. @param {State} state */
function triesBoth({ media }) {
  return media.camera === "on" && media.microphone === "on";
}

/** @param {State} state @param {Words} words */
function drawReady({ readiness, told, inviter }, words) {
  put(el["ready-title"], words[readiness ? `ready.${readiness.verdict}.title` : "ready.title"]);
  put(el["ready-text"], words[readiness ? `ready.${readiness.verdict}.text` : "ready.text"]);
  put(el["ready-back"], words[readiness ? "ready.back" : "trial.stop"]);
  for (const name of ["result", "verdict", "retry"]) el[`ready-${name}`].hidden = !readiness;
  el["ready-wait"].hidden = readiness !== null;
  // Where no practice planned this, nobody would read it.
  const offered = readiness !== null && inviter !== null && told !== "told";
  if (!offered && el.tell === document.activeElement) el["ready-title"].focus({ preventScroll: true });
  el["ready-tell"].hidden = !offered;
  put(el.tell, words[told === "telling" ? "ready.telling" : "ready.tell"]);
  el.tell.setAttribute("aria-disabled", String(told === "telling"));
  put(el["ready-not-told"], told === "failed" && words["ready.failed"]);
  el["ready-told"].hidden = told !== "told";
  if (!readiness) return;
  drawMark(el["ready-verdict"], MARKS[readiness.verdict], words[`ready.${readiness.verdict}`]);
  for (const name of PARTS) {
    const row = part(el["ready-result"], name);
    const hampers = name === "camera" ? "yellow" : readiness.verdict;
    drawMark(row, MARKS[readiness[name] === "ok" ? "green" : hampers], words[`ready.${name}.${readiness[name]}`]);
    const cause = readiness.causes[name];
    put(row.querySelector("p"), cause && words[cause]);
  }
}

/** @type {(keyof import("./types.js").Parts)[]} */
const PARTS = ["camera", "microphone", "relay"];
/** Told apart by shape before colour. */
const MARKS = { green: "good", yellow: "warning", red: "bad" };

/** @param {HTMLElement} element @param {string} mark @param {string} text */
function drawMark(element, mark, text) {
  element.dataset.mark = mark;
  element.querySelector("use")?.setAttribute("href", `#i-${mark}`);
  put(element.querySelector("strong"), text);
}

/** Name and number of the practice, wherever they stand; one tap calls it. @param {import("./types.js").Practice} practice */
function drawPractice({ name, phone }) {
  for (const place of all("[data-practice]")) {
    place.hidden = !name;
    put(place.querySelector("strong"), name);
  }
  for (const place of all("[data-phone]")) {
    place.hidden = !phone;
    const link = place.querySelector("a");
    put(link, phone?.replaceAll(" ", "\u00a0"));
    link?.setAttribute("href", `tel:${(phone ?? "").replace(/[^+0-9]/g, "")}`);
  }
}

/** @type {Intl.DateTimeFormatOptions} */
const DAY_AND_TIME = { dateStyle: "long", timeStyle: "short" };

/** @param {State} state */
function moveFocus(state) {
  if (state.screen === "looking") return; // the page has just been opened: reading starts at the top anyway
  window.scrollTo(0, 0);
  el[`${state.screen}-title`].focus({ preventScroll: true });
}

/** @param {State} state @param {Words} words */
function announce(state, words) {
  if (!state.announcement || state.announcement.id === drawn.announcement) return;
  drawn.announcement = state.announcement.id;
  el.announcer.textContent = sentence(state.announcement, words);
}

/** @param {MouseEvent} event */
function onClick(event) {
  emit({ type: "gesture" });
  const target = /** @type {Element} */ (event.target).closest("[data-do]");
  if (!(target instanceof HTMLElement) || target.getAttribute("aria-disabled") === "true") return;
  const { do: type, seat, knock, panel, device, language, quality } = target.dataset;
  const on = target.getAttribute("aria-checked") !== "true";
  emit({ type: type ?? "", seat: Number(seat), knock, panel, device, on, language, quality });
}

/** @param {Event} event */
function onChange(event) {
  const select = /** @type {Element} */ (event.target);
  if (select.matches(".quality input")) emit({ type: "quality", quality: /** @type {HTMLInputElement} */ (select).value });
  const kind = /** @type {HTMLElement | null} */ (select.closest("[data-choice]"))?.dataset.choice;
  if (select instanceof HTMLSelectElement && kind) emit({ type: "choose", kind, id: select.value });
}

/** The controls fade while a desktop mouse rests; the style sheet decides where. */
let resting = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
function onAwake() {
  clearTimeout(resting);
  document.body.removeAttribute("data-resting");
  resting = setTimeout(() => document.body.toggleAttribute("data-resting", true), IDLE_MS);
}

