/**
 * Every screen and every trouble of the consultation page by name, each with a sample state, so that tests can draw
 * and check each one (`render(state, words)` needs no server). The page itself never loads this file.
 */

import { initialState } from "./state.js";

/** @typedef {import("./types.js").State} State */

/** @type {State["media"]} */
const ready = {
  microphone: "on",
  camera: "on",
  trouble: { microphone: null, camera: null },
  devices: {
    microphones: [{ id: "m1", label: "Headset" }, { id: "m2", label: "Tisch-Mikrofon" }],
    cameras: [{ id: "c1", label: "Frontkamera", facing: "user" }, { id: "c2", label: "Rückkamera", facing: "environment" }],
    speakers: [{ id: "s1", label: "Lautsprecher" }],
  },
  chosen: { microphone: "m1", camera: "c1", speaker: "s1" },
  mirror: true,
  flip: true,
  torch: null,
  zoom: null,
};

/** @type {State["knocks"][number]} */
const knock = {
  knock: "q83vEjRWeJCrze8S",
  seat: 2,
  role: "patient",
  since: "2026-11-21T09:02:00Z",
  device: "first",
  name: "Maria Beispiel",
  locked: null,
};

/** @type {State["peers"][number]} */
const partner = {
  seat: 2,
  role: "patient",
  incarnation: 1,
  away: false,
  link: "connected",
  path: "direct",
  microphone: true,
  camera: true,
  picture: "on",
  hand: false,
  hearsUs: null,
  trying: null,
  check: { level: "checked", by: "link", words: null, language: "de" },
  transport: ["DTLS 1.3", "TLS_AES_128_GCM_SHA256", "SRTP_AES128_CM_HMAC_SHA1_80"],
  line: null,
  theirLine: null,
  verdict: null,
  name: "Maria Beispiel",
  locked: null,
};

/** @type {import("../shared/line.js").LineSummary} */
const line = {
  sent: 1480, received: 1392, lossOut: 0, lossIn: 0.004, rtt: 38, jitter: 6, concealed: 0.001, available: 2300, frames: 29, width: 1280, height: 720,
  codecs: "opus VP8", path: "direct", transport: "udp",
};
/** @type {import("../shared/line.js").LineSummary} */
const weakLine = { ...line, sent: 96, received: 61, lossIn: 0.083, rtt: 412, concealed: 0.031, available: 110, frames: 0, path: "relayed", transport: "tls" };

/** @type {State} */
const arrived = {
  ...initialState(),
  now: Date.parse("2026-11-21T09:04:30Z"),
  practice: { name: "Praxis am Markt", phone: "030 1234567", timeZone: null },
  code: "K7QF3XM29TDA",
  role: "patient",
  seat: 2,
  startsAt: "2026-11-21T09:00:00Z",
  opensAt: "2026-11-21T08:30:00Z",
  expiresAt: "2026-11-22T09:00:00Z",
  signaling: "up",
  display: { full: false, floating: false },
};

const invited = { name: "Gemeinschaftspraxis am Markt", phone: "030 7654321", timeZone: "Europe/Berlin" };

/**
 * The check before the appointment has come to a result.
 * @param {Partial<NonNullable<State["readiness"]>>} change
 * @param {Partial<NonNullable<State["readiness"]>["causes"]>} [causes]
 * @returns {Partial<State>}
 */
const checked = (change, causes) => ({
  screen: "ready",
  inviter: invited,
  readiness: { verdict: "green", camera: "ok", microphone: "ok", relay: "ok", ...change, causes: { camera: null, microphone: null, relay: null, ...causes } },
});

/** @type {Partial<State>} */
const doctor = { role: "doctor", seat: 1, media: ready };

/** @type {Partial<State>} */
const patientCall = { screen: "call", media: ready, peers: { 1: { ...partner, seat: 1, role: "doctor", name: null } } };
/** @type {Partial<State>} */
const doctorCall = { ...doctor, screen: "call", peers: { 2: partner } };

/** @param {Partial<State["peers"][number]>} change @returns {Partial<State>} */
const withPartner = (change) => ({ ...patientCall, peers: { 1: { ...partner, seat: 1, role: "doctor", name: null, ...change } } });

