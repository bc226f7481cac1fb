/** What invitations in the tests are about. */

/** @typedef {import("../../../static/desk/invitation/types.js").Occasion} Occasion */
/** @typedef {import("../../../static/desk/invitation/types.js").Desk} Desk */

export const CODE = "K7QF-3XM2-9TDA";
export const GUEST_CODE = "M2QR-8WXD-4BNC";
export const SECRET = "AbCdEfGhIjKlMnOpQrStUv";

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
      secret: SECRET,
      codes: { 2: CODE, 3: GUEST_CODE },
      labels: { 3: "Dolmetscherin" },
      ...facts,
    },
    practice: practice ?? { name: "Praxis am Markt", phone: "030 1234567", timeZone: "Europe/Berlin" },
    origin: origin ?? "https://video.example.org",
  };
}
