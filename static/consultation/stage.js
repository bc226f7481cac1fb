/**
 * The call's stage: the partners' tiles and the own one, their pictures and sound, and the sentences over them. With one
 * partner one picture is large and the other a small one that can be moved; with more all stand in a grid, and any can be
 * made large. `attach` hands it the live streams; `drawCall` draws the state.
 */

import { DEVICES, drawState } from "./controls.js";
import { all, clone, el, keyed, part, put } from "../shared/dom.js";
import { say } from "../shared/say.js";
import { drawChip } from "./lock.js";
import { CORNERS, hintIn } from "./state.js";
import { darknessOf, isGroup, linkOf, troubleOf, verdictOf, who } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").PeerState} PeerState */
/** @typedef {import("./types.js").Words} Words */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {{ own: MediaStream | null, partners: Map<number, MediaStream> }} Streams */

const DRAG_PX = 8;

/** @type {Streams} */
let streams = { own: null, partners: new Map() };
/** @type {(action: Action) => void} */
let emit = () => {};
/** @type {WeakMap<HTMLMediaElement, MediaStreamTrack[]>} the tracks an element plays */
const showing = new WeakMap();

/** @param {(action: Action) => void} listener */
export function mountStage(listener) {
  emit = listener;
  el.stage.addEventListener("pointerdown", onGrab);
  el.stage.addEventListener("keydown", onArrow);
}

/** @param {Streams} live @param {State} state */
export function attach(live, state) {
  streams = live;
  drawPictures(state);
}

/** @param {State} state @param {Words} words */
export function drawCall(state, words) {
  const peers = Object.values(state.peers);
  el.stage.dataset.role = state.role ?? "";
  keyed(el.partners, peers, "seat", "partner", (tile, peer) => drawPartner(tile, peer, state, words));
  arrange(state, peers.length);
  drawOwn(state, words);
  el["call-alone"].hidden = peers.length > 0;
  put(el["call-alone-text"], words["call.alone"]);
  drawChip(peers, words);
  const broken = peers.find((peer) => peer.link !== "connected");
  put(el["call-link"], broken && linkOf(broken, state.now, words));
  const down = peers.some(({ link }) => link === "connected") ? "signaling.inCall" : "signaling.down";
  const offline = { down, closed: "signaling.closed" }[String(state.signaling)];
  put(el["call-offline"], offline && words[offline]);
  const trouble = troubleOf(state, words);
  const hint = hintIn(state);
  put(el["call-trouble"], trouble);
  put(el["call-hint"], !trouble && hint && words[hint]);
  el.asked.hidden = !state.asked;
  const picture = peers.length > 0 ? state.picture : "on";
  el.stage.dataset.picture = picture;
  const weak = verdictOf(peers);
  el["call-line"].hidden = !weak;
  const paused = picture === "weak" ? ` ${words["picture.meanwhile"]}` : "";
  put(el["call-line-text"], weak && say(words, weak.key, { who: who(weak.peer, words) }) + paused);
  put(el["call-picture"], picture !== "on" && !(weak && paused) && words[`picture.${picture}`]);
  el["sound-only"].hidden = picture !== "weak";
  el["with-picture"].hidden = picture !== "sound";
  const count = state.knocks.length;
  el.arrivals.hidden = count === 0;
  put(el["arrivals-text"], say(words, "call.arrivals", { count: String(count) }));
}

/**
 * For two: which picture is large, which small. For more: how many tiles, and which of them is large.
 * @param {State} state
 * @param {number} partners
 */
function arrange(state, partners) {
  const { stage } = el;
  const group = isGroup(state);
  const swapped = state.swapped && partners === 1;
  const gripped = !group && document.activeElement?.matches(".grip");
  stage.dataset.corner = state.corner;
  stage.dataset.tiles = String(partners + 1);
  stage.toggleAttribute("data-group", group);
  stage.toggleAttribute("data-pinned", group && (state.pinned === "own" || Boolean(state.peers[state.pinned ?? 0])));
  stage.toggleAttribute("data-swapped", swapped);
  for (const [box, large] of /** @type {const} */ ([[el.partners, !swapped], [el["own-tile"], swapped]])) {
    box.classList.toggle("front", !group && large);
    box.classList.toggle("aside", !group && !large);
  }
  for (const grip of all(".grip", stage)) grip.dataset.do = group ? "pin" : "swap";
  if (gripped) /** @type {HTMLElement | null} */ (stage.querySelector(".aside .grip"))?.focus(); // what was swapped away took the focus with it
}

