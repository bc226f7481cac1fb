/**
 * What this browser remembers for the desk: whether knocking is heard, which consultations were entered here, and sealed
 * records that did not reach the server. Nothing of it is a name that anybody else could read.
 */

import { tab } from "../../shared/tab.js";

const DRAFT = "visavis.desk.draft";
const SOUND = "visavis.desk.sound";
const ENTERED = "visavis.desk.entered";
const UNSAVED = "visavis.desk.unsaved";

const store = open();

export function sound() {
  return store.getItem(SOUND) !== "off";
}

/** @param {boolean} on */
export function keepSound(on) {
  store.setItem(SOUND, on ? "on" : "off");
}

/** @returns {string[]} ids */
export function entered() {
  return JSON.parse(store.getItem(ENTERED) ?? "[]");
}

/** @param {string[]} ids */
export function keepEntered(ids) {
  store.setItem(ENTERED, JSON.stringify(ids));
}

/** By consultation. @param {string} practice  id @returns {Record<string, string>} */
export function unsaved(practice) {
  return JSON.parse(store.getItem(`${UNSAVED}.${practice}`) ?? "{}");
}

/** @param {string} practice @param {string} id @param {string | null} sealed  nothing: it has arrived */
export function keepUnsaved(practice, id, sealed) {
  const { [id]: _, ...others } = unsaved(practice);
  const all = sealed === null ? others : { ...others, [id]: sealed };
  if (Object.keys(all).length > 0) store.setItem(`${UNSAVED}.${practice}`, JSON.stringify(all));
  else store.removeItem(`${UNSAVED}.${practice}`);
}

/** The unfinished form, sealed, in this tab. @returns {string | null} */
export function keptDraft() {
  return tab.getItem(DRAFT);
}

/** @param {string | null} sealed */
export function keepDraft(sealed) {
  if (sealed === null) tab.removeItem(DRAFT);
  else tab.setItem(DRAFT, sealed);
}

/** @returns {Pick<Storage, "getItem" | "setItem" | "removeItem">} */
function open() {
  try {
    localStorage.getItem(SOUND);
    return localStorage;
  } catch {
    const memory = new Map();
    return {
      getItem: (key) => memory.get(key) ?? null,
      setItem: (key, value) => void memory.set(key, value),
      removeItem: (key) => void memory.delete(key),
    };
  }
}
