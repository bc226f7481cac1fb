/**
 * How the check before the appointment went: what camera, microphone and line did becomes a verdict, and for each part that
 * is not well a cause with its next step. Plain data in and out.
 */

import { NOTHING, SILENT_MS } from "../shared/hearing.js";

/** @typedef {import("../shared/media.js").Summary} Summary */
/** @typedef {import("./types.js").Part} Part */
/** @typedef {import("./types.js").Parts} Parts */
/** @typedef {import("./types.js").Readiness} Readiness */
/** @typedef {"camera" | "microphone"} Device */
/** @typedef {{ part: Part, cause: string | null }} Found  `cause`: a key of the words */

/**
 * @param {Summary} media   what the browser granted
 * @param {boolean} silent  the microphone is on and nothing comes from it
 * @returns {Record<Device, Found>}
 */
export function tried(media, silent) {
  const microphone = device(media, "microphone");
  const dead = microphone.part === "ok" && silent;
  return { camera: device(media, "camera"), microphone: dead ? { part: "failed", cause: "hint.silent" } : microphone };
}

/** @param {Record<Device, Found>} devices @param {Part} relay  `missing`: the server gave none @returns {Readiness} */
export function judge({ camera, microphone }, relay) {
  const parts = { camera: camera.part, microphone: microphone.part, relay };
  const causes = { camera: camera.cause, microphone: microphone.cause, relay: relay === "ok" ? null : `ready.cause.relay.${relay}` };
  return { verdict: verdictOf(parts, microphone.cause), ...parts, causes };
}

/**
 * Without a line or a voice there is no call. A microphone that is there and only waits to be allowed or let go of leaves it possible.
 * @param {Parts} parts
 * @param {string | null} voice  what is wrong with the microphone
 * @returns {Readiness["verdict"]}
 */
function verdictOf({ camera, microphone, relay }, voice) {
  if (relay !== "ok" || microphone === "missing" || voice === "hint.silent") return "red";
  return camera === "ok" && microphone === "ok" ? "green" : "yellow";
}

/** @param {Summary} media @param {Device} name @returns {Found} */
function device(media, name) {
  if (media[name] === "on") return { part: "ok", cause: null };
  if (media[name] === "interrupted") return { part: "failed", cause: `trouble.in-use.${name}` }; // the system lets another program have it
  const trouble = media.trouble[name] ?? "none";
  if (trouble !== "none") return { part: "failed", cause: `trouble.${trouble}.${name}` };
  return { part: "missing", cause: name === "camera" ? "ready.cause.camera" : "trouble.none.microphone" };
}

/** Notices a microphone that is on and delivers nothing, by its levels. */
export class Quiet {
  #since = /** @type {number | null} */ (null);
  /** For so long that no pause explains it. */
  silent = false;

  /** @param {import("../shared/sound.js").Level | null} level  nothing: not measured @param {number} now  ms */
  look(level, now) {
    if (!level || level.peak > NOTHING) this.#since = null;
    else this.#since ??= now;
    this.silent = this.#since !== null && now - this.#since >= SILENT_MS;
  }
}
