/** Draws the form of a new or changed consultation; what is typed comes out as actions. */

import { all, complain, el, input, keyed, put } from "../../shared/dom.js";
import { say } from "../../shared/say.js";
import { doubtsOf } from "./draft.js";
import { busyButton } from "./list-view.js";
import { changesOf } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Words} Words */

/** Fields that say what is wrong with them. */
const CHECKED = ["date", "time", "duration", "email", "guests"];

/** @param {(action: import("./types.js").Action) => void} emit */
export function mountPlan(emit) {
  el["plan-form"].addEventListener("input", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    emit({ type: "typed", field: field.dataset.field, value: field.type === "checkbox" ? field.checked : field.value });
  });
}

/** @param {State} state @param {Words} words */
export function drawPlan(state, words) {
  const { draft, entries, practice, busy } = state;
  if (!draft) return;
  const changes = draft.id !== null;
  const locked = changes && entries.get(draft.id ?? "")?.lock === "locked";
  put(el["plan-title"], words[changes ? "plan.titleChange" : "plan.title"]);
  el["plan-back"].setAttribute("href", changes ? `#consultation=${draft.id}` : "#");
  for (const field of all("[data-field]", el["plan-form"])) fill(/** @type {HTMLInputElement} */ (field), draft.values);
  for (const field of CHECKED) complain(`plan-${field}`, draft.problem === field ? words[`plan.problem.${field}`] : null);
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  put(el["plan-zone"], here !== practice.timeZone && say(words, "plan.zone", { zone: practice.timeZone }));
  const doubts = doubtsOf(state).map(({ key, values }) => ({ text: say(words, key, values) }));
  keyed(el["plan-doubts"], doubts, "text", "doubt", (line, { text }) => put(line.querySelector("span"), text));
  el["plan-person"].hidden = locked;
  el["plan-locked"].hidden = !locked;
  // Seats are changed one by one in the detail, and the way of the media with a new consultation.
  el["plan-guests-field"].hidden = changes;
  el["plan-relayed-field"].hidden = changes;
  el["plan-stale"].hidden = draft.changed.length === 0;
  keyed(el["plan-changes"], changesOf(state, words).map((text) => ({ text })), "text", "line", (line, { text }) => put(line, text));
  put(el["plan-save"], words[busy === "save" ? "plan.saving" : changes ? "plan.saveChange" : "plan.save"]);
  busyButton(el["plan-save"], busy === "save");
}

/** To the field that is to be mended. @param {string} field */
export function focusField(field) {
  input(`plan-${field}`).focus();
}

/** @param {HTMLInputElement} field @param {import("./types.js").Values} values */
function fill(field, values) {
  const value = values[/** @type {import("./types.js").Field} */ (field.dataset.field)];
  if (typeof value === "boolean") field.checked = value;
  else if (field.value !== value) field.value = value;
}
