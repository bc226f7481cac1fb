/** The panel's and the sheet's states, for tests and pictures: every sentence is in one of them. */

import { begin, reduce } from "./state.js";

/** @typedef {import("./types.js").Panel} Panel */
/** @typedef {import("./types.js").Occasion} Occasion */
/** @typedef {import("./types.js").Desk} Desk */

/**
 * One for Monday, 30 November 2026, nine in Berlin.
 * @param {Partial<Desk> & { practice?: Occasion["practice"], facts?: Partial<Occasion["facts"]>, origin?: string }} [other]
 * @returns {Occasion}
 */
export function occasion({ practice, facts, origin, ...desk } = {}) {
  return {
    desk: {
      id: "019abc12-3456-7def-8123-456789abcdef",
      startsAt: "2026-11-30T08:00:00Z",
      opensAt: "2026-11-30T07:30:00Z",
      expiresAt: "2026-11-30T10:00:00Z",
      durationMinutes: 20,
      state: "planned",
      relayedOnly: false,
      language: "de",
      sealed: null,
      revision: 1,
      sequence: 0,
      createdBy: "maria",
      seats: [{ seat: 1, role: "doctor" }, { seat: 2, role: "patient" }],
      readiness: null,
      ...desk,
    },
    facts: {
      name: "Maria Muster",
      phone: "+49 (0) 171 / 12 34 567",
      email: "maria.muster@patient.example",
      secret: "AbCdEfGhIjKlMnOpQrStUv",
      codes: { 2: "K7QF-3XM2-9TDA", 3: "M2QR-8WXD-4BNC" },
      labels: { 3: "Dolmetscherin" },
      ...facts,
    },
    practice: practice ?? { name: "Praxis am Markt", phone: "030 1234567", timeZone: "Europe/Berlin" },
    origin: origin ?? "http://localhost:8080",
  };
}

const NOW = Date.parse("2026-11-20T10:00:00Z");
const GUEST = /** @type {const} */ ([{ seat: 1, role: "doctor" }, { seat: 2, role: "patient" }, { seat: 3, role: "guest" }]);
const WEAK = /** @type {const} */ ({ verdict: "red", camera: "missing", microphone: "failed", relay: "failed", at: "2026-11-20T09:00:00Z" });

/** @param {Parameters<typeof occasion>[0]} [other] @param {{ mail?: boolean, share?: boolean }} [means] */
function panel(other, { mail = true, share = true } = {}) {
  return begin({ occasion: occasion(other), mail, share, now: NOW });
}

/** @param {Panel} from @param {import("./types.js").Action[]} actions */
function after(from, ...actions) {
  return actions.reduce(reduce, from);
}

/** @param {string} key @param {object} [more] */
function done(key, more = {}) {
  return after(panel(), { type: "done", seat: 2, key: `invite.${key}`, good: true, ...more });
}

/** @param {string} key @param {string} [detail] */
function failed(key, detail = "") {
  const open = after(panel(), { type: "form", seat: 2, open: true }, { type: "send", seat: 2 });
  return after(open, { type: "done", seat: 2, key: `invite.failed.${key}`, good: false, values: { detail } });
}

/** @type {{ name: string, panel: Panel }[]} */
export const PANELS = [
  { name: "invite", panel: panel() },
  { name: "invite-bare", panel: panel({ facts: { name: "", phone: "", email: "", secret: null } }, { mail: false, share: false }) },
  { name: "invite-guest", panel: panel({ seats: [...GUEST] }) },
  { name: "invite-guest-unnamed", panel: panel({ seats: [...GUEST], facts: { labels: {}, codes: { 2: "K7QF-3XM2-9TDA" } } }) },
  { name: "invite-guests-alike", panel: panel({ seats: [...GUEST, { seat: 4, role: "guest" }], facts: { labels: { 3: "Tochter", 4: "Tochter" }, codes: { 2: "K7QF-3XM2-9TDA", 3: "M2QR-8WXD-4BNC", 4: "P5VT-2HJE-7SGN" } } }) },
  { name: "invite-english", panel: panel({ language: "en" }) },
  { name: "invite-form", panel: after(panel(), { type: "form", seat: 2, open: true }) },
  { name: "invite-wrong-address", panel: after(panel(), { type: "form", seat: 2, open: true }, { type: "typed", seat: 2, address: "maria" }, { type: "refused", seat: 2, key: "invite.failed.address" }) },
  { name: "invite-sending", panel: after(panel(), { type: "form", seat: 2, open: true }, { type: "send", seat: 2 }) },
  { name: "invite-change", panel: panel({ sequence: 1, readiness: WEAK }) },
  { name: "invite-tip", panel: after(panel({ readiness: WEAK }), { type: "kind", kind: "tip" }) },
  { name: "invite-cancellation", panel: panel({ state: "revoked", sequence: 1 }) },
  { name: "invite-cancellation-form", panel: after(panel({ state: "revoked", sequence: 1 }), { type: "form", seat: 2, open: true }) },
  { name: "invite-not-copied", panel: done("did.notCopied", { good: false, spare: "Guten Tag,\n\nPraxis am Markt lädt Sie zu einem Videotermin ein." }) },
  ...["copyLink", "copyText", "write", "send", "sms", "share", "notShared", "print", "calendar"].map((what) => ({ name: `invite-${what}`, panel: done(`did.${what}`) })),
  { name: "invite-notOpened", panel: done("did.notOpened", { good: false }) },
  { name: "invite-refused", panel: failed("mail", "550 5.1.1 <…>: Recipient address rejected: User unknown in virtual mailbox table") },
  ...["noMail", "network"].map((what) => ({ name: `invite-${what}`, panel: failed(what) })),
  { name: "invite-failed", panel: failed("other", "The subject has 1 to 200 characters.") },
];