const NAMES = ["Maria Beispiel", "Ayşe Beispiel-Gökçeoğlu", "Jonas Beispiel", "Dr. Wilhelmine von Beispielhausen", "Bo", "Chiara Beispiel", "Тарас Приклад", "Noël Beispiel"];

/**
 * A group of so many, as the doctor or a patient sees it.
 * @param {number} people
 * @param {Partial<State>} [change]
 * @param {Record<number, Partial<State["peers"][number]>>} [peers]  what is special, by seat
 * @returns {Partial<State>}
 */
function group(people, change = {}, peers = {}) {
  const role = change.role ?? "doctor";
  const own = role === "doctor" ? 1 : 2;
  const seats = Array.from({ length: people }, (_, at) => at + 1).filter((seat) => seat !== own);
  /** @type {(seat: number) => State["peers"][number]} */
  const peer = (seat) => ({ ...partner, seat, role: seat === 1 ? "doctor" : seat === 2 ? "patient" : "guest", name: seat === 1 ? "Praxis am Markt" : NAMES[seat - 2], ...peers[seat] });
  return { screen: "call", media: ready, role, seat: own, peers: Object.fromEntries(seats.map((seat) => [seat, peer(seat)])), ...change };
}

/** @param {Partial<State["media"]>} change @returns {State["media"]} */
const media = (change) => ({ ...ready, ...change });

/** @type {State["peers"][number]["check"]} */
const words = { level: "words", by: null, words: ["Kalender", "Himbeere", "Narzisse", "Zeppelin"], language: "de" };

