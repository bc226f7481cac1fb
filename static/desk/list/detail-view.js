/** Draws one consultation: when, who, the ways in, the patient's devices, and what may be done with it. */

import { say } from "../../shared/say.js";
import { el, keyed, part, put } from "../../shared/dom.js";
import { call } from "../api.js";
import { mountInvitation } from "../invitation/panel.js";
import { busyButton, drawMarks, drawStart } from "./list-view.js";
import { marksOf, momentOf, nameOf, readinessOf, seatName, whenOf } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./types.js").Words} Words */

const SEATS_MOST = 9;

/** @param {State} state @param {Words} words */
export function drawDetail(state, words) {
  const entry = state.entries.get(state.current ?? "");
  if (!entry) return;
  const { desk, lock } = entry;
  const alive = (desk.state === "planned" || desk.state === "open") && Date.parse(desk.expiresAt) > state.now;
  put(el["detail-title"], nameOf(entry, words));
  put(el["detail-when"], whenOf(entry, state, words));
  drawMarks(el["detail-marks"], marksOf(entry, state, words));
  drawStart(el["detail-start"], desk.id, state, words, alive);
  el["detail-fresh"].hidden = !state.fresh;
  el["detail-locked"].hidden = lock !== "locked";
  el["detail-change"].setAttribute("href", `#change=${desk.id}`);
  el["detail-copy"].setAttribute("href", `#copy=${desk.id}`);
  el["detail-change"].hidden = !alive;
  el["detail-cancel"].hidden = !alive;
  el.ways.hidden = !alive;
  drawSeats(entry, words);
  el["guest-form"].hidden = desk.seats.length >= SEATS_MOST || lock === "locked";
  drawReadiness(entry, state, words, alive);
  drawFacts(entry, state, words);
  drawInvitation(entry, state, words);
}

/** @type {ReturnType<typeof mountInvitation> | null} */
let panel = null;

/** @param {Entry} entry @param {State} state @param {Words} words */
function drawInvitation({ desk, facts }, { practice, mail }, words) {
  el.invitation.hidden = facts === null;
  if (!facts) return;
  const invited = { occasion: { desk, facts, practice, origin: location.origin }, words, mail };
  if (panel) panel.show(invited);
  else panel = mountInvitation(el.invitation, { ...invited, send: sendMail });
}

/** @param {string} id @param {import("../invitation/panel.js").Mail} mail */
function sendMail(id, { calendar, method, ...mail }) {
  return call("POST", `consultations/${id}/mail`, { ...mail, ...(calendar && method ? { calendar: { method, ics: calendar } } : {}) });
}

/** @param {Entry} entry @param {Words} words */
function drawSeats(entry, words) {
  const { desk, facts, lock } = entry;
  const seats = desk.seats.filter(({ role }) => role !== "doctor");
  keyed(el.seats, seats, "seat", "seat", (item, seat) => {
    const who = seatName(entry, seat, words);
    const code = facts?.codes[seat.seat];
    put(part(item, "who"), who);
    part(item, "none").hidden = Boolean(code) || lock === "locked";
    // A new code is told once: where the record cannot be written, it would be lost.
    part(item, "reissue").hidden = lock === "locked";
    part(item, "remove").hidden = seats.length < 2;
    part(item, "reissue").setAttribute("aria-label", say(words, "detail.reissueFor", { who }));
    part(item, "remove").setAttribute("aria-label", say(words, "detail.removeFor", { who }));
  });
}

