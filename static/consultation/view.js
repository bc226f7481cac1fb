/**
 * The only module that touches the document. `render(state, words)` draws the whole state and may be called any number
 * of times; `attach` hands it the live streams, `level` the meter's value; what the user does comes out of `mount` as
 * plain actions (`data-do` in the markup names them). Texts are set as text, never as HTML.
 */

import { format } from "../shared/code.js";
import { CORNERS, knockName, locked, pathOf, say, sentence, titleOf, troubleOf, when, who } from "./state.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").PeerState} PeerState */
/** @typedef {import("./types.js").Words} Words */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {{ own: MediaStream | null, partners: Map<number, MediaStream> }} Streams */

const IDLE_MS = 4000;
const DRAG_PX = 8;
/** @type {("microphone" | "camera")[]} */
const DEVICES = ["microphone", "camera"];

/** @type {Record<string, HTMLElement>} every element with an id */
const el = Object.fromEntries(all("[id]").map((element) => [element.id, element]));
/** @type {Streams} */
let streams = { own: null, partners: new Map() };
/** @type {(action: Action) => void} */
let emit = () => {};
/** What was drawn last, so that focus moves and a sentence is said only once. */
const drawn = { screen: "", words: /** @type {Words | null} */ (null), announcement: 0, panel: "" };
/** @type {WeakMap<HTMLMediaElement, string>} the tracks an element plays */
const showing = new WeakMap();

for (const place of all("[data-own-place]")) place.append(clone("own"));
for (const place of all("[data-phone]")) place.append(clone("phone"));
for (const place of all("[data-switch]")) place.append(makeSwitch(/** @type {string} */ (place.dataset.switch)));
for (const place of all("[data-choices]")) {
  place.prepend(...["camera", "microphone", "speaker"].map((kind) => makeChoice(place, kind)));
}

/**
 * Listens to the user.
 * @param {(action: Action) => void} listener
 */
