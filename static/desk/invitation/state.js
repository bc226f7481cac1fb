/** What the panel knows and how it changes: pure. */

import { kindsOf } from "./texts.js";

/** @typedef {import("./types.js").Panel} Panel */
/** @typedef {import("./types.js").Doing} Doing */
/** @typedef {import("./types.js").Occasion} Occasion */
/** @typedef {import("./types.js").Action} Action */

/** @type {Doing} */
const NOTHING = { form: false, sending: false, address: null, problem: null, outcome: null, spare: null };

/**
 * @param {{ occasion: Occasion, mail: boolean, share: boolean, now: number }} what
 * @returns {Panel}
 */
export function begin({ occasion, mail, share, now }) {
  const kinds = kindsOf(occasion);
  return { occasion, mail, share, now, kinds, kind: likeliest(kinds), doing: {} };
}

/** @param {Panel} panel @param {Action} action @returns {Panel} */
export function reduce(panel, action) {
  switch (action.type) {
    case "show": {
      const fresh = begin({ ...panel, ...action });
      if (fresh.occasion.desk.id !== panel.occasion.desk.id) return fresh;
      const moved = fresh.occasion.desk.sequence !== panel.occasion.desk.sequence;
      const same = !moved && JSON.stringify(fresh.kinds) === JSON.stringify(panel.kinds);
      const kind = same ? panel.kind : fresh.kind;
      return { ...fresh, kind, doing: moved || kind !== panel.kind ? unsaid(panel.doing) : panel.doing };
    }
    case "kind":
      return { ...panel, kind: action.kind, doing: {} };
    case "form":
      return doing(panel, action.seat, { form: action.open, problem: null, outcome: null });
    case "typed":
      return doing(panel, action.seat, { address: action.address, problem: null });
    case "send":
      return doing(panel, action.seat, { sending: true, problem: null, outcome: null });
    case "refused":
      return doing(panel, action.seat, { sending: false, problem: action.key });
    case "done":
      return doing(panel, action.seat, {
        sending: false,
        // The address is forgotten as soon as it has been used.
        ...(action.key === "invite.did.send" ? { form: false, address: null } : {}),
        outcome: { key: action.key, values: action.values ?? {}, good: action.good },
        spare: action.spare ?? null,
      });
    default:
      return panel;
  }
}

/** @param {Panel} panel @param {number} seat @returns {Doing} */
export function doingOf(panel, seat) {
  return panel.doing[seat] ?? NOTHING;
}

/** The seats that are invited: all but the doctor's. @param {Panel} panel */
export function invitedOf({ occasion: { desk } }) {
  return desk.seats.filter(({ role }) => role !== "doctor");
}

/** What the user typed, or what the record knows. @param {Panel} panel @param {number} seat */
export function addressOf(panel, seat) {
  const role = panel.occasion.desk.seats.find((other) => other.seat === seat)?.role;
  return doingOf(panel, seat).address ?? (role === "patient" ? panel.occasion.facts.email : "");
}

/** What happened to one letter is not said of the next. @param {Panel["doing"]} doing */
function unsaid(doing) {
  return Object.fromEntries(Object.entries(doing).map(([seat, done]) => [seat, { ...done, outcome: null, spare: null }]));
}

/** @param {Panel["kinds"]} kinds */
function likeliest(kinds) {
  return kinds.includes("change") ? "change" : kinds[0];
}

/** @param {Panel} panel @param {number} seat @param {Partial<Doing>} changed */
function doing(panel, seat, changed) {
  return { ...panel, doing: { ...panel.doing, [seat]: { ...doingOf(panel, seat), ...changed } } };
}
