/** Draws the whole panel, again and again into the same elements: what has the focus keeps it. */

import { part, put } from "../../shared/dom.js";
import { say } from "../../shared/say.js";
import { make, icon } from "./make.js";
import { addressOf, doingOf, invitedOf } from "./state.js";
import { codeOf, letterOf } from "./texts.js";
import { mailto, sms } from "./ways.js";

/** @typedef {import("./types.js").Panel} Panel */
/** @typedef {import("./types.js").Kind} Kind */
/** @typedef {import("./types.js").Words} Words */

/** The ways, in their order, and their pictures. */
const WAYS = {
  copyLink: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1.500 1.500M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1.500-1.500",
  write: "M5.500 5.500h13A2 2 0 0 1 20.500 7.500v9a2 2 0 0 1-2 2h-13a2 2 0 0 1-2-2v-9a2 2 0 0 1 2-2zM4 7l8 6 8-6",
  send: "M20.500 3.500 3.500 10l7 3.500 3.500 7zM20.500 3.500l-10 10",
  sms: "M5 4.500h14A1.500 1.500 0 0 1 20.500 6v9a1.500 1.500 0 0 1-1.500 1.500h-8L6.500 20v-3.500H5A1.500 1.500 0 0 1 3.500 15V6A1.500 1.500 0 0 1 5 4.500zM7.500 9h9M7.500 12h6",
  share: "M12 15V3.500M8 7l4-3.500L16 7M8 10.500H6.500a1.500 1.500 0 0 0-1.500 1.500v7a1.500 1.500 0 0 0 1.500 1.500h11a1.500 1.500 0 0 0 1.500-1.500v-7a1.500 1.500 0 0 0-1.500-1.500H16",
  print: "M7 8V3.500h10V8M7 17H5a1.500 1.500 0 0 1-1.500-1.500v-6A1.500 1.500 0 0 1 5 8h14a1.500 1.500 0 0 1 1.500 1.500v6A1.500 1.500 0 0 1 19 17h-2M7 13.500h10v7H7z",
  calendar: "M5.500 5.500h13A1.500 1.500 0 0 1 20 7v12a1.500 1.500 0 0 1-1.500 1.500h-13A1.500 1.500 0 0 1 4 19V7a1.500 1.500 0 0 1 1.500-1.500zM4 10h16M8 3v4M16 3v4",
  copyText: "M10 8.500h8A1.500 1.500 0 0 1 19.500 10v9a1.500 1.500 0 0 1-1.500 1.500h-8A1.500 1.500 0 0 1 8.500 19v-9A1.500 1.500 0 0 1 10 8.500zM15.500 8.500V5A1.500 1.500 0 0 0 14 3.500H6A1.500 1.500 0 0 0 4.500 5v9A1.500 1.500 0 0 0 6 15.500h2.500",
};
/** Which ways a kind has not. @type {Record<Kind, string[]>} */
const WITHOUT = { invitation: [], change: [], cancellation: ["copyLink", "print"], tip: ["print", "calendar"] };

/** What the forms and fields of one seat hang together by. */
let made = 0;

/** @param {HTMLElement} place @param {Panel} panel @param {Words} words */
export function draw(place, panel, words) {
  if (!place.firstElementChild) place.append(frame());
  put(part(place, "title"), words[panel.kind === "cancellation" ? "invite.titleCancelled" : "invite.title"]);
  drawKinds(part(place, "kinds"), panel, words);
  const cards = part(place, "invited");
  const seats = invitedOf(panel);
  for (const card of [...cards.children]) {
    if (!seats.some(({ seat }) => String(seat) === /** @type {HTMLElement} */ (card).dataset.seat)) card.remove();
  }
  for (const { seat, role } of seats) {
    let card = /** @type {HTMLElement | null} */ (cards.querySelector(`:scope > [data-seat="${seat}"]`));
    if (!card) cards.append((card = cardOf(seat)));
    drawSeat(card, panel, seat, role, words);
  }
}

function frame() {
  return make("div", { class: "invitation" },
    make("h2", { "data-part": "title" }),
    make("fieldset", { "data-part": "kinds", class: "kinds" }),
    make("div", { "data-part": "invited", class: "invited" }));
}

/** @param {number} seat */
function cardOf(seat) {
  const id = `invited-${++made}`;
  const card = make("div", { class: "card invitee", role: "group", "data-seat": String(seat), "aria-labelledby": `${id}-who` },
    make("div", { class: "whose" },
      make("h3", { "data-part": "who", id: `${id}-who` }),
      make("p", {}, make("span", { "data-part": "codeName", class: "soft" }), " ", make("strong", { "data-part": "code", class: "code-shown", translate: "no" }))),
    make("p", { "data-part": "noCode", class: "notice" }),
    make("div", { "data-part": "ways", class: "ways" }, ...Object.entries(WAYS).map(([way, path]) =>
      make(way === "write" || way === "sms" ? "a" : "button", { class: `way ${way === "copyLink" ? "first" : ""}`, "data-way": way, ...(way === "write" || way === "sms" ? {} : { type: "button" }) },
        icon(path), make("span", { "data-part": "name" })))),
    make("form", { "data-part": "form", class: "through", novalidate: "" },
      make("label", { for: `${id}-address`, "data-part": "address" }),
      make("input", { id: `${id}-address`, type: "email", autocomplete: "off", inputmode: "email", spellcheck: "false", "aria-describedby": `${id}-problem ${id}-forgotten` }),
      make("p", { id: `${id}-problem`, "data-part": "problem", class: "problem" }),
      make("p", { id: `${id}-forgotten`, "data-part": "forgotten", class: "soft small" }),
      make("div", { class: "means" },
        make("h4", { "data-part": "means" }),
        make("p", { "data-part": "means-server" }), make("p", { "data-part": "means-secret" }), make("p", { "data-part": "means-words" }), make("p", { "data-part": "means-else" })),
      make("div", { class: "actions" },
        make("button", { class: "primary", "data-part": "sendNow" }),
        make("button", { class: "quiet", type: "button", "data-part": "cancel" }))),
    make("p", { "data-part": "outcome", class: "outcome", role: "status" }),
    make("label", { for: `${id}-spare`, "data-part": "spareName" }),
    make("textarea", { id: `${id}-spare`, "data-part": "spare", readonly: "", rows: "6" }),
    make("details", { "data-part": "letter" },
      make("summary", { "data-part": "text" }),
      make("p", { "data-part": "subject", class: "subject" }),
      make("p", { "data-part": "body", class: "letter" })));
  return card;
}

