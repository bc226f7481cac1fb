/** Sentences out of a catalogue, whose holes `{like}` this are filled. */

/** @param {Record<string, string>} words @param {string} key @param {Record<string, string>} values */
export function say(words, key, values) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
