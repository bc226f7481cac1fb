/** What the page knows, put into words: pure, out of a catalogue of `shared/words/`. */

import { say } from "../shared/say.js";
import { practiceOf, troubleIn } from "./state.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").PeerState} PeerState */
/** @typedef {import("./types.js").Knock} Knock */
/** @typedef {import("./types.js").Words} Words */

/** @param {State} state */
export function titleOf(state) {
  return state.screen === "room" && state.knocks.length > 0 ? "title.knocks" : `title.${state.screen}`;
}

/** Three people and more, this page's user among them. @param {State} state */
export function isGroup({ peers }) {
  return Object.keys(peers).length > 1;
}

/**
 * The way of the whole call: relayed as soon as one line is.
 * @param {PeerState[]} peers
 */
export function pathOf(peers) {
  if (peers.some(({ link }) => link !== "connected")) return "unknown";
  if (peers.some(({ path }) => path === "relayed")) return "relayed";
  return peers.every(({ path }) => path === "direct") ? "direct" : "unknown";
}

/**
 * Why there is no picture of a partner, as a key, or `null`.
 * @param {PeerState} peer
 * @param {State["quality"]} quality  the own one: whoever wants sound only gets no pictures
 */
export function darknessOf({ camera, picture }, quality) {
  if (camera === false) return "call.cameraOff";
  if (quality === "sound" || picture === "sound") return "quality.sound";
  if (picture === "weak") return "call.pictureWeak";
  return camera === null ? "call.noPicture" : null;
}

/**
 * How far the whole call is checked: the lowest level of all.
 * @param {PeerState[]} peers
 */
export function trustOf(peers) {
  return /** @type {const} */ (["open", "words"]).find((low) => peers.some(({ check }) => check.level === low)) ?? "checked";
}

/**
 * What is wrong with the line to a partner, and when the next try comes.
 * @param {PeerState} peer
 * @param {number} now
 * @param {Words} words
 */
export function linkOf(peer, now, words) {
  const seconds = Math.ceil(((peer.trying?.nextAt ?? now) - now) / 1000);
  const waits = peer.link === "interrupted" && seconds > 0;
  const key = peer.away && peer.link !== "blocked" ? "away" : waits ? "interruptedUntil" : peer.link;
  return say(words, `link.${key}`, { who: who(peer, words), seconds: String(seconds) });
}

/**
 * What is wrong with the devices, in one sentence with one thing to do.
 * @param {State} state
 * @param {Words} words
 */
export function troubleOf(state, words) {
  const key = troubleIn(state);
  return key && words[key];
}

/**
 * How a device stands, as the end of a key: one that is there and cannot be used is not missing (R65).
 * @param {State["media"]} media
 * @param {"microphone" | "camera"} device
 */
export function statusOf(media, device) {
  const trouble = media.trouble[device];
  if (media[device] !== "missing" || !trouble || trouble === "none") return media[device];
  return trouble === "in-use" ? "busy" : "locked";
}

/** Whether everybody's page says that our voice arrives. @param {State} state */
export function isHeard({ media, peers }) {
  const partners = Object.values(peers).filter(({ link }) => link === "connected");
  return media.microphone === "on" && partners.length > 0 && partners.every(({ hearsUs }) => hearsUs === true);
}

/**
 * The one sentence about a weak line: the own one first, for there the user can help. A dead line has another sentence.
 * @param {PeerState[]} peers
 */
export function verdictOf(peers) {
  const told = peers.filter(({ link, verdict }) => link === "connected" && verdict);
  const peer = told.find(({ verdict }) => verdict?.startsWith("own")) ?? told[0];
  return peer ? { key: `line.${peer.verdict}`, peer } : null;
}

/** @param {{ name: string | null, role: string }} person @param {Words} words */
export function who(person, words) {
  return person.name || words[`role.${person.role}`];
}

/** @param {Knock} knock @param {State} state @param {Words} words */
export function knockName(knock, state, words) {
  if (knock.role === "doctor") return words[isOwnDevice(knock, state) ? "room.doctorDevice" : "role.doctor"];
  return knock.name ?? words[knock.locked ? "room.noName" : "room.nameless"];
}

/** Another device with the code of this page's own seat. @param {Knock} knock @param {State} state */
export function isOwnDevice({ role, seat }, state) {
  return role === "doctor" && seat === state.seat;
}

/** @param {{ locked: "no-secret" | "mismatch" | null }} person @param {Words} words */
export function locked(person, words) {
  return person.locked && words[person.locked === "no-secret" ? "name.noSecret" : "name.mismatch"];
}

/**
 * In the practice's time zone, and by the device's clock too where that differs (R04).
 * @param {string | null} iso
 * @param {State} state
 * @param {Words} words
 */
export function when(iso, state, words) {
  if (!iso) return "";
  const at = new Date(iso);
  const timeZone = practiceOf(state).timeZone ?? undefined;
  /** @param {string} [zone] */
  const clock = (zone) => at.toLocaleTimeString(words.locale, { hour: "2-digit", minute: "2-digit", timeZone: zone });
  /** @param {Date} moment */
  const day = (moment) =>
    moment.toLocaleDateString(words.locale, { weekday: "long", day: "numeric", month: "long", timeZone });
  const today = day(at) === day(new Date(state.now));
  const there = say(words, today ? "time.today" : "time.on", { time: clock(timeZone), date: day(at) });
  return clock(timeZone) === clock() ? there : say(words, "time.elsewhere", { there, here: clock() });
}

/** @param {import("./types.js").Sentence} sentence @param {Words} words */
export function sentence({ key, values }, words) {
  return say(words, key, { who: values.role ? who({ name: values.name, role: values.role }, words) : "", ...values });
}