/** @param {HTMLElement} place @param {Panel} panel @param {Words} words */
function drawKinds(place, { kinds, kind }, words) {
  place.hidden = kinds.length < 2;
  if ([...place.querySelectorAll("input")].map(({ value }) => value).join() !== kinds.join()) {
    const name = `kind-${++made}`;
    place.replaceChildren(make("legend", { class: "unseen" }), ...kinds.map((value) =>
      make("label", {}, make("input", { type: "radio", name, value }), make("span"))));
  }
  put(place.querySelector("legend"), words["invite.kind"]);
  for (const input of place.querySelectorAll("input")) {
    input.checked = input.value === kind;
    put(input.nextElementSibling, words[`invite.kind.${input.value}`]);
  }
}

/**
 * @param {HTMLElement} card
 * @param {Panel} panel
 * @param {number} seat
 * @param {string} role
 * @param {Words} words
 */
function drawSeat(card, panel, seat, role, words) {
  const { occasion, kind, mail, share, now } = panel;
  const { facts } = occasion;
  const doing = doingOf(panel, seat);
  const known = codeOf(occasion, seat) !== "";
  const usable = known || kind === "cancellation";
  put(part(card, "who"), (role === "patient" ? facts.name : facts.labels[seat]) || words[`invite.to.${role}`]);
  put(part(card, "codeName"), known && kind !== "cancellation" && words["invite.code"]);
  put(part(card, "code"), kind !== "cancellation" && codeOf(occasion, seat));
  put(part(card, "noCode"), !usable && words["invite.noCode"]);
  part(card, "ways").hidden = part(card, "letter").hidden = !usable;
  part(card, "form").hidden = !usable || !doing.form;

  const letter = letterOf(kind, occasion, seat, { now });
  const without = [...WITHOUT[kind], ...(mail ? [] : ["send"]), ...(share ? [] : ["share"])];
  for (const way of /** @type {NodeListOf<HTMLElement>} */ (card.querySelectorAll("[data-way]"))) {
    const name = way.dataset.way ?? "";
    way.hidden = without.includes(name);
    put(part(way, "name"), words[`invite.${name}`]);
    if (name === "send") way.setAttribute("aria-expanded", String(doing.form));
    if (name === "write") way.setAttribute("href", mailto(addressOf(panel, seat), letter));
    if (name === "sms") way.setAttribute("href", sms(role === "patient" ? facts.phone : "", letter));
  }
  drawForm(card, panel, seat, words);
  const { outcome } = doing;
  const said = doing.sending ? words["invite.sending"] : outcome && say(words, outcome.key, outcome.values);
  const line = part(card, "outcome"); // a live region stays where it is, empty or not
  if (line.textContent !== (said ?? "")) line.textContent = said ?? "";
  line.dataset.tone = doing.sending || !outcome ? "none" : outcome.good ? "good" : "stop";
  const spare = /** @type {HTMLTextAreaElement} */ (part(card, "spare"));
  spare.hidden = doing.spare === null;
  spare.value = doing.spare ?? "";
  put(part(card, "spareName"), doing.spare !== null && words["invite.spare"]);
  put(part(card, "text"), words["invite.text"]);
  const shown = doing.form ? letterOf(kind, occasion, seat, { secret: false, now }) : letter; // as it would leave
  for (const [name, text] of /** @type {const} */ ([["subject", shown.subject], ["body", shown.text]])) {
    put(part(card, name), text);
    part(card, name).lang = occasion.desk.language;
  }
}

/** @param {HTMLElement} card @param {Panel} panel @param {number} seat @param {Words} words */
function drawForm(card, panel, seat, words) {
  const doing = doingOf(panel, seat);
  const input = /** @type {HTMLInputElement} */ (card.querySelector("input"));
  const address = addressOf(panel, seat);
  if (input.value !== address) input.value = address;
  input.setAttribute("aria-invalid", String(doing.problem !== null));
  put(part(card, "problem"), doing.problem && words[doing.problem]);
  for (const name of ["address", "forgotten", "means", "sendNow", "cancel"]) put(part(card, name), words[`invite.${name}`]);
  const cancelled = panel.kind === "cancellation";
  put(part(card, "means-server"), words[`invite.means.${cancelled ? "cancelled" : "server"}`]);
  for (const name of ["secret", "words", "else"]) put(part(card, `means-${name}`), !cancelled && words[`invite.means.${name}`]);
  part(card, "sendNow").setAttribute("aria-disabled", String(doing.sending));
}