/** @param {HTMLElement} tile @param {PeerState} peer @param {State} state @param {Words} words */
function drawPartner(tile, peer, state, words) {
  tile.dataset.link = peer.link;
  tile.dataset.path = peer.path;
  const dark = darknessOf(peer, state.quality);
  tile.toggleAttribute("data-dark", dark !== null);
  put(part(tile, "name"), who(peer, words));
  tile.querySelector(".nothing use")?.setAttribute("href", dark === null || dark === "call.noPicture" ? "#i-person" : "#i-camera-off");
  put(part(tile, "nothing"), words[dark ?? "call.noPicture"]);
  for (const device of DEVICES) {
    const on = peer[device];
    drawState(tile, device, on === null ? null : on ? "on" : "off", words);
  }
  const group = isGroup(state);
  drawMark(tile, "link", "warning", group && peer.link !== "connected" && words[`tile.${peer.link}`]);
  drawMark(tile, "picture", "camera-off", group && peer.camera && peer.picture !== "on" && words[`tile.${peer.picture}`]);
  drawMark(tile, "hand", "hand", peer.hand && handOf(state, peer.seat, words));
  drawSeat(tile, peer.seat, state, group ? say(words, "call.pin", { who: who(peer, words) }) : words["call.swap"], words);
}

/** What only the stage shows of the own picture; `controls.js` draws the rest. @param {State} state @param {Words} words */
function drawOwn(state, words) {
  const tile = el["own-tile"];
  const group = isGroup(state);
  drawMark(tile, "link", "warning", false);
  drawMark(tile, "picture", "camera-off", group && state.picture !== "on" && words[`tile.${state.picture}`]);
  drawMark(tile, "hand", "hand", group && state.hand && words["tile.hand"]);
  drawSeat(tile, "own", state, words[group ? "call.pinOwn" : "call.swap"], words);
  el.hand.hidden = !group || state.role === "doctor";
  el.hand.setAttribute("aria-pressed", String(state.hand));
  put(el.hand.querySelector(".status"), state.hand && words["hand.raised"]);
}

/**
 * What the own tile and the partners' have in common.
 * @param {HTMLElement} tile
 * @param {number | "own"} whose
 * @param {State} state
 * @param {string} grip  what the tile's button says
 * @param {Words} words
 */
function drawSeat(tile, whose, state, grip, words) {
  const group = isGroup(state);
  const speaks = group && state.speaker === whose;
  tile.toggleAttribute("data-speaking", speaks);
  tile.toggleAttribute("data-pinned", group && state.pinned === whose);
  drawMark(tile, "speaking", "speaking", speaks && words["tile.speaking"]);
  put(part(tile, "grip"), grip);
  const button = /** @type {HTMLElement} */ (tile.querySelector(".grip"));
  if (group) button.setAttribute("aria-pressed", String(state.pinned === whose));
  else button.removeAttribute("aria-pressed");
}

/**
 * In order of raising for the doctor.
 * @param {State} state
 * @param {number} seat
 * @param {Words} words
 */
function handOf(state, seat, words) {
  if (state.role !== "doctor") return words["tile.hand"];
  return say(words, "tile.handInOrder", { number: String(state.hands.indexOf(seat) + 1) });
}

/**
 * Symbol and word on a tile.
 * @param {HTMLElement} tile
 * @param {string} name
 * @param {string} icon
 * @param {string | false | null} text
 */
function drawMark(tile, name, icon, text) {
  const place = part(tile, name);
  if (!place.firstChild) {
    place.append(...clone("state").childNodes);
    place.querySelector("use")?.setAttribute("href", `#i-${icon}`);
  }
  place.hidden = !text;
  put(place.querySelector("span"), text);
}

/**
 * Streams go to the pictures that are to be seen, and to no others.
 * @param {State} state
 */
export function drawPictures(state) {
  for (const own of all(".own-picture")) {
    const seen = own.closest("section")?.hidden === false;
    show(picture(own), seen ? (streams.own?.getVideoTracks() ?? []) : []);
  }
  for (const tile of /** @type {HTMLElement[]} */ ([...el.partners.children])) {
    const stream = streams.partners.get(Number(tile.dataset.seat)) ?? null;
    const sound = /** @type {HTMLAudioElement} */ (tile.querySelector("audio"));
    show(picture(tile), stream?.getVideoTracks() ?? []);
    show(sound, stream?.getAudioTracks() ?? []);
    const { speaker } = state.media.chosen;
    if ((sound.sinkId ?? "") !== speaker) sound.setSinkId?.(speaker).catch(() => {}); // pulled meanwhile: the default
  }
}

