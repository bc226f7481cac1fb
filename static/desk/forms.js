/**
 * The desk's forms: what is typed and pressed comes out as plain actions (`submit` with the form's name, `data-form`; a button's own,
 * `data-do`, with what it is about, `data-id`), and what is wrong is said at its field.
 */

import { all, el, put } from "../shared/dom.js";
import { say } from "../shared/say.js";

/** @typedef {import("./types.js").Words} Words */
/** @typedef {{ key: string, values: Record<string, string>, field: string | null }} Trouble */

/** What was drawn last, so that the focus moves only once. */
const drawn = { trouble: /** @type {Trouble | null} */ (null), capsLock: false };

/** @param {(action: { type: string, [field: string]: any }) => void} emit */
export function listen(emit) {
  for (const form of all("form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      emit({ type: "submit", form: form.dataset.form ?? "", values: valuesOf(/** @type {HTMLFormElement} */ (form)) });
    });
  }
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target).closest("[data-do]");
    if (!(target instanceof HTMLElement) || target.getAttribute("aria-disabled") === "true") return;
    const { do: type = "", id = "", name = "", without } = target.dataset;
    if (type === "language" || type === "signOut") return; // frame.js
    const form = target.closest("form");
    emit({ type, id, name, values: form ? valuesOf(form, without) : {} });
  });
  for (const type of ["keydown", "keyup"]) {
    document.addEventListener(type, (event) => {
      const on = event instanceof KeyboardEvent && event.getModifierState("CapsLock"); // what fills a form in is no KeyboardEvent
      if (on !== drawn.capsLock) emit({ type: "capsLock", on });
    });
  }
}

/** What was typed and can be seen. @param {HTMLFormElement} form @param {string} [but]  a field's name */
function valuesOf(form, but) {
  const fields = [...form.elements].filter((field) => field instanceof HTMLInputElement || field instanceof HTMLSelectElement);
  return Object.fromEntries(fields.filter((field) => !field.closest("[hidden]") && field.name !== but).map(({ name, value }) => [name, value]));
}

/** What may be shown as typed, the hint for capitals, and buttons that are at work. @param {{ shown: boolean, capsLock: boolean, busy: boolean }} state @param {Words} words */
export function drawForms({ shown, capsLock, busy }, words) {
  drawn.capsLock = capsLock;
  for (const field of all("[data-secret]")) /** @type {HTMLInputElement} */ (field).type = shown ? "text" : "password";
  for (const button of all("[data-do=show]")) put(button, words[shown ? "password.hide" : "password.show"]);
  for (const line of all("[data-caps]")) put(line, capsLock && words["password.capsLock"]);
  for (const button of all("[data-text]")) {
    button.setAttribute("aria-disabled", String(busy));
    button.textContent = words[busy ? "common.loading" : button.dataset.text ?? ""];
  }
}

/**
 * Said at its field, or above the form's button.
 * @param {Element | null} form
 * @param {Trouble | null} trouble
 * @param {Words} words
 */
export function drawTrouble(form, trouble, words) {
  const isNew = trouble !== drawn.trouble;
  drawn.trouble = trouble;
  const text = trouble && words[trouble.key] ? say(words, trouble.key, trouble.values) : null;
  for (const field of /** @type {Iterable<HTMLElement>} */ (form?.querySelectorAll("[aria-describedby]") ?? [])) {
    const here = trouble !== null && trouble.field === field.getAttribute("name");
    field.setAttribute("aria-invalid", String(here));
    put(el[`${field.id}-problem`], here && text);
    if (here && isNew) field.focus();
  }
  const general = form?.querySelector("[data-problem]") ?? null;
  put(general, trouble && !trouble.field && text);
  if (trouble && !trouble.field && isNew) general?.scrollIntoView({ block: "nearest" });
}

/** Time zones to choose from, the given one chosen. @param {HTMLSelectElement} select @param {string} zone */
export function fillZones(select, zone) {
  if (select.options.length === 0) for (const name of Intl.supportedValuesOf("timeZone")) select.append(new Option(name.replaceAll("_", " "), name));
  select.value = zone;
  if (select.value === "") select.value = "Europe/Berlin"; // an old name, or a machine's own
}

/** No password stays in a field. @param {ParentNode} within */
export function forgetSecrets(within) {
  for (const field of all("[data-secret], [name=recovery]", within)) /** @type {HTMLInputElement} */ (field).value = "";
}
