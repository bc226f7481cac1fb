/**
 * Waiting for a state with a deadline: nothing sleeps and hopes. {@link until} asks again and again; what never comes
 * true ends with a sentence that names it.
 */

import { setTimeout as pause } from "node:timers/promises";

const ASK_AGAIN_MS = 25;

/**
 * @template T
 * @param {string} what      completes "this did not happen: …"
 * @param {() => Promise<T> | T} ask
 * @param {object} [options]
 * @param {number} [options.within]                     in ms
 * @param {number} [options.every]                      asks again after so long, in ms
 * @param {() => Promise<string> | string} [options.why]  adds what was seen instead
 * @returns {Promise<Exclude<T, false | null | undefined>>} the first answer that is true
 */
export async function until(what, ask, { within = 20_000, every = ASK_AGAIN_MS, why = () => "" } = {}) {
  const deadline = Date.now() + within;
  let trouble = "";
  do {
    try {
      const answer = await ask();
      if (answer) return /** @type {Exclude<T, false | null | undefined>} */ (answer);
      trouble = "";
    } catch (error) {
      if (!isPassing(error)) throw error;
      trouble = ` (${error})`;
    }
    await pause(every);
  } while (Date.now() < deadline);
  throw new Error(`this did not happen within ${within / 1000} s: ${what}${trouble}. ${await why()}`);
}

/** A page that is being loaded cannot answer for a moment, and has no body yet. What stays wrong is told at the end. @param {any} error */
export function isPassing(error) {
  return /context was destroyed|Cannot find (default execution )?context|navigated|no such frame|Execution context|realm|Not attached to an active page|NS_BINDING_ABORTED|ERR_ABORTED|document\.body is null|properties of null/i.test(String(error?.message));
}
