/**
 * The check before the appointment: camera and microphone as the page has them, then one loop over the relay, then a
 * verdict; and, if the user wants it, a word to the practice. Loaded when somebody wants it.
 */

import { LOOK_MS } from "../shared/hearing.js";
import { loop } from "../shared/loop.js";
import { judge, Quiet, tried } from "./readiness.js";

/** @typedef {import("./types.js").Readiness} Readiness */
/** @typedef {import("./types.js").Part} Part */

/** So long a line may take, and an answer of the server. */
const PATIENCE_MS = 15_000;
/** What is wrong with the code meanwhile, as the broker would say it. @type {Record<number, string>} */
const REFUSED = { 404: "code-unknown", 409: "code-revoked", 410: "code-expired" };

export class Trial {
  #code;
  #dispatch;
  #quiet = new Quiet();
  #listening;
  #end = new AbortController();

  /** @param {{ code: string, sound: import("../shared/sound.js").Sound, dispatch: (action: import("./types.js").Action) => void }} page */
  constructor({ code, sound, dispatch }) {
    this.#code = code;
    this.#dispatch = dispatch;
    this.#listening = setInterval(() => this.#hear(sound.level()), LOOK_MS);
  }

  /** Camera and microphone have been seen to; now the line. @param {import("../shared/media.js").Summary} media */
  async judge(media) {
    clearInterval(this.#listening);
    const devices = tried(media, this.#quiet.silent);
    this.#dispatch({ type: "judge" });
    const late = setTimeout(() => this.#end.abort(), PATIENCE_MS);
    const relay = await this.#tryRelay(this.#end.signal);
    clearTimeout(late);
    this.#dispatch({ type: "ready", readiness: judge(devices, relay) });
  }

  /** With the user's consent: what the page shows, and nothing else. @param {Readiness} readiness */
  async tell({ verdict, camera, microphone, relay }) {
    this.#dispatch({ type: "told", told: "telling" });
    const end = new AbortController();
    const late = setTimeout(() => end.abort(), PATIENCE_MS);
    const answer = await this.#post("/api/readiness", { verdict, camera, microphone, relay }, end.signal);
    clearTimeout(late);
    this.#dispatch({ type: "told", told: answer ? "told" : "failed" });
  }

  /** The user goes elsewhere: nothing goes on, and nothing is said any more. */
  leave() {
    clearInterval(this.#listening);
    this.#dispatch = () => {};
    this.#end.abort();
  }

  /** @param {import("../shared/sound.js").Level | null} level  of the microphone */
  #hear(level) {
    const before = this.#quiet.silent;
    this.#quiet.look(level, performance.now());
    const { silent } = this.#quiet;
    if (silent !== before) this.#dispatch({ type: "hints", change: { silent } });
  }

  /** @param {AbortSignal} signal @returns {Promise<import("./types.js").Part>} */
  async #tryRelay(signal) {
    const begun = await this.#post("/api/readiness/begin", {}, signal);
    if (!begun) return "missing";
    return (await loop(begun.iceServers, signal)) ? "ok" : "failed";
  }

  /**
   * @param {string} path
   * @param {object} what
   * @param {AbortSignal} signal
   * @returns {Promise<any>} what a good answer holds, or `null`
   */
  async #post(path, what, signal) {
    try {
      const body = JSON.stringify({ code: this.#code, ...what });
      const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body, signal });
      const error = REFUSED[answer.status];
      if (error) this.#dispatch({ type: "server", message: { type: "error", error } });
      if (!answer.ok) return null;
      return answer.status === 204 ? {} : await answer.json();
    } catch {
      return null; // no way to the server, or not in time
    }
  }
}
