/** The lock: in the call's corner how far the encryption is checked, and the dialog in which two people can check it. */

import { all, el, keyed, part, put } from "../shared/dom.js";
import { say } from "../shared/say.js";
import { trustOf, pathOf, who } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").PeerState} PeerState */
/** @typedef {import("./types.js").Words} Words */

/** @param {PeerState[]} peers @param {Words} words */
export function drawChip(peers, words) {
  const path = pathOf(peers);
  const level = trustOf(peers);
  el.chip.hidden = peers.length === 0;
  drawShape(el.chip, level);
  put(el["chip-level"], path !== "unknown" && words[`lock.${level}.short`]);
  put(el["chip-text"], words[`path.${path}`]);
}

/** @param {State} state @param {Words} words */
export function drawLock(state, words) {
  keyed(el.locks, Object.values(state.peers), "seat", "lock", (block, peer) => {
    const { level, by, words: compared, language } = peer.check;
    block.setAttribute("aria-label", who(peer, words));
    put(part(block, "name"), who(peer, words));
    drawShape(block, level);
    put(part(block, "level"), words[`lock.${level}.level`]);
    put(part(block, "text"), words[level === "checked" ? `lock.checked.${by}` : `lock.${level}.text`]);
    const list = part(block, "words");
    list.hidden = !compared; // who has said that they agree may be asked for them once more
    list.lang = language ?? "";
    for (const [at, item] of all("li", list).entries()) put(item, compared?.[at]);
    const actions = part(block, "actions");
    const focused = actions.contains(document.activeElement);
    actions.hidden = level !== "words";
    if (focused && actions.hidden) el["lock-title"].focus(); // the button has done its work
    put(part(block, "path"), say(words, "lock.path", { path: words[`path.${pathOf([peer])}`] }));
    put(part(block, "transport"), peer.transport && (peer.transport.join(", ") || words["lock.unreported"]));
  });
}

/** Each level has a shape of its own. @param {HTMLElement} place @param {PeerState["check"]["level"]} level */
function drawShape(place, level) {
  place.dataset.level = level;
  place.querySelector("use")?.setAttribute("href", level === "open" ? "#i-lock" : `#i-lock-${level}`);
}