export function mount(listener) {
  emit = listener;
  document.addEventListener("click", onClick);
  document.addEventListener("change", onChange);
  form("code-form", () => emit({ type: "submitCode", code: input("code").value }));
  form("name-form", () => emit({ type: "submitName", name: input("name").value }));
  for (const panel of all("dialog")) {
    // By Escape. The event comes a moment after the closing: the panel may have been opened again meanwhile.
    panel.addEventListener("close", () => {
      if (drawn.panel === panel.id && !(/** @type {HTMLDialogElement} */ (panel).open)) emit({ type: "panel", panel: "none" });
    });
  }
  el.stage.addEventListener("pointerdown", onGrab);
  el.stage.addEventListener("keydown", onArrow);
  for (const type of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(type, onAwake);
}

/** @param {Streams} live @param {State} state */
export function attach(live, state) {
  streams = live;
  drawPictures(state);
}

/** @param {number} value  0 to 1 */
export function level(value) {
  el["level-bar"].style.setProperty("--level", value.toFixed(2));
  el.level.setAttribute("aria-valuenow", String(Math.round(value * 100)));
}

/** @param {State} state @param {Words} words */
export function render(state, words) {
  if (words !== drawn.words) translate(words);
  const moved = state.screen !== drawn.screen;
  drawn.screen = state.screen;
  document.body.dataset.screen = state.screen;
  for (const section of all("section")) section.hidden = section.id !== `screen-${state.screen}`;
  document.title = `${say(words, titleOf(state), { count: String(state.knocks.length) })} · visavis`;
  drawPhone(state.practice.phone);
  for (const line of all("[data-notice]")) put(line, state.notice && sentence(state.notice, words));
  for (const button of all("[data-hushed]")) button.hidden = !state.hushed;
  SCREENS[state.screen](state, words, moved);
  drawDevices(state, words);
  drawKnocks(state, words);
  drawPanels(state, words);
  drawPictures(state);
  if (moved) moveFocus(state);
  announce(state, words);
}

/** @type {Record<import("./types.js").Screen, (state: State, words: Words, moved: boolean) => void>} */
const SCREENS = {
  looking(state, words) {
    put(el["looking-title"], words["looking.title"]);
    const text = state.signaling === "down" ? "looking.down" : state.back ? "looking.back" : "looking.text";
    put(el["looking-text"], words[text]);
    el["looking-away"].hidden = state.signaling !== "down";
  },
  code(state, words, moved) {
    if (moved) input("code").value = format(state.code);
    complain("code", state.problem && words[`problem.${state.problem}`]);
  },
  welcome(state, words, moved) {
    if (moved) input("name").value = state.name;
    const practice = state.practice.name;
    const title = practice ? say(words, "welcome.title", { practice }) : words["welcome.titleNobody"];
    put(el["welcome-title"], title);
    put(el["welcome-when"], say(words, "welcome.when", { when: when(state.startsAt, state, words) }));
    complain("name", state.problem && words["welcome.nameMissing"]);
  },
  early(state, words) {
    put(el["early-opens"], say(words, "early.opens", { when: when(state.opensAt, state, words) }));
    put(el["early-starts"], state.startsAt && say(words, "early.starts", { when: when(state.startsAt, state, words) }));
  },
  problem(state, words) {
    const expires = state.expiresAt ? new Date(state.expiresAt).toLocaleString(words.locale, DAY_AND_TIME) : "";
    put(el["problem-title"], words[`problem.${state.problem}.title`]);
    put(el["problem-text"], say(words, `problem.${state.problem}.text`, { expires }));
    put(el["problem-next"], words[`problem.${state.problem}.next`]);
    el["problem-retry"].hidden = state.problem === "code-expired" || state.problem === "code-revoked";
  },
  browser(state, words) {
    put(el["browser-text"], words[`browser.${state.problem}.text`]);
    put(el["browser-next"], words[`browser.${state.problem}.next`]);
  },
  check(state, words) {
    const doctor = state.role === "doctor";
    const { media } = state;
    const asking = media.microphone === "asking" || media.camera === "asking";
    const text = asking ? "check.asking" : doctor ? "check.textDoctor" : "check.text";
    put(el["check-title"], words[doctor ? "check.titleDoctor" : "check.title"]);
    const shown = asking || doctor || media.camera === "on";
    put(el["check-text"], shown && say(words, text, { when: when(state.startsAt, state, words) }));
    const trouble = troubleOf(state, words);
    put(el["check-problem"], trouble);
    el["check-again"].hidden = !trouble || asking;
    el["level-place"].hidden = media.microphone !== "on";
    put(el["level-hint"], state.hushed && media.microphone === "on" && words["check.levelHint"]);
    const next = doctor ? "check.toRoom" : "check.toWaiting";
    put(el.join, words[state.joining ? "check.joining" : next]);
    el.join.setAttribute("aria-disabled", String(state.joining));
    el["check-other-side"].hidden = !doctor;
  },
  waiting(state, words) {
    const doctor = state.role === "doctor";
    const text = doctor ? "textDoctor" : state.sentBack ? "sentBack" : state.doctor ? "textDoctorHere" : "text";
    put(el["waiting-title"], words[doctor ? "waiting.titleDoctor" : "waiting.title"]);
    put(el["waiting-text"], words[`waiting.${text}`]);
    put(el["waiting-occupied"], state.occupied && !doctor && words["waiting.occupied"]);
    put(el["waiting-offline"], state.signaling === "down" && words["signaling.down"]);
    put(el["waiting-when"], say(words, "waiting.when", { when: when(state.startsAt, state, words) }));
  },
  room(state, words) {
    put(el["room-when"], say(words, "room.when", { when: when(state.startsAt, state, words) }));
    put(el["room-offline"], state.signaling === "down" && words["signaling.down"]);
    put(el["room-trouble"], troubleOf(state, words));
    el["room-empty"].hidden = state.knocks.length > 0;
  },
  call: drawCall,
  end(state, words) {
    put(el["end-title"], words[`end.${state.end}.title`]);
    put(el["end-text"], words[`end.${state.end}.text`]);
    const open = !state.expiresAt || Date.parse(state.expiresAt) > state.now;
    el.rejoin.hidden = !open || state.end === "revoked";
    put(el.rejoin.hidden ? null : el.rejoin, words[state.role === "doctor" ? "end.rejoinRoom" : "end.rejoin"]);
  },
};

/** @param {string | null} phone  of the practice: one tap calls it */
function drawPhone(phone) {
  for (const place of all("[data-phone]")) {
    place.hidden = !phone;
    const link = place.querySelector("a");
    put(link, phone?.replaceAll(" ", "\u00a0"));
    link?.setAttribute("href", `tel:${(phone ?? "").replace(/[^+0-9]/g, "")}`);
  }
}

/** @type {Intl.DateTimeFormatOptions} */
const DAY_AND_TIME = { dateStyle: "long", timeStyle: "short" };

/** @param {State} state @param {Words} words */
function drawCall(state, words) {
  const peers = Object.values(state.peers);
  const { stage } = el;
  stage.dataset.corner = state.corner;
  stage.dataset.role = state.role ?? "";
  const gripped = document.activeElement?.matches(".grip");
  const swapped = state.swapped && peers.length > 0;
  stage.toggleAttribute("data-swapped", swapped);
  keyed(el.partners, peers, "seat", "partner", (tile, peer) => drawPartner(tile, peer, words));
  const grip = /** @type {HTMLElement | null} */ (stage.querySelector(swapped ? ".partners .grip" : ".own .grip"));
  if (gripped) grip?.focus(); // what was swapped away took the focus with it
  el["call-alone"].hidden = peers.length > 0;
  put(el["call-alone-text"], words["call.alone"]);
  const path = pathOf(peers);
  el.chip.dataset.path = path;
  el.chip.hidden = peers.length === 0;
  put(el["chip-text"], words[`path.${path}`]);
  const broken = peers.find((peer) => peer.link !== "connected");
  const key = broken && (broken.away && broken.link !== "blocked" ? "link.away" : `link.${broken.link}`);
  put(el["call-link"], broken && key && say(words, key, { who: who(broken, words) }));
  const offline = { down: "signaling.inCall", closed: "signaling.closed" }[String(state.signaling)];
  put(el["call-offline"], offline && words[offline]);
  put(el["call-trouble"], troubleOf(state, words));
  const count = state.knocks.length;
  el.arrivals.hidden = count === 0;
  put(el["arrivals-text"], say(words, "call.arrivals", { count: String(count) }));
}

/** @param {HTMLElement} tile @param {PeerState} peer @param {Words} words */
function drawPartner(tile, peer, words) {
  tile.dataset.link = peer.link;
  tile.dataset.path = peer.path;
  tile.toggleAttribute("data-dark", peer.camera !== true);
  put(part(tile, "name"), who(peer, words));
  put(part(tile, "nothing"), peer.camera === false ? words["call.cameraOff"] : words["call.noPicture"]);
  put(part(tile, "grip"), words["call.swap"]);
  for (const device of DEVICES) {
    const on = peer[device];
    drawState(tile, device, on === null ? null : on ? "on" : "off", words);
  }
}

/**
 * Own pictures, switches and choices, wherever they stand.
 * @param {State} state
 * @param {Words} words
 */
function drawDevices(state, words) {
  const { media } = state;
  for (const own of all(".own-picture")) {
    own.toggleAttribute("data-mirror", media.mirror);
    own.toggleAttribute("data-dark", media.camera !== "on");
    put(part(own, "own"), words["call.you"]);
    put(part(own, "nothing"), words[`device.camera.${media.camera}`]);
    put(part(own, "grip"), words["call.swap"]);
    for (const device of DEVICES) drawState(own, device, media[device], words);
  }
  for (const button of all("[data-do=device]")) {
    const device = button.dataset.device === "camera" ? "camera" : "microphone";
    // On its way is on: a press before the browser has granted it switches it off.
    button.setAttribute("aria-checked", String(media[device] === "on" || media[device] === "asking"));
    put(button.querySelector(".word"), words[`device.${device}`]);
    put(button.querySelector(".status"), words[`status.${media[device]}`]);
  }
  for (const label of all("[data-choice]")) drawChoice(label, state, words);
}

/**
 * A device's state: symbol and word.
 * @param {HTMLElement} tile
 * @param {"microphone" | "camera"} device
 * @param {string | null} status
 * @param {Words} words
 */
function drawState(tile, device, status, words) {
  const place = /** @type {HTMLElement} */ (tile.querySelector(`[data-device=${device}]`));
  if (!place.firstChild) place.append(...clone("state").childNodes);
  place.hidden = status === null;
  place.dataset.status = status ?? "";
  place.querySelector("use")?.setAttribute("href", `#i-${device}${status === "on" ? "" : "-off"}`);
  put(place.querySelector("span"), status && words[`device.${device}.${status}`]);
}

/** @param {HTMLElement} label @param {State} state @param {Words} words */
function drawChoice(label, state, words) {
  const kind = /** @type {"camera" | "microphone" | "speaker"} */ (label.dataset.choice);
  const choices = state.media.devices[/** @type {const} */ (`${kind}s`)];
  const select = /** @type {HTMLSelectElement} */ (label.querySelector("select"));
  label.hidden = choices.length === 0;
  put(label.querySelector("span"), words[`choice.${kind}`]);
  const wanted = choices.map(({ id, label: text }) => ({ id, text: text || words["choice.default"] }));
  const same = wanted.length === select.options.length
    && wanted.every(({ id, text }, at) => select.options[at].value === id && select.options[at].text === text);
  if (!same) select.replaceChildren(...wanted.map(({ id, text }) => new Option(text, id)));
  const chosen = state.media.chosen[kind];
  if (chosen && select.value !== chosen) select.value = chosen;
}

/** @param {State} state @param {Words} words */
function drawKnocks(state, words) {
  for (const list of all("[data-knocks]")) {
    keyed(list, state.knocks, "knock", "knock", (item, knock) => {
      const minutes = Math.max(0, Math.floor((state.now - Date.parse(knock.since)) / 60000));
      const since = minutes === 0 ? words["room.since0"] : say(words, "room.since", { minutes: String(minutes) });
      put(part(item, "name"), knockName(knock, words));
      put(part(item, "since"), since);
      const other = knock.role === "doctor" ? "room.anotherDoctor" : "room.another";
      put(part(item, "device"), (knock.device === "another" || knock.role === "doctor") && words[other]);
      put(part(item, "locked"), locked(knock, words));
    });
  }
}

/** @param {State} state @param {Words} words */
function drawPanels(state, words) {
  drawn.panel = state.screen === "call" ? `panel-${state.panel}` : "";
  for (const name of ["more", "arrivals"]) {
    const panel = /** @type {HTMLDialogElement} */ (el[`panel-${name}`]);
    const open = drawn.panel === panel.id;
    if (open && !panel.open) panel.showModal();
    if (!open && panel.open) panel.close();
  }
  el["arrivals-empty"].hidden = state.knocks.length > 0;
  const peers = state.role === "doctor" ? Object.values(state.peers) : [];
  keyed(el.seats, peers, "seat", "seat", (group, peer) => {
    put(part(group, "name"), who(peer, words));
    put(part(group, "locked"), locked(peer, words));
    group.setAttribute("aria-label", who(peer, words));
  });
}

/**
 * Streams go to the pictures that are to be seen, and to no others.
 * @param {State} state
 */
function drawPictures(state) {
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
    if (speaker && sound.sinkId !== speaker) sound.setSinkId?.(speaker).catch(() => {}); // pulled meanwhile: the default
  }
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
  const key = tracks.map((track) => track.id).join();
  if ((showing.get(player) ?? "") === key) return;
  showing.set(player, key);
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

/** @param {State} state */
function moveFocus(state) {
  if (state.screen === "looking") return; // the page has just been opened: reading starts at the top anyway
  window.scrollTo(0, 0);
  el[`${state.screen}-title`].focus({ preventScroll: true });
}

/** @param {State} state @param {Words} words */
function announce(state, words) {
  if (!state.announcement || state.announcement.id === drawn.announcement) return;
  drawn.announcement = state.announcement.id;
  el.announcer.textContent = sentence(state.announcement, words);
}

/** @param {Words} words */
function translate(words) {
  drawn.words = words;
  document.documentElement.lang = words.language;
  document.documentElement.dir = words.direction;
  for (const element of all("[data-say]")) element.textContent = words[element.dataset.say ?? ""];
  put(el.language, words["language.switch"]);
  el.language.lang = words["language.switchTo"];
  el.language.dataset.language = words["language.switchTo"];
}

/**
 * One child for each item, kept by its key; made from a template, drawn by `draw`.
 * @template T
 * @param {HTMLElement} place
 * @param {T[]} items
 * @param {keyof T & string} key
 * @param {string} template
 * @param {(child: HTMLElement, item: T) => void} draw
 */
function keyed(place, items, key, template, draw) {
  const children = new Map([...place.children].map((child) => [/** @type {HTMLElement} */ (child).dataset[key], child]));
  for (const item of items) {
    const name = String(item[key]);
    let child = /** @type {HTMLElement | undefined} */ (children.get(name));
    children.delete(name);
    if (!child) {
      child = clone(template);
      for (const target of [child, ...child.querySelectorAll("[data-do]")]) {
        /** @type {HTMLElement} */ (target).dataset[key] = name;
      }
      for (const text of all("[data-say]", child)) text.textContent = drawn.words?.[text.dataset.say ?? ""] ?? "";
      place.append(child);
    }
    draw(child, item);
  }
  for (const child of children.values()) {
    const focused = child.contains(document.activeElement);
    child.remove();
    if (focused) el[`${drawn.screen}-title`].focus();
  }
}

/** @param {MouseEvent} event */
function onClick(event) {
  emit({ type: "gesture" });
  const target = /** @type {Element} */ (event.target).closest("[data-do]");
  if (!(target instanceof HTMLElement) || target.getAttribute("aria-disabled") === "true") return;
  const { do: type, seat, knock, panel, device, language } = target.dataset;
  const on = target.getAttribute("aria-checked") !== "true";
  emit({ type: type ?? "", seat: Number(seat), knock, panel, device, on, language });
}

/** @param {Event} event */
function onChange(event) {
  const select = /** @type {Element} */ (event.target);
  const kind = /** @type {HTMLElement | null} */ (select.closest("[data-choice]"))?.dataset.choice;
  if (select instanceof HTMLSelectElement && kind) emit({ type: "choose", kind, id: select.value });
}

/** The controls fade while a desktop mouse rests; the style sheet decides where. */
let resting = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
function onAwake() {
  clearTimeout(resting);
  document.body.removeAttribute("data-resting");
  resting = setTimeout(() => document.body.toggleAttribute("data-resting", true), IDLE_MS);
}

/** @param {PointerEvent} grab  on the small picture: a drag moves it, less is a click and swaps */
function onGrab(grab) {
  const grip = /** @type {Element} */ (grab.target).closest(".grip");
  const box = /** @type {HTMLElement | null} */ (grip?.closest("#own-tile, #partners") ?? null);
  if (!grip || !box || !grab.isPrimary) return;
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
  if (!(/** @type {Element} */ (event.target).closest(".grip"))) return;
  const [side, edge] = (el.stage.dataset.corner ?? CORNERS[0]).split("-");
  const forward = document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
  const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
  const next = { [forward]: `end-${edge}`, [backward]: `start-${edge}`, ArrowUp: `${side}-top`, ArrowDown: `${side}-bottom` };
  if (!next[event.key]) return;
  event.preventDefault();
  emit({ type: "corner", corner: next[event.key] });
}

/** @param {string} device */
function makeSwitch(device) {
  const button = clone("switch");
  button.dataset.device = device;
  const [on, off] = button.querySelectorAll("use");
  on.setAttribute("href", `#i-${device}`);
  off.setAttribute("href", `#i-${device}-off`);
  return button;
}

/** @param {HTMLElement} place @param {string} kind */
function makeChoice(place, kind) {
  const label = clone("choice");
  label.dataset.choice = kind;
  const select = /** @type {HTMLSelectElement} */ (label.querySelector("select"));
  select.name = `${place.dataset.choices}-${kind}`;
  return label;
}

/**
 * Sets an element's text; without one, it is hidden.
 * @param {Element | null} element
 * @param {string | null | undefined | false} text
 */
function put(element, text) {
  if (!(element instanceof HTMLElement)) return;
  element.hidden = !text;
  if (element.textContent !== (text || "")) element.textContent = text || "";
}

/**
 * A field's problem, said beneath it and on it.
 * @param {string} field
 * @param {string | null} text
 */
function complain(field, text) {
  put(el[`${field}-problem`], text);
  el[field].setAttribute("aria-invalid", String(Boolean(text)));
}

/** @param {string} id @param {() => void} submit */
function form(id, submit) {
  el[id].addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
}

/** @param {string} id */
function input(id) {
  return /** @type {HTMLInputElement} */ (el[id]);
}

/** @param {HTMLElement} element @param {string} name */
function part(element, name) {
  return /** @type {HTMLElement} */ (element.querySelector(`[data-part=${name}]`));
}

/** @param {string} template */
function clone(template) {
  const { content } = /** @type {HTMLTemplateElement} */ (el[`template-${template}`]);
  return /** @type {HTMLElement} */ (/** @type {Element} */ (content.firstElementChild).cloneNode(true));
}

/** @param {string} selector @param {ParentNode} [within] @returns {HTMLElement[]} */
function all(selector, within = document) {
  return [...within.querySelectorAll(selector)].map((element) => /** @type {HTMLElement} */ (element));
}
