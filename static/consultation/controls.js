/** Switches, choices and states of cameras and microphones, wherever they stand on the page. */

import { all, clone, el, input, part, put } from "../shared/dom.js";
import { isHeard, statusOf } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Words} Words */

/** @type {("microphone" | "camera")[]} */
export const DEVICES = ["microphone", "camera"];

for (const place of all("[data-own-place]")) place.append(clone("own"));
for (const place of all("[data-switch]")) place.append(makeSwitch(/** @type {string} */ (place.dataset.switch)));
for (const place of all("[data-qualities]")) place.append(makeQuality(/** @type {string} */ (place.dataset.qualities)));
for (const place of all("[data-meter]")) place.append(clone("meter"));
for (const place of all("[data-choices]")) {
  place.prepend(...["camera", "microphone", "speaker"].map((kind) => makeChoice(place, kind)));
}

/**
 * Own pictures, switches and choices, wherever they stand.
 * @param {State} state
 * @param {Words} words
 */
export function drawDevices(state, words) {
  const { media } = state;
  for (const own of all(".own-picture")) {
    own.toggleAttribute("data-mirror", media.mirror);
    const soundOnly = state.quality === "sound" && media.camera === "on";
    own.toggleAttribute("data-dark", soundOnly || media.camera !== "on");
    put(part(own, "own"), words["call.you"]);
    put(part(own, "nothing"), words[soundOnly ? "quality.sound" : `device.camera.${statusOf(media, "camera")}`]);
    for (const device of DEVICES) drawState(own, device, statusOf(media, device), words);
    drawState(own, "heard", isHeard(state) ? "on" : null, words);
  }
  for (const button of all("[data-do=device]")) {
    const device = button.dataset.device === "camera" ? "camera" : "microphone";
    // On its way is on: a press before the browser has granted it switches it off.
    button.setAttribute("aria-checked", String(media[device] === "on" || media[device] === "asking"));
    put(button.querySelector(".word"), words[`device.${device}`]);
    put(button.querySelector(".status"), words[`status.${statusOf(media, device)}`]);
  }
  for (const label of all("[data-choice]")) drawChoice(label, state, words);
  for (const radio of all(".quality input")) {
    const { value } = /** @type {HTMLInputElement} */ (radio);
    /** @type {HTMLInputElement} */ (radio).checked = value === state.quality;
  }
  for (const meter of all("[role=meter]")) meter.setAttribute("aria-label", words["check.level"]);
  drawLens(state, words);
}

/** @param {number} value  0 to 1 */
export function level(value) {
  for (const meter of all("[role=meter]")) {
    /** @type {HTMLElement} */ (meter.firstElementChild).style.setProperty("--level", value.toFixed(2));
    meter.setAttribute("aria-valuenow", String(Math.round(value * 100)));
  }
}

/** What the camera in use offers. @param {State} state @param {Words} words */
function drawLens({ media, ...state }, words) {
  el.flip.hidden = !media.flip || media.camera !== "on";
  el["devices-heard"].hidden = !isHeard({ media, ...state });
  drawToggle(el.torch, media.torch, words);
  el.zoom.hidden = media.zoom === null;
  if (media.zoom) Object.assign(input("zoom-value"), media.zoom);
}

/** @param {HTMLElement} button @param {boolean | null} on  `null`: there is nothing to switch @param {Words} words */
export function drawToggle(button, on, words) {
  button.hidden = on === null;
  button.setAttribute("aria-checked", String(on));
  put(button.querySelector(".status"), words[`status.${on ? "on" : "off"}`]);
}

/**
 * A device's state: symbol and word.
 * @param {HTMLElement} tile
 * @param {"microphone" | "camera" | "heard"} device
 * @param {string | null} status
 * @param {Words} words
 */
export function drawState(tile, device, status, words) {
  const place = /** @type {HTMLElement} */ (tile.querySelector(`[data-device=${device}]`));
  if (!place.firstChild) place.append(...clone("state").childNodes);
  place.hidden = status === null;
  place.dataset.status = status ?? "";
  place.querySelector("use")?.setAttribute("href", `#i-${device}${status === "on" || device === "heard" ? "" : "-off"}`);
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
  if (select.value !== chosen && choices.some(({ id }) => id === chosen)) select.value = chosen;
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

/** @param {string} place */
function makeQuality(place) {
  const choice = clone("quality");
  for (const radio of all("input", choice)) /** @type {HTMLInputElement} */ (radio).name = `${place}-quality`;
  return choice;
}

/** @param {HTMLElement} place @param {string} kind */
function makeChoice(place, kind) {
  const label = clone("choice");
  label.dataset.choice = kind;
  const select = /** @type {HTMLSelectElement} */ (label.querySelector("select"));
  select.name = `${place.dataset.choices}-${kind}`;
  return label;
}
