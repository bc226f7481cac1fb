/**
 * What outlives a reload of this tab and no more: the tab's own storage; where the browser blocks even that, memory.
 */

export const tab = open();

/** @returns {Pick<Storage, "getItem" | "setItem" | "removeItem">} */
function open() {
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

/** The language that was chosen, or the browser's: German first, unless it prefers English to that. */
export function language() {
  const chosen = tab.getItem("visavis.language");
  return (chosen ?? navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag === "de" || tag === "en")) === "en" ? "en" : "de";
}

/** @param {string} chosen */
export function keepLanguage(chosen) {
  tab.setItem("visavis.language", chosen);
}
