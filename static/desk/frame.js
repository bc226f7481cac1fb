/**
 * What every page of the desk does the same way: the header (practice, pages, language, signing out) and the passing sentence.
 * The markup of the header stands in each page; `data-do="language"` and `data-do="signOut"` are answered here.
 */

import { el, put, translate } from "../shared/dom.js";
import { keepLanguage, language } from "../shared/tab.js";
import { whenOut } from "./leaving.js";
import { signOut, signOutHere } from "./session.js";
import { load } from "./words.js";

/** @typedef {import("./types.js").Session} Session */
/** @typedef {import("./types.js").Words} Words */

const TOLD_MS = 6000;

/**
 * Loads the words, again whenever the language is changed, and answers the header.
 * @param {string[]} parts  of `words/`
 * @param {(words: Words) => void} changed  draws the page
 * @param {() => void} [out]  somebody signed out in another tab
 */
export async function begin(parts, changed, out = signOutHere) {
  whenOut(out);
  const speak = async () => {
    const words = await load(language(), ...parts).catch(() => null);
    if (words) changed(words); // else what stands there says to load the page anew, or it is being left
  };
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target).closest("[data-do]");
    const what = target instanceof HTMLElement ? target.dataset.do : "";
    if (what === "signOut") signOut();
    if (what !== "language") return;
    keepLanguage(/** @type {HTMLElement} */ (target).dataset.language ?? "de");
    speak();
  });
  await speak();
}

/**
 * @param {Words} words
 * @param {Session | null} session
 * @param {string} title  of the page
 */
export function drawFrame(words, session, title) {
  translate(words);
  put(el["brand-name"], session?.practice.name ?? "visavis");
  document.title = `${title} · ${session?.practice.name ?? "visavis"}`;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let silence;

/** A sentence that passes, for eyes and ears (`#told` is a live region). @param {string} text */
export function tell(text) {
  clearTimeout(silence);
  put(el.told, text);
  silence = setTimeout(() => put(el.told, null), TOLD_MS);
}
