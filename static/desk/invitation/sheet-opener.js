/**
 * Opens the sheet in a tab of its own and hands it what it says, from memory to memory: nothing of it is kept, and nothing passes
 * the server or stands in an address. The tab may ask again, as after a reload.
 */

/** @typedef {import("./types.js").Sheet} Sheet */

const PAGE = "/desk/sheet.html";
/** What the sheet says to ask. */
export const ASKS = "visavis.sheet";

/** @type {Map<MessageEventSource, Sheet>} */
const sheets = new Map();

/** @param {Sheet} sheet @returns {boolean} whether the tab opened */
export function handOver(sheet) {
  for (const tab of sheets.keys()) if (/** @type {Window} */ (tab).closed) sheets.delete(tab);
  if (sheets.size === 0) addEventListener("message", answer);
  const tab = open(PAGE, "_blank");
  if (tab) sheets.set(tab, sheet);
  return tab !== null;
}

/** @param {MessageEvent} event */
function answer({ source, origin, data }) {
  const sheet = source && sheets.get(source);
  if (sheet && origin === location.origin && data === ASKS) source.postMessage(sheet, { targetOrigin: origin });
}
