/**
 * The sign-in page on the screen: `render(state, words)` draws the whole state and may be called any number of times; what the user
 * does comes out of `mount` as plain actions, a form's with what was typed (`values`).
 */

import { all, el, input, put } from "../../shared/dom.js";
import { say } from "../../shared/say.js";
import { drawFrame } from "../frame.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Words} Words */

const drawn = { screen: "", trouble: /** @type {unknown} */ (null) };

/** @param {(action: Action) => void} emit */
export function mount(emit) {
  for (const form of all("form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      emit({ type: form.dataset.form ?? "", values: valuesOf(/** @type {HTMLFormElement} */ (form)) });
    });
  }
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target).closest("[data-do]");
    if (!(target instanceof HTMLElement) || ["language", "signOut"].includes(target.dataset.do ?? "")) return;
    const form = target.closest("form");
    emit({ type: target.dataset.do ?? "", values: form ? valuesOf(form, target.dataset.do === "passkey" ? ["password"] : []) : {} });
  });
  for (const type of ["keydown", "keyup"]) {
    document.addEventListener(type, (event) => {
      const on = event instanceof KeyboardEvent && event.getModifierState("CapsLock"); // what fills a form in is no KeyboardEvent
      if (document.body.dataset.caps !== String(on)) emit({ type: "capsLock", on });
    });
  }
  const zones = input("up-timeZone");
  for (const zone of Intl.supportedValuesOf("timeZone")) zones.append(new Option(zone.replaceAll("_", " "), zone));
  zones.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** What was typed and can be seen. @param {HTMLFormElement} form @param {string[]} [but] */
function valuesOf(form, but = []) {
  const fields = [...form.elements].filter((field) => field instanceof HTMLInputElement || field instanceof HTMLSelectElement);
  return Object.fromEntries(fields.filter((field) => field.checkVisibility?.() !== false && !field.closest("[hidden]") && !but.includes(field.name)).map(({ name, value }) => [name, value]));
}

/** @param {State} state @param {Words} words */
export function render(state, words) {
  const moved = state.screen !== drawn.screen;
  drawFrame(words, null, words[`entry.title.${state.screen}`]);
  put(el["brand-name"], state.practiceName ?? "visavis");
  document.body.dataset.screen = state.screen;
  document.body.dataset.caps = String(state.capsLock);
  document.querySelector(".overdue")?.remove();
  for (const section of all("section")) section.hidden = section.id !== `screen-${state.screen}`;
  put(el["signIn-why"], state.why && words[`entry.${state.why}`]);
  el.passkey.hidden = !state.passkeys;
  put(el["unsupported-text"], state.screen === "unsupported" && words[`${state.trouble?.key}Text`]);
  put(el["unsupported-next"], state.screen === "unsupported" && words[`${state.trouble?.key}Next`]);
  el["fi-initial-field"].hidden = el["release-password-field"].hidden = !state.needsPassword;
  put(el["recovery-key"], state.recoveryKey);
  put(el["recovery-for"], say(words, "entry.recoveryFor", { practice: state.practice, user: state.user }));
  put(el["waiting-text"], say(words, "entry.waitingText", { workplace: state.workplace }));
  put(el["waiting-offline"], state.offline && words["entry.waitingOffline"]);
  el.release.hidden = !state.admin;
  el["waiting-words"].replaceChildren(...(state.words ?? []).map((word) => Object.assign(document.createElement("li"), { textContent: word })));
  el["waiting-words"].lang = state.language;
  if (moved) fill(state);
  drawForms(state, words);
  drawTrouble(state, words);
  if (moved) moveFocus(state);
  drawn.screen = state.screen;
}

/** Names that are known already; passwords never stay. @param {State} state */
function fill({ practice, user }) {
  for (const field of all("input")) if (field.matches("[name=password], [name=fresh], [name=again], [name=initial], [name=recovery]")) /** @type {HTMLInputElement} */ (field).value = "";
  for (const form of ["in", "fo"]) {
    input(`${form}-practice`).value ||= practice;
    input(`${form}-user`).value ||= user;
  }
}

/** @param {State} state @param {Words} words */
function drawForms(state, words) {
  for (const field of all("[data-secret]")) /** @type {HTMLInputElement} */ (field).type = state.shown ? "text" : "password";
  for (const button of all("[data-do=show]")) put(button, words[state.shown ? "entry.hide" : "entry.show"]);
  for (const line of all("[data-caps]")) put(line, state.capsLock && words["entry.capsLock"]);
  for (const button of all("button[type=submit], #passkey")) {
    button.setAttribute("aria-disabled", String(state.busy));
    if (button.dataset.text) put(button, words[state.busy ? "entry.busy" : button.dataset.text]);
  }
}

/** Said at its field, or above the button. @param {State} state @param {Words} words */
function drawTrouble({ screen, trouble }, words) {
  const form = el[`screen-${screen}`].querySelector("form");
  for (const field of form?.querySelectorAll("[aria-describedby]") ?? []) {
    const here = trouble !== null && trouble.field === field.getAttribute("name");
    field.setAttribute("aria-invalid", String(here));
    put(el[`${field.id}-problem`], here && say(words, trouble.key, trouble.values));
    if (here && trouble !== drawn.trouble) /** @type {HTMLElement} */ (field).focus();
  }
  const general = form?.querySelector("[data-problem]") ?? null;
  put(general, trouble && !trouble.field && words[trouble.key] ? say(words, trouble.key, trouble.values) : null);
  if (trouble && !trouble.field && trouble !== drawn.trouble) general?.scrollIntoView({ block: "nearest" });
  drawn.trouble = trouble;
}

/** The first empty field; where there is none, the title. @param {State} state */
function moveFocus({ screen, trouble, why }) {
  if (screen === "opening" || trouble?.field) return;
  window.scrollTo(0, 0);
  const fields = [...el[`screen-${screen}`].querySelectorAll("input")].filter((field) => !field.closest("[hidden]"));
  const empty = ["signIn", "name"].includes(screen) && !why ? fields.find((field) => field.value === "") : null;
  (empty ?? el[`${screen}-title`]).focus({ preventScroll: true });
}
