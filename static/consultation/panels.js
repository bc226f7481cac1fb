/** The dialogs of the call, and who waits at the door. */

import { drawToggle } from "./controls.js";
import { all, el, keyed, part, put } from "../shared/dom.js";
import { say } from "../shared/say.js";
import { drawLinePanel } from "./line-panel.js";
import { drawLock } from "./lock.js";
import { isGroup, isOwnDevice, knockName, locked, who } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Words} Words */

/** The dialog that is to be open, by its element's id. */
let wanted = "";

/** @param {(action: import("./types.js").Action) => void} emit */
export function mountPanels(emit) {
  for (const panel of dialogs()) {
    // By Escape. The event comes a moment after the closing: the panel may have been opened again meanwhile.
    panel.addEventListener("close", () => {
      if (wanted === panel.id && !panel.open) emit({ type: "panel", panel: "none" });
    });
  }
}

/** @param {State} state @param {Words} words */
export function drawPanels(state, words) {
  wanted = state.screen === "call" ? `panel-${state.panel}` : "";
  for (const panel of dialogs()) {
    const open = wanted === panel.id;
    if (open && !panel.open) panel.showModal();
    if (!open && panel.open) panel.close();
  }
  drawHelps(state, words);
  drawLinePanel(state, words);
  drawLock(state, words);
  el["arrivals-empty"].hidden = state.knocks.length > 0;
  const group = isGroup(state);
  el.arrange.hidden = group;
  el["ask-all"].hidden = !group || state.role !== "doctor";
  drawRemoval(state, words);
  const peers = state.role === "doctor" ? Object.values(state.peers) : [];
  keyed(el.seats, peers, "seat", "seat", (section, peer) => {
    put(part(section, "name"), who(peer, words));
    put(part(section, "locked"), locked(peer, words));
    const ask = /** @type {HTMLElement} */ (section.querySelector("[data-do=askMute]"));
    ask.hidden = !group || peer.role === "doctor" || peer.microphone !== true;
    section.setAttribute("aria-label", who(peer, words));
  });
}

/** Who is asked about. @param {State} state @param {Words} words */
function drawRemoval({ peers, about }, words) {
  const peer = peers[about ?? 0];
  if (!peer) return;
  put(el["remove-who"], who(peer, words));
  el["remove-yes"].dataset.seat = String(peer.seat);
}

/** @param {State} state @param {Words} words */
function drawHelps({ display, shortcuts, peers, role }, words) {
  const { full, floating } = display;
  el["full-screen"].hidden = full === null;
  put(el["full-screen"].querySelector("span"), words[full ? "more.notFull" : "more.full"]);
  el.float.hidden = floating === null || !Object.values(peers).some(({ camera }) => camera);
  put(el.float.querySelector("span"), words[floating ? "more.notFloat" : "more.float"]);
  drawToggle(el.shortcuts, shortcuts, words);
  el["keys-list"].hidden = !shortcuts;
  el["keys-hand"].hidden = role === "doctor" || Object.keys(peers).length < 2; // as in shortcuts.js
}

/** @param {State} state @param {Words} words */
export function drawKnocks(state, words) {
  for (const list of all("[data-knocks]")) {
    keyed(list, state.knocks, "knock", "knock", (item, knock) => {
      const minutes = Math.max(0, Math.floor((state.now - Date.parse(knock.since)) / 60000));
      const since = minutes === 0 ? words["room.since0"] : say(words, "room.since", { minutes: String(minutes) });
      put(part(item, "name"), knockName(knock, state, words));
      put(part(item, "since"), since);
      const own = isOwnDevice(knock, state);
      put(part(item, "device"), (knock.device === "another" || own) && words[own ? "room.anotherDoctor" : "room.another"]);
      put(part(item, "locked"), locked(knock, words));
    });
  }
}

function dialogs() {
  return /** @type {HTMLDialogElement[]} */ (all("dialog"));
}
