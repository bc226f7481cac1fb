/** A line in figures, as the details and the report show it: what each side measures, in words and units. Pure. */

/** @typedef {import("../shared/line.js").LineSummary} LineSummary */
/** @typedef {import("./types.js").Words} Words */

/** A figure that is not known. */
const NONE = "–";

/** In this order. @type {Record<string, (line: LineSummary, words: Words) => string | null>} */
const FACTS = {
  path: ({ path, transport }, words) => [words[`line.path.${path}`], transport?.toUpperCase()].filter(Boolean).join(", "),
  received: ({ received }) => `${received} kbit/s`,
  sent: ({ sent }) => `${sent} kbit/s`,
  available: ({ available }) => unit(available, "kbit/s"),
  loss: ({ lossIn }, words) => percent(lossIn, words),
  concealed: ({ concealed }, words) => percent(concealed, words),
  rtt: ({ rtt }) => unit(rtt, "ms"),
  jitter: ({ jitter }) => unit(jitter, "ms"),
  picture: ({ width, height, frames }) => (frames > 0 ? `${width} × ${height}, ${frames}/s` : null),
  codecs: ({ codecs }) => codecs.replace(" ", ", "),
};

/**
 * @param {LineSummary | null} own
 * @param {LineSummary | null} theirs
 * @param {Words} words
 */
export function factsOf(own, theirs, words) {
  return Object.entries(FACTS).map(([name, fact]) => {
    const [here, there] = [own, theirs].map((line) => (line && fact(line, words)) || NONE);
    return { name, label: words[`line.fact.${name}`], here, there };
  });
}

/** @param {number} share @param {Words} words */
function percent(share, { locale }) {
  return share.toLocaleString(locale, { style: "percent", maximumFractionDigits: 1 });
}

/** @param {number | null} value @param {string} name */
function unit(value, name) {
  return value === null ? null : `${value} ${name}`;
}