/** The partner's picture, the largest if there are several. @returns {HTMLVideoElement | null} */
export function largePicture() {
  const area = (/** @type {HTMLElement} */ video) => video.clientWidth * video.clientHeight;
  const pictures = [...el.partners.querySelectorAll("video")].filter(({ videoWidth }) => videoWidth > 0);
  return pictures.sort((a, b) => area(b) - area(a))[0] ?? null;
}

/** @param {HTMLElement} tile */
function picture(tile) {
  return /** @type {HTMLVideoElement} */ (tile.querySelector("video"));
}

/**
 * Sound and picture play in an element each: Chromium keeps an element silent until its first frame, and a partner whose
 * camera is off sends none.
 * @param {HTMLMediaElement} player
 * @param {MediaStreamTrack[]} tracks
 */
function show(player, tracks) {
  const shown = showing.get(player) ?? [];
  if (shown.length === tracks.length && tracks.every((track) => shown.includes(track))) return; // not by id: another line brings the same
  showing.set(player, tracks);
  const stream = /** @type {MediaStream | null} */ (player.srcObject);
  if (stream && player.localName === "video" && tracks.length > 0) {
    // Another line's picture: in the same stream the last frame stays until the next comes.
    for (const track of stream.getTracks()) if (!tracks.includes(track)) stream.removeTrack(track);
    for (const track of tracks) stream.addTrack(track);
    return;
  }
  player.srcObject = tracks.length === 0 ? null : new MediaStream(tracks);
  if (tracks.length === 0) return;
  player.play().catch((error) => {
    // Otherwise it was replaced while it was starting.
    if (error.name === "NotAllowedError" && player.localName === "audio") emit({ type: "soundBlocked" });
  });
}

/** After a click: the sound that the browser held back. */
export function unmute() {
  for (const sound of el.partners.querySelectorAll("audio")) sound.play().catch(() => {});
}

/** @param {PointerEvent} grab  on the small picture: a drag moves it, less is a click and swaps */
function onGrab(grab) {
  const grip = /** @type {Element} */ (grab.target).closest(".grip");
  const box = /** @type {HTMLElement | null} */ (grip?.closest("#own-tile, #partners") ?? null);
  if (!grip || !box?.matches(".aside") || !grab.isPrimary) return;
  let dragged = false;
  /** @param {PointerEvent} move */
  const onMove = (move) => {
    const [x, y] = [move.clientX - grab.clientX, move.clientY - grab.clientY];
    if (!dragged && Math.hypot(x, y) < DRAG_PX) return;
    if (!dragged) grip.setPointerCapture(grab.pointerId);
    dragged = true;
    box.style.setProperty("transform", `translate(${x}px, ${y}px)`);
  };
  /** @param {PointerEvent} drop */
  const onDrop = (drop) => {
    for (const type of ["pointerup", "pointercancel"]) document.removeEventListener(type, /** @type {any} */ (onDrop));
    document.removeEventListener("pointermove", onMove);
    box.style.removeProperty("transform");
    if (!dragged || drop.type === "pointercancel") return;
    grip.addEventListener("click", (click) => click.stopPropagation(), { once: true, capture: true });
    emit({ type: "corner", corner: nearestCorner(drop) });
  };
  document.addEventListener("pointermove", onMove);
  for (const type of ["pointerup", "pointercancel"]) document.addEventListener(type, /** @type {any} */ (onDrop));
}

/** @param {PointerEvent} point */
function nearestCorner(point) {
  const area = el.stage.getBoundingClientRect();
  const right = point.clientX > area.left + area.width / 2;
  const side = right === (document.documentElement.dir !== "rtl") ? "end" : "start";
  return `${side}-${point.clientY > area.top + area.height / 2 ? "bottom" : "top"}`;
}

/** @param {KeyboardEvent} event */
function onArrow(event) {
  if (!(/** @type {Element} */ (event.target).closest(".aside .grip"))) return;
  const [side, edge] = (el.stage.dataset.corner ?? CORNERS[0]).split("-");
  const forward = document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
  const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
  const next = { [forward]: `end-${edge}`, [backward]: `start-${edge}`, ArrowUp: `${side}-top`, ArrowDown: `${side}-bottom` };
  if (!next[event.key]) return;
  event.preventDefault();
  emit({ type: "corner", corner: next[event.key] });
}
