/** The dialog about the lines: how each is in words, what helps, and for whoever asks the figures of both sides. */

import { el, keyed, part, put } from "../shared/dom.js";
import { say } from "../shared/say.js";
import { factsOf } from "./facts.js";
import { verdictOf, who } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Words} Words */

/** @param {State} state @param {Words} words */
export function drawLinePanel(state, words) {
  const peers = state.panel === "line" ? Object.values(state.peers) : [];
  const told = verdictOf(peers);
  put(el["line-said"], told && say(words, told.key, { who: who(told.peer, words) }));
  el["line-help"].hidden = !told || told.key.startsWith("line.partner");
  keyed(el.lines, peers, "seat", "line", (group, peer) => {
    const said = verdictOf([peer]);
    const how = peer.link !== "connected" ? `link.${peer.link}` : (said?.key ?? (peer.line ? "line.good" : "line.measuring"));
    group.setAttribute("aria-label", who(peer, words));
    put(part(group, "name"), who(peer, words));
    put(part(group, "how"), told?.peer !== peer && say(words, how, { who: who(peer, words) }));
    part(group, "facts").hidden = !peer.line;
    keyed(part(group, "rows"), factsOf(peer.line, peer.theirLine, words), "name", "fact", (row, { label, here, there }) => {
      put(part(row, "label"), label);
      put(part(row, "here"), here);
      put(part(row, "there"), there);
    });
    const protection = peer.transport?.join(", ");
    put(part(group, "protection"), peer.line && protection && say(words, "line.protection", { protection }));
  });
}
