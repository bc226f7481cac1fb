/**
 * The sign-in page on the screen: `render(state, words)` draws the whole state and may be called any number of times; what the user
 * does comes out of `mount` as plain actions, a form's with what was typed (`values`).
 */

import { all, el, input, put } from "../../shared/dom.js";
import { say } from "../../shared/say.js";
import { drawForms, drawTrouble, fillZones, forgetSecrets, listen } from "../forms.js";
import { drawFrame } from "../frame.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Words} Words */

const drawn = { screen: "" };

/** @param {(action: Action) => void} emit */
export function mount(emit) {
  listen(emit);
  fillZones(/** @type {HTMLSelectElement} */ (el["up-timeZone"]), Intl.DateTimeFormat().resolvedOptions().timeZone);
}

/** @param {State} state @param {Words} words */
export function render(state, words) {
  const moved = state.screen !== drawn.screen;
  drawFrame(words, null, words[`entry.title.${state.screen}`]);
  put(el["brand-name"], state.practiceName ?? "visavis");
  document.body.dataset.screen = state.screen;
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
  drawTrouble(el[`screen-${state.screen}`].querySelector("form"), state.trouble, words);
  if (moved) moveFocus(state);
  drawn.screen = state.screen;
}

/** Names that are known already; passwords never stay. @param {State} state */
function fill({ practice, user }) {
  forgetSecrets(document);
  for (const form of ["in", "fo"]) {
    input(`${form}-practice`).value ||= practice;
    input(`${form}-user`).value ||= user;
  }
}

/** The first empty field; where there is none, the title. @param {State} state */
function moveFocus({ screen, trouble, why }) {
  if (screen === "opening" || trouble?.field) return;
  window.scrollTo(0, 0);
  const fields = [...el[`screen-${screen}`].querySelectorAll("input")].filter((field) => !field.closest("[hidden]"));
  const empty = ["signIn", "name"].includes(screen) && !why ? fields.find((field) => field.value === "") : null;
  (empty ?? el[`${screen}-title`]).focus({ preventScroll: true });
}
