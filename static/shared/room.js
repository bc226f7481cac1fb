/**
 * How the doctor's code gets from the practice's page to the tab that *Start* opens: from window to window, so that it stands in no address
 * and in no history (R09). The tab asks, the page that opened it answers; to nobody of another origin.
 */

/** @typedef {{ consultation: string, code: string, secret: string | null }} Handed */

/** Where *Start* leads. Without the page that opened it nothing comes of it: a code is asked for. */
export const ROOM = "/?room";

const ASK = "visavis.room.ask";
const HEARD = "visavis.room.heard";
const HAND = "visavis.room.hand";
/** So long a page has to hear that it is asked: one that is signed out hears nothing. */
const HEARD_MS = 2000;
/** So long it then has to make a code. */
const HAND_MS = 15_000;

/** Whether *Start* has just opened this tab. */
export function isRoom() {
  return location.search === new URL(ROOM, location.origin).search && window.opener !== null;
}

/**
 * @param {string | null} consultation  for which another code is wanted; at first the page knows by itself
 * @returns {Promise<Handed | null>} nothing where nobody answers, or the code is refused
 */
export function askForCode(consultation) {
  const desk = /** @type {Window | null} */ (window.opener);
  if (!desk) return Promise.resolve(null);
  return new Promise((resolve) => {
    const stop = new AbortController();
    /** @param {Handed | null} handed */
    const settle = (handed) => {
      stop.abort();
      resolve(handed);
    };
    const hear = (/** @type {MessageEvent} */ { origin, source, data }) => {
      if (origin !== location.origin || source !== desk) return;
      if (data?.type === HAND) settle(data.handed);
      if (data?.type !== HEARD) return;
      clearTimeout(unheard);
      setTimeout(settle, HAND_MS, null);
    };
    addEventListener("message", hear, { signal: stop.signal });
    const unheard = setTimeout(settle, HEARD_MS, null);
    desk.postMessage({ type: ASK, consultation }, location.origin);
  });
}

/** The tab has its place, and lets go of the page that opened it. */
export function letGo() {
  window.opener = null;
}

/**
 * The practice's page hears who asks.
 * @param {(tab: Window, consultation: string | null) => Promise<Handed | null>} hand
 */
export function onAsked(hand) {
  addEventListener("message", async ({ origin, source, data }) => {
    if (origin !== location.origin || data?.type !== ASK) return;
    const tab = /** @type {Window} */ (source);
    tab.postMessage({ type: HEARD }, location.origin);
    tab.postMessage({ type: HAND, handed: await hand(tab, data.consultation) }, location.origin);
  });
}
