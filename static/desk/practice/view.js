/**
 * The practice's page on the screen: `render(state, words)` draws the whole state and may be called any number of times; what the user
 * does comes out of `mount` as plain actions. `lists.js` draws the lists.
 */

import { all, el, input, part, put } from "../../shared/dom.js";
import { say } from "../../shared/say.js";
import { drawForms, drawTrouble, fillZones, forgetSecrets, listen } from "../forms.js";
import { drawFrame } from "../frame.js";
import { keeps } from "../roles.js";
import { drawCheckWords, drawLists } from "./lists.js";
import { sectionsFor } from "./state.js";
import { endingTokens, otherNames, stayingNames } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Words} Words */

const drawn = {
  section: "",
  dialog: /** @type {State["dialog"]} */ (null),
  settings: "",
};

/** @param {(action: Action) => void} emit */
export function mount(emit) {
  listen(emit);
  for (const dialog of dialogs()) {
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault(); // what is shown once stays until it is put away
      if (!("once" in dialog.dataset)) emit({ type: "closeDialog" });
    });
  }
}

/** @param {State} state @param {Words} words */
export function render(state, words) {
  const admin = keeps(state.session?.user.role);
  drawFrame(words, state.session, words[state.screen === "practice" ? `practice.${state.section}` : "practice.title"]);
  document.body.dataset.screen = state.screen === "practice" ? state.section : state.screen;
  document.querySelector(".overdue")?.remove();
  for (const screen of ["opening", "trouble", "practice"]) el[`screen-${screen}`].hidden = state.screen !== screen;
  if (state.screen === "trouble") put(el["trouble-text"], state.trouble && say(words, state.trouble.key, state.trouble.values));
  if (state.screen !== "practice") return drawDialog({ ...state, dialog: null }, words);
  for (const link of all("[data-section]")) {
    link.hidden = !sectionsFor(state.session?.user.role ?? "staff").some((one) => one === link.dataset.section);
    link.setAttribute("aria-current", String(link.dataset.section === state.section));
  }
  for (const section of all("section")) section.hidden = section.id !== `section-${state.section}`;
  el["screen-practice"].setAttribute("aria-busy", String(state.busy));
  drawLists(state, words);
  for (const element of all("[data-admin]")) element.hidden = !admin || "own" in element.dataset;
  el.keyless.hidden = state.held.includes(state.session?.practice.keyVersion ?? 0);
  drawPractice(state, words);
  drawForms(state, words);
  drawDialog(state, words);
  const form = state.dialog ? el[`dialog-${state.dialog.kind}`].querySelector("form") : el[`section-${state.section}`].querySelector("form");
  drawTrouble(form, state.trouble, words);
  put(el["page-problem"], !form && state.trouble && say(words, state.trouble.key, state.trouble.values));
  if (drawn.section && drawn.section !== state.section) el[`${state.section}-title`].focus();
  drawn.section = state.section;
}

/** Settings and how long things are kept. @param {State} state @param {Words} words */
function drawPractice({ session }, words) {
  const practice = session?.practice;
  if (!practice) return;
  for (const cell of all("[data-until]")) {
    put(cell, say(words, cell.dataset.until === "trail" ? "data.untilTrail" : "data.untilRetention", { days: String(practice.retentionDays) }));
  }
  const { name, phone, retentionDays, timeZone } = practice;
  const settings = JSON.stringify([name, phone, retentionDays, timeZone]);
  if (settings === drawn.settings) return; // what is being typed stays
  drawn.settings = settings;
  input("st-name").value = name;
  input("st-phone").value = phone ?? "";
  input("st-retentionDays").value = String(retentionDays);
  fillZones(/** @type {HTMLSelectElement} */ (el["st-timeZone"]), timeZone);
}

/** @param {State} state @param {Words} words */
function drawDialog(state, words) {
  const { dialog } = state;
  const isNew = dialog !== drawn.dialog;
  drawn.dialog = dialog;
  for (const element of dialogs()) {
    const here = dialog !== null && element.id === `dialog-${dialog.kind}`;
    if (!here && element.open) {
      forgetSecrets(element);
      for (const shown of all("[data-part=secret], [data-part=words]", element)) shown.textContent = "";
      element.close();
    }
    if (!here) continue;
    for (const sentence of all("[data-saying]", element)) put(sentence, say(words, sentence.dataset.saying ?? "", { name: dialog.name }));
    for (const shown of all("[data-part=secret]", element)) put(shown, dialog.secret);
    for (const place of all("[data-part=staying]", element)) put(place, stayingNames(dialog.holders, words));
    for (const place of all("[data-part=others]", element)) put(place, otherNames(dialog.holders, state, words));
    for (const place of all("[data-part=tokens]", element)) put(place, endingTokens(place.dataset.key ?? "", dialog.name, state, words));
    for (const place of all("[data-part=words]", element)) drawCheckWords(place, state, dialog.holders.workplaces[0]?.publicKey);
    for (const place of all("[data-part=here]", element)) place.hidden = dialog.id !== state.session?.workplace?.id;
    const { practice, user } = state.session ?? {};
    if (dialog.kind === "recoveryShown") put(part(element, "for"), say(words, "own.recoveryFor", { practice: practice?.short ?? "", user: user?.short ?? "" }));
    if (isNew) fill(state);
    if (!element.open) element.showModal();
  }
}

/** What a dialog's fields begin with. @param {State} state */
function fill({ dialog, users }) {
  if (!dialog) return;
  const fields = all("input, select", el[`dialog-${dialog.kind}`]);
  for (const field of fields) if (field instanceof HTMLInputElement) field.value = "";
  if (dialog.kind === "rename") input("rn-name").value = dialog.name;
  if (dialog.kind === "newUser") input("nu-role").value = "staff";
  if (dialog.kind === "role") input("ro-role").value = users.find(({ id }) => id === dialog.id)?.role ?? "staff";
}

/** @returns {HTMLDialogElement[]} */
function dialogs() {
  return [...document.querySelectorAll("dialog")];
}