/** @type {[string, Partial<State>][]} */
const samples = [
  ["looking", { screen: "looking" }],
  ["looking-back", { screen: "looking", back: true }],
  ["looking-server-away", { screen: "looking", signaling: "down" }],
  ["code", { screen: "code", code: "" }],
  ...["code-empty", "code-length", "code-typo", "code-unknown"].map(
    (problem) => /** @type {[string, Partial<State>]} */ ([problem, { screen: "code", problem }]),
  ),
  ["welcome", { screen: "welcome" }],
  ["welcome-nobody-configured", { screen: "welcome", practice: { name: null, phone: null, timeZone: null } }],
  ["welcome-name-missing", { screen: "welcome", problem: "name-missing" }],
  ["welcome-practice", { screen: "welcome", inviter: invited }],
  ["early", { screen: "early" }],
  ["early-practice", { screen: "early", inviter: invited }],
  ["early-doctor", { ...doctor, screen: "early", inviter: invited }],
  ["trial-asking", { screen: "trial", media: media({ microphone: "asking", camera: "asking" }) }],
  ["trial", { screen: "trial", media: ready }],
  ["trial-hushed", { screen: "trial", media: ready, hushed: true }],
  ["trial-silent", { screen: "trial", media: ready, hints: { silent: true, mutedSpeaking: false, unheard: false, echo: false } }],
  ["trial-no-camera", { screen: "trial", media: media({ camera: "missing", trouble: { microphone: null, camera: "none" } }) }],
  ["ready-checking", { screen: "ready", inviter: invited }],
  ["ready-green", checked({})],
  ["ready-green-nobody-to-tell", { ...checked({}), inviter: null }],
  ["ready-yellow-no-camera", checked({ verdict: "yellow", camera: "missing" }, { camera: "ready.cause.camera" })],
  ["ready-yellow-not-allowed", checked({ verdict: "yellow", camera: "failed", microphone: "failed" }, { camera: "trouble.browser.camera", microphone: "trouble.browser.microphone" })],
  ["ready-red-no-microphone", checked({ verdict: "red", microphone: "missing" }, { microphone: "trouble.none.microphone" })],
  ["ready-red-silent", checked({ verdict: "red", microphone: "failed" }, { microphone: "hint.silent" })],
  ["ready-red-no-line", checked({ verdict: "red", camera: "failed", relay: "failed" }, { camera: "trouble.in-use.camera", relay: "ready.cause.relay.failed" })],
  ["ready-red-no-server", checked({ verdict: "red", relay: "missing" }, { relay: "ready.cause.relay.missing" })],
  ["ready-telling", { ...checked({}), told: "telling" }],
  ["ready-told", { ...checked({}), told: "told" }],
  ["ready-not-told", { ...checked({}), told: "failed" }],
  ...["code-expired", "code-revoked", "code-used", "crowded", "too-many", "unavailable"].map(
    (problem) => /** @type {[string, Partial<State>]} */ ([`problem-${problem}`, { screen: "problem", problem }]),
  ),
  ["browser-in-app", { screen: "browser", problem: "in-app" }],
  ["browser-incomplete", { screen: "browser", problem: "incomplete" }],
  ["browser-insecure", { screen: "browser", problem: "insecure" }],
  ["check-asking", { screen: "check", media: media({ microphone: "asking", camera: "asking" }) }],
  ["check-ready", { screen: "check", media: ready }],
  ["check-muted", { screen: "check", media: media({ microphone: "off", camera: "off" }) }],
  ["check-hushed", { screen: "check", media: ready, hushed: true }],
  ["check-sound-only", { screen: "check", media: ready, quality: "sound", picture: "sound" }],
  ["check-joining", { screen: "check", media: ready, joining: true }],
  ["check-doctor", { ...doctor, screen: "check" }],
  ...troubles(),
  ["waiting", { screen: "waiting", media: ready }],
  ["waiting-practice", { screen: "waiting", media: ready, inviter: invited }],
  ["waiting-doctor-here", { screen: "waiting", media: ready, doctor: true }],
  ["waiting-sent-back", { screen: "waiting", media: ready, sentBack: true }],
  ["waiting-occupied", { screen: "waiting", media: ready, occupied: true }],
  ["waiting-server-away", { screen: "waiting", media: ready, signaling: "down" }],
  ["waiting-doctor-elsewhere", { ...doctor, screen: "waiting", occupied: true }],
  ["room-empty", { ...doctor, screen: "room" }],
  ["room-knock", { ...doctor, screen: "room", knocks: [knock] }],
  ["room-hushed", { ...doctor, screen: "room", hushed: true }],
  ["room-server-away", { ...doctor, screen: "room", signaling: "down" }],
  ["room-notice", { ...doctor, screen: "room", notice: { id: 1, key: "gone.left", values: { name: "Maria Beispiel", role: "patient" } } }],
  ["room-knocks", {
    ...doctor,
    screen: "room",
    knocks: [
      knock,
      { ...knock, knock: "a", name: "Jonas Beispiel", device: "another" },
      { ...knock, knock: "b", name: null },
      { ...knock, knock: "c", name: null, locked: "no-secret" },
      { ...knock, knock: "d", name: null, locked: "mismatch" },
      { ...knock, knock: "e", seat: 1, role: "doctor", device: "another" },
      { ...knock, knock: "f", seat: 3, role: "doctor", name: null },
    ],
  }],
  ["call-connecting", withPartner({ link: "connecting", path: "unknown", microphone: null, camera: null })],
  ["call-direct", patientCall],
  ["call-relayed", withPartner({ path: "relayed" })],
  ["call-swapped", { ...patientCall, swapped: true, corner: "start-bottom" }],
  ["call-muted", { ...patientCall, media: media({ microphone: "off", camera: "off" }) }],
  ["call-partner-muted", withPartner({ microphone: false, camera: false })],
  ["call-picture-weak", { ...withPartner({ picture: "weak" }), picture: "weak" }],
  ["call-sound-only", { ...patientCall, quality: "sound", picture: "sound" }],
  ["call-partner-sound-only", withPartner({ picture: "sound" })],
  ["call-interrupted", withPartner({ link: "interrupted" })],
  ["call-next-try", withPartner({ link: "interrupted", trying: { attempt: 3, nextAt: arrived.now + 6000 } })],
  ["call-partner-away", withPartner({ link: "interrupted", away: true })],
  ["call-blocked", withPartner({ link: "blocked", path: "unknown" })],
  ["call-server-away", { ...patientCall, signaling: "down" }],
  ["call-server-and-line-away", { ...withPartner({ link: "interrupted" }), signaling: "down" }],
  ["call-server-closed", { ...patientCall, signaling: "closed" }],
  ["call-hushed", { ...patientCall, hushed: true }],
  ["call-no-devices", {
    ...patientCall,
    media: media({ microphone: "missing", camera: "missing", trouble: { microphone: "none", camera: "none" } }),
  }],
  ...hints(),
  ["call-heard", withPartner({ hearsUs: true })],
  ["call-held", { ...patientCall, media: media({ microphone: "interrupted", camera: "interrupted" }) }],
  ["call-held-camera", { ...patientCall, media: media({ camera: "interrupted" }) }],
  ["call-devices", { ...withPartner({ hearsUs: true }), panel: "devices", media: media({ torch: true, zoom: { min: 1, max: 5, step: 0.1, value: 2 } }) }],
  ["call-camera-changed", { ...patientCall, notice: { id: 1, key: "device.camera.switched", values: { label: "Frontkamera" } } }],
  ["call-microphone-changed", { ...patientCall, notice: { id: 1, key: "device.microphone.switched", values: { label: "Tisch-Mikrofon" } } }],
  ["call-menu-full", { ...patientCall, panel: "more", shortcuts: false, display: { full: true, floating: true } }],
  ["call-alone", { ...patientCall, peers: {} }],
  ...["own", "partner", "between"].flatMap((whose) => ["loss", "narrow", "slow"].map((what) =>
    /** @type {[string, Partial<State>]} */ ([`call-line-${whose}-${what}`, withPartner({ verdict: `${whose}.${what}`, line: weakLine, theirLine: weakLine })]))),
  ["call-line-paused", { ...withPartner({ verdict: "own.narrow", picture: "weak", line: weakLine, theirLine: weakLine }), picture: "weak" }],
  ["call-line-open", { ...withPartner({ line, theirLine: line }), panel: "line" }],
  ["call-line-open-own", { ...withPartner({ verdict: "own.narrow", line: weakLine, theirLine: { ...weakLine, available: null } }), panel: "line" }],
  ["call-line-open-partner", { ...withPartner({ verdict: "partner.loss", line: weakLine, theirLine: null }), panel: "line" }],
  ["call-line-open-measuring", { ...patientCall, panel: "line" }],
  ["call-line-open-interrupted", { ...withPartner({ link: "interrupted", line }), panel: "line" }],
  ["call-line-open-two", { ...doctorCall, panel: "line", peers: { 2: { ...partner, line, theirLine: line }, 3: { ...partner, seat: 3, role: "guest", name: "Ayşe Beispiel", line: weakLine, theirLine: weakLine, verdict: "partner.narrow" } } }],
  ["call-lock-open", { ...withPartner({ check: { level: "open", by: null, words: null, language: null }, transport: null }), panel: "lock" }],
  ["call-words", withPartner({ check: words })],
  ["call-lock-words", { ...withPartner({ check: words, path: "relayed" }), panel: "lock" }],
  ["call-lock-link", { ...patientCall, panel: "lock" }],
  ["call-lock-words-agreed", { ...withPartner({ check: { ...words, level: "checked", by: "words" }, transport: [] }), panel: "lock" }],
  ["call-lock-two", { ...doctorCall, panel: "lock", peers: { 2: partner, 3: { ...partner, seat: 3, role: "guest", name: "Ayşe Beispiel", check: words } } }],
  ["call-menu", { ...patientCall, panel: "more" }],
  ["call-doctor", doctorCall],
  ["call-doctor-menu", { ...doctorCall, panel: "more" }],
  ["call-doctor-arrival", { ...doctorCall, knocks: [{ ...knock, knock: "f", seat: 3, role: "guest", name: "Ayşe Beispiel" }] }],
  ["call-doctor-arrivals-open", { ...doctorCall, panel: "arrivals", knocks: [{ ...knock, knock: "f", seat: 3, role: "guest", name: "Ayşe Beispiel" }] }],
  ["call-doctor-arrivals-none", { ...doctorCall, panel: "arrivals" }],
  ...[3, 4, 5, 6, 7, 8, 9].map((people) => /** @type {[string, Partial<State>]} */ ([`group-${people}`, group(people)])),
  ["group-line", group(4, {}, { 3: { verdict: "partner.narrow", line: weakLine, theirLine: weakLine } })],
  ["group-patient", group(4, { role: "patient" })],
  ["group-speaker", group(6, { speaker: 3 })],
  ["group-own-voice", group(3, { speaker: "own", role: "patient" })],
  ["group-pinned", group(4, { pinned: 3, speaker: 3 })],
  ["group-pinned-of-six", group(6, { pinned: 4, speaker: 2 }, { 3: { camera: false } })],
  ["group-pinned-of-nine", group(9, { pinned: 2, speaker: 5, hands: [5], role: "doctor" }, { 5: { hand: true }, 8: { microphone: false, camera: false } })],
  ["group-own-pinned", group(5, { pinned: "own" })],
  ["group-hands", group(6, { hands: [5, 3] }, { 3: { hand: true }, 5: { hand: true } })],
  ["group-own-hand", group(4, { role: "patient", hand: true, hands: [3] }, { 3: { hand: true } })],
  ["group-sound-alone", group(9, { media: media({ camera: "off" }), speaker: 4 }, Object.fromEntries([2, 3, 4, 5, 6, 7, 8, 9].map((seat) => [seat, { camera: false, microphone: seat % 3 > 0 }])))],
  ["group-lines", group(5, {}, { 2: { link: "connecting", microphone: null, camera: null }, 3: { link: "interrupted" }, 4: { link: "blocked" } })],
  ["group-pictures-weak", group(4, { picture: "weak" }, { 2: { picture: "weak" }, 3: { picture: "sound" } })],
  ["group-arrival", group(3, { knocks: [{ ...knock, knock: "g", seat: 4, role: "guest", name: "Jonas Beispiel" }] })],
  ["group-asked", group(4, { role: "patient", asked: true })],
  ["group-doctor-asked", group(4, { notice: { id: 1, key: "ask.asked", values: {} } })],
  ["group-menu", group(4, { panel: "more" }, { 3: { microphone: false } })],
  ["call-remove", { ...doctorCall, panel: "remove", about: 2 }],
  ["group-remove", group(4, { panel: "remove", about: 4 })],
  ["group-leave", group(4, { panel: "leave" })],
  ["call-asked", { ...patientCall, asked: true }],
  ...["left", "leftWaiting", "ended", "refused", "removed", "replaced", "revoked", "mismatch", "weak"].map(
    (end) => /** @type {[string, Partial<State>]} */ ([`end-${end}`, { screen: "end", end }]),
  ),
  ["end-doctor-left", { ...doctor, screen: "end", end: "left", inviter: invited }],
  ["end-over", { screen: "end", end: "ended", expiresAt: "2026-11-21T09:04:00Z" }],
  ["end-doctor", { ...doctor, screen: "end", end: "ended" }],
  ["end-doctor-desk", { ...doctor, screen: "end", end: "ended", inviter: invited }],
  ["end-mismatch-doctor", { ...doctor, screen: "end", end: "mismatch" }],
  ["end-weak-doctor", { ...doctor, screen: "end", end: "weak" }],
  ["end-leftRoom", { ...doctor, screen: "end", end: "leftRoom" }],
];