/** @param {Entry} entry @param {State} state @param {Words} words @param {boolean} alive */
function drawReadiness({ desk, facts, lock }, state, words, alive) {
  const { verdict, parts, tone, icon } = readinessOf(desk, words);
  const telephone = Boolean(facts?.telephone);
  el.readiness.hidden = !alive && !desk.readiness && !telephone;
  el["ready-verdict"].dataset.tone = tone ?? "";
  put(el["ready-verdict-text"], verdict);
  const symbol = el["ready-verdict-icon"];
  symbol.toggleAttribute("hidden", tone === null);
  symbol.querySelector("use")?.setAttribute("href", `#${icon}`);
  keyed(el["ready-parts"], parts.map((text) => ({ text })), "text", "line", (line, { text }) => put(line, text));
  put(el["ready-at"], desk.readiness && say(words, "detail.readyAt", { when: momentOf(desk.readiness.at, state, words) }));
  el.telephone.hidden = !telephone;
  el["telephone-none"].hidden = Boolean(facts?.phone);
  put(el["telephone-call"], facts?.phone && say(words, "detail.call", { phone: facts.phone }));
  el["telephone-call"].setAttribute("href", `tel:${(facts?.phone ?? "").replace(/[^+0-9]/g, "")}`);
  const wrong = desk.readiness !== null && desk.readiness.verdict !== "green";
  el["ready-tip"].hidden = !alive || !wrong || !facts;
  el["ready-telephone"].hidden = !alive || lock === "locked";
  put(el["ready-telephone"], !el["ready-telephone"].hidden && words[telephone ? "detail.telephoneBack" : "detail.telephone"]);
}

/** @param {Entry} entry @param {State} state @param {Words} words */
function drawFacts({ desk, facts }, state, words) {
  const window = say(words, "detail.openFromTo", { from: momentOf(desk.opensAt, state, words), to: momentOf(desk.expiresAt, state, words) });
  const lines = [
    ["title", facts?.title],
    ["phone", facts?.phone],
    ["email", facts?.email],
    ["note", facts?.note],
    ["language", words[`plan.language.${desk.language}`] ?? desk.language],
    ["open", desk.state === "revoked" ? "" : window],
    ["way", desk.relayedOnly ? words["detail.relayedOnly"] : ""],
    ["by", desk.createdBy ?? words["detail.byApi"]],
  ].flatMap(([key, value]) => (value ? { key: String(key), value } : []));
  const known = lines.map(({ key, value }) => `${words[`detail.${key}`]}\n${value}`).join("\n\n");
  if (el.facts.dataset.known === known) return;
  el.facts.dataset.known = known;
  el.facts.replaceChildren(...lines.flatMap(({ key, value }) => {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = words[`detail.${key}`];
    text.append(linked(key, value));
    return [term, text];
  }));
}

/** A number that can be called, an address that can be written to. @param {string} key @param {string} value */
function linked(key, value) {
  if (key !== "phone" && key !== "email") return document.createTextNode(value);
  const link = document.createElement("a");
  link.href = key === "phone" ? `tel:${value.replace(/[^+0-9]/g, "")}` : `mailto:${encodeURIComponent(value).replaceAll("%40", "@")}`;
  link.textContent = value;
  return link;
}

/** The state knows already that the dialog closes. The event comes a moment later, when it may have been asked for again. */
let closingKnown = false;

/** The question before what cannot be undone. @param {State} state @param {Words} words */
export function drawDialog({ dialog, busy }, words) {
  const element = /** @type {HTMLDialogElement} */ (el.dialog);
  if (dialog === "none") {
    if (element.open) {
      closingKnown = true;
      element.close();
    }
    return;
  }
  put(el["dialog-title"], words[`detail.${dialog}Title`]);
  put(el["dialog-text"], words[`detail.${dialog}Text`]);
  put(el["dialog-yes"], words[`detail.${dialog}Yes`]);
  busyButton(el["dialog-yes"], busy === dialog);
  if (!element.open) element.showModal();
}

/** Says what the dialog is closed by, besides its buttons. @param {() => void} closed */
export function mountDialog(closed) {
  el.dialog.addEventListener("cancel", () => {
    closingKnown = true;
    closed();
  });
  // Where Escape is pressed twice without anything else, the browser may close without the event above.
  el.dialog.addEventListener("close", () => {
    if (!closingKnown) closed();
    closingKnown = false;
  });
}
