/**
 * What outlives a reload of this tab: in the tab's own storage, never in cookies or anything lasting (R33); where the
 * browser blocks even that, in memory, and a reload starts anew.
 */

import { randomDevice } from "../shared/seal.js";
import { tab } from "../shared/tab.js";

/** @typedef {import("./types.js").Kept} Kept */

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
    room: null,
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
  const text = tab.getItem("visavis");
  return text === null ? null : { ...fresh(), ...JSON.parse(text) };
}

/** @param {Kept} kept */
export function save(kept) {
  tab.setItem("visavis", JSON.stringify(kept));
}

export function forget() {
  tab.removeItem("visavis");
}

/** What a tab that the practice's page opened got of that page's storage: its session has no business here (R62), a former call neither. */
export function forgetOpener() {
  const opened = Object.keys(tab).filter((name) => name.startsWith("visavis") && name !== "visavis.language");
  for (const name of opened) tab.removeItem(name);
}
