/**
 * What outlives a reload of this tab: in the tab's own storage, never in cookies or anything lasting (R33); where the
 * browser blocks even that, in memory, and a reload starts anew.
 */

import { randomDevice } from "../shared/seal.js";

/** @typedef {import("./types.js").Kept} Kept */

const store = openStore();

/** @returns {Kept} */
export function fresh() {
  return {
    code: "",
    secret: null,
    device: randomDevice(),
    token: null,
    name: "",
    role: null,
    stage: "waiting",
    end: null,
    pairs: {},
    microphone: true,
    camera: true,
    quality: "automatic",
    shortcuts: true,
  };
}

/** @returns {Kept | null} */
export function load() {
  const text = store.getItem("visavis");
  return text === null ? null : { ...fresh(), ...JSON.parse(text) };
}

/** @param {Kept} kept */
export function save(kept) {
  store.setItem("visavis", JSON.stringify(kept));
}

export function forget() {
  store.removeItem("visavis");
}

/** @returns {string | null} the language that was chosen */
export function language() {
  return store.getItem("visavis.language");
}

/** @param {string} language */
export function keepLanguage(language) {
  store.setItem("visavis.language", language);
}

/** @returns {Pick<Storage, "getItem" | "setItem" | "removeItem">} */
function openStore() {
  try {
    sessionStorage.getItem("visavis");
    return sessionStorage;
  } catch {
    const memory = new Map();
    return {
      getItem: (key) => memory.get(key) ?? null,
      setItem: (key, value) => void memory.set(key, value),
      removeItem: (key) => void memory.delete(key),
    };
  }
}