/** @type {{ name: string, state: State }[]} */
export const STATES = samples.map(([name, change]) => ({ name, state: { ...arrived, ...change } }));

/** @returns {[string, Partial<State>][]} */
function hints() {
  const none = { silent: false, mutedSpeaking: false, unheard: false, echo: false };
  const names = /** @type {(keyof typeof none)[]} */ (Object.keys(none));
  return names.map((name) => [`call-hint-${name}`, {
    ...patientCall,
    hints: { ...none, [name]: true },
    media: media({ microphone: name === "mutedSpeaking" ? "off" : "on" }),
  }]);
}

/** @returns {[string, Partial<State>][]} every trouble that a device can have, as the check shows it */
function troubles() {
  /** @type {import("../shared/media.js").Trouble[]} */
  const reasons = ["browser", "system", "in-use", "none"];
  return reasons.flatMap((reason) => [
    [`check-${reason}-both`, { screen: "check", media: media({ microphone: "missing", camera: "missing", trouble: { microphone: reason, camera: reason } }) }],
    [`check-${reason}-camera`, { screen: "check", media: media({ camera: "missing", trouble: { microphone: null, camera: reason } }) }],
    [`check-${reason}-microphone`, { screen: "check", media: media({ microphone: "missing", trouble: { microphone: reason, camera: null } }) }],
  ]);
}
