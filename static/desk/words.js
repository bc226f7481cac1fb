/** The desk's words: `words/frame.*.js` for every page, one part more for each page's own. */

/** @typedef {import("./types.js").Words} Words */

/**
 * @param {string} language
 * @param {string[]} parts  of `words/`, like "list"
 * @returns {Promise<Words>}
 */
export async function load(language, ...parts) {
  const catalogues = await Promise.all(["frame", ...parts].map((part) => import(`./words/${part}.${language === "en" ? "en" : "de"}.js`)));
  return Object.assign({}, ...catalogues.map((catalogue) => catalogue.default));
}

/**
 * What went wrong with a call, in a sentence. A kind that a page knows better (`known`: its own keys by kind) is said its way.
 * @param {unknown} error  a Problem of `api.js`
 * @param {Record<string, string>} [known]
 * @returns {{ key: string, values: Record<string, string> }}
 */
export function sentenceOf(error, known = {}) {
  const { status = 0, kind = "", detail = "", retryAfter = null } = /** @type {Partial<import("./api.js").Problem>} */ (error);
  const minutes = String(Math.max(1, Math.ceil((retryAfter ?? 60) / 60)));
  const key = known[kind] ?? {
    network: "trouble.network", "no-space": "trouble.noSpace", "too-many": "trouble.tooMany", role: "trouble.role", "own-key": "trouble.ownKey",
  }[kind];
  if (key) return { key, values: { minutes, detail } };
  return { key: status >= 500 || status === 0 ? "trouble.server" : "trouble.refused", values: { minutes, detail } };
}
