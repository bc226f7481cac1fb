/**
 * Single letters that do in the call what a button does (WCAG 2.1.4: they can be switched off, and never take a letter
 * from somebody who types). Pure: a key and the state in, an action out.
 */

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {{ key: string, target?: unknown, repeat?: boolean, isComposing?: boolean, ctrlKey?: boolean, altKey?: boolean, metaKey?: boolean, shiftKey?: boolean }} Key */

/** Where letters are text, or choose from a list. */
const FIELDS = "input, textarea, select, [contenteditable]";

/** By letter. @type {Record<string, (state: State) => Action | null>} */
const ACTIONS = {
  m: ({ media }) => ({ type: "device", device: "microphone", on: !isOn(media.microphone) }),
  v: ({ media }) => ({ type: "device", device: "camera", on: !isOn(media.camera) }),
  f: ({ display }) => (display.full === null ? null : { type: "fullScreen" }),
  h: ({ role, peers }) => (role !== "doctor" && Object.keys(peers).length > 1 ? { type: "hand" } : null),
};

/**
 * @param {Key} key
 * @param {State} state
 * @returns {Action | null}
 */
export function actionOf(key, state) {
  if (state.screen !== "call" || state.panel !== "none" || !state.shortcuts) return null;
  if (key.repeat || key.isComposing || key.ctrlKey || key.altKey || key.metaKey || key.shiftKey) return null;
  const { target } = key;
  if (target && /** @type {Partial<Element>} */ (target).closest?.(FIELDS)) return null;
  return ACTIONS[key.key.toLowerCase()]?.(state) ?? null;
}

/** On its way is on, as on the button. @param {string} status */
function isOn(status) {
  return status === "on" || status === "asking";
}
