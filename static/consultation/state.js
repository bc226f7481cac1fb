/**
 * Everything the consultation page knows, as plain data (`types.d.ts`), and how it changes (`reduce` is pure).
 * `words-of.js` puts it into words, `view.js` draws it; handles live in `main.js` (socket, tracks, keys) and `peers.js`
 * (connections); `samples.js` has an example of every screen and every trouble.
 */

import { isGroup, verdictOf } from "./words-of.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").PeerState} PeerState */
/** @typedef {import("./types.js").Knock} Knock */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("../shared/signaling.js").Message} Message */

/** @type {State["corner"][]} */
export const CORNERS = ["end-top", "end-bottom", "start-bottom", "start-top"];
/** What a person can mend in the code field; the rest needs a screen of its own. */
const CODE_FIELD = ["code-empty", "code-length", "code-typo", "code-unknown"];

/** Before the room opens: the page says when, or checks camera, microphone and line until then. */
export const AHEAD = ["early", "trial", "ready"];

/** What stands in the way of being heard comes first. @type {(keyof State["hints"])[]} */
const HINTS = ["mutedSpeaking", "silent", "unheard", "echo"];

/** @type {State["hints"]} */
const NO_HINTS = { silent: false, mutedSpeaking: false, unheard: false, echo: false };

/** @returns {State} */
export function initialState() {
  return {
    screen: "looking",
    language: "de",
    now: 0,
    practice: { name: null, phone: null, timeZone: null },
    inviter: null,
    code: "",
    name: "",
    problem: null,
    role: null,
    seat: null,
    startsAt: null,
    opensAt: null,
    expiresAt: null,
    back: false,
    joining: false,
    readiness: null,
    told: "no",
    media: {
      microphone: "off",
      camera: "off",
      trouble: { microphone: null, camera: null },
      devices: { microphones: [], cameras: [], speakers: [] },
      chosen: { microphone: "", camera: "", speaker: "" },
      mirror: true,
      flip: false,
      torch: null,
      zoom: null,
    },
    relayedOnly: false,
    quality: "automatic",
    picture: "on",
    hand: false,
    hands: [],
    asked: false,
    pinned: null,
    speaker: null,
    hints: NO_HINTS,
    display: { full: null, floating: null },
    shortcuts: true,
    hushed: false,
    signaling: "idle",
    doctor: false,
    occupied: false,
    sentBack: false,
    knocks: [],
    admitted: {},
    peers: {},
    panel: "none",
    about: null,
    swapped: false,
    corner: "end-top",
    end: null,
    notice: null,
    announcement: null,
  };
}

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  const step = STEPS[action.type];
  return step ? withdrawQuestion(step(state, action)) : state;
}

/**
 * A question whose ground is gone is asked no longer: whether somebody shall be removed who has left, or for whom to hang up
 * where two are in the call.
 * @param {State} state
 * @returns {State}
 */
function withdrawQuestion(state) {
  const moot = { remove: !state.peers[state.about ?? 0], leave: !asksForWhom(state) }[String(state.panel)];
  return moot ? { ...state, panel: "none", about: null } : state;
}

/** Whether hanging up may be meant for oneself or for all: a doctor's, from three people on. @param {State} state */
export function asksForWhom(state) {
  return state.role === "doctor" && isGroup(state);
}

/** What the user, the browser and the page's own parts report. @type {Record<string, (state: State, action: Action) => State>} */
const STEPS = {
  server: (state, { message }) => SERVER[message.type]?.(state, message) ?? state,
  language: (state, { language }) => ({ ...state, language }),
  practice: (state, { practice }) => ({ ...state, practice }),
  askCode: (state, { problem = null, code = state.code }) => ({ ...state, screen: "code", problem, code, inviter: null }),
  look: (state, { code }) => ({ ...state, screen: "looking", problem: null, code }),
  resume: (state, { code, name }) => ({ ...state, screen: "looking", back: true, code, name, end: null, problem: null }),
  unsupported: (state, { problem }) => ({ ...state, screen: "browser", problem }),
  ended: (state, { end, role = state.role }) => finish({ ...state, role }, end),
  stopped: (state, { end }) => announce(finish(state, end), `end.${end}.text${state.role === "doctor" ? "Doctor" : ""}`),
  submitName: (state, { name }) =>
    name.trim() === ""
      ? announce({ ...state, name, problem: "name-missing" }, "welcome.nameMissing")
      : { ...state, name: name.trim(), problem: null, screen: "check" },
  join: (state) => ({ ...state, joining: true }),
  early: (state) => ({ ...state, screen: "early" }),
  trial: (state) => ({ ...state, screen: "trial", readiness: null, told: "no", hints: NO_HINTS }),
  judge: (state) => ({ ...state, screen: "ready", hints: NO_HINTS }),
  ready: (state, { readiness }) =>
    state.screen === "ready" ? announce({ ...state, readiness }, `ready.${readiness.verdict}.title`) : state,
  told: (state, { told }) => hearTold(state, told),
  media: (state, { media }) => changeMedia(state, media),
  hushed: (state, { hushed }) => ({ ...state, hushed }),
  signaling: (state, { signaling, code }) => changeSignaling(state, signaling, code),
  link: (state, { seat, link }) => changeLink(state, seat, link),
  check: (state, { seat, level, by, words, language }) =>
    learn(changePeer(state, seat, { check: { level, by, words, language } }), level, by),
  peer: (state, { seat, change }) =>
    hearPicture(raise(changePeer(state, seat, change), seat, state.peers[seat]?.hand), state.peers[seat]),
  asked: (state, { seat }) => ask(state, seat),
  pin: (state, { seat }) => ({ ...state, pinned: state.pinned === (seat || "own") ? null : seat || "own" }),
  quality: (state, { quality }) =>
    changePicture({ ...state, quality }, quality === "sound" ? "sound" : state.picture === "sound" ? "on" : state.picture),
  picture: (state, { picture }) => changePicture(state, picture),
  hints: (state, { change }) => hint(state, change),
  lines: (state, { changes }) => changeLines(state, changes),
  set: (state, { change }) => ({ ...state, ...change }),
  named: (state, action) => nameSomebody(state, action),
  panel: (state, { panel, seat }) => ({ ...state, panel, about: panel === "remove" ? seat : null }),
  swap: (state) => ({ ...state, swapped: !state.swapped }),
  corner: (state, { corner }) => ({ ...state, corner }),
  admit: (state, { knock }) => admit(state, knock),
  refuse: (state, { knock }) => dropKnock(state, knock),
  notice: (state, { key, values = {} }) => note(state, key, values),
  clearNotice: (state) => ({ ...state, notice: null }),
};

/** Every message of the broker (docs/protocol.md "From the broker"). @type {Record<string, (state: State, message: Message) => State>} */
export const SERVER = {
  seen: (state, message) => arrive({ ...invited(state, message), problem: null }, message),
  waiting: (state, message) => ({
    ...invited(state, message),
    screen: "waiting",
    occupied: message.occupied,
    sentBack: state.screen === "call" || state.sentBack,
    doctor: false,
    joining: false,
    back: false,
    knocks: [],
    peers: {},
    panel: "none",
    end: null,
  }),
  doctor: (state) => announce({ ...state, doctor: true }, "waiting.doctorIsHere"),
  doctorGone: (state) => ({ ...state, doctor: false }),
  welcome: (state, message) => takeSeat(state, message),
  peer: (state, message) => meet(state, message),
  away: (state, { seat, incarnation }) =>
    state.peers[seat]?.incarnation === incarnation ? changePeer(state, seat, { away: true }) : state,
  gone: (state, { seat, reason }) => part(state, seat, reason),
  knock: (state, message) => hear(state, message),
  knockGone: (state, { knock }) => dropKnock(state, knock),
  sentBack: (state) => ({ ...state, sentBack: true }),
  refused: (state) => finish(state, "refused"),
  removed: (state) => finish(state, "removed"),
  replaced: (state) => finish(state, "replaced"),
  ended: (state) => finish(state, "ended"),
  revoked: (state) => finish(state, "revoked"),
  error: (state, message) => err(state, message),
  // For the peer connections and the sealed names, which main.js keeps.
  name: (state) => state,
  description: (state) => state,
  candidate: (state) => state,
  ice: (state) => state,
  probe: (state) => state,
};

/** That it is on its way is seen on the button. @param {State} state @param {State["told"]} told @returns {State} */
function hearTold(state, told) {
  if (state.screen !== "ready" || told === "telling") return { ...state, told };
  return announce({ ...state, told }, `ready.${told}`);
}

/** In the call a new trouble is said. @param {State} state @param {State["media"]} media @returns {State} */
function changeMedia(state, media) {
  const next = { ...state, media, asked: state.asked && media.microphone === "on" };
  const trouble = troubleIn(next);
  return state.screen === "call" && trouble && trouble !== troubleIn(state) ? announce(next, trouble) : next;
}

/**
 * What is wrong with the devices: a key of the words.
 * @param {State} state
 */
export function troubleIn({ media }) {
  const { microphone, camera } = media.trouble;
  if (microphone && microphone === camera) return `trouble.${camera}.both`;
  if (microphone) return `trouble.${microphone}.microphone`;
  if (camera && media.camera !== "off") return `trouble.${camera}.camera`;
  const held = ["microphone", "camera"].find((device) => media[/** @type {"microphone" | "camera"} */ (device)] === "interrupted");
  return held ? `held.${held}` : null;
}

/** @param {State} state @param {Partial<State["hints"]>} change @returns {State} */
function hint(state, change) {
  const next = { ...state, hints: { ...state.hints, ...change } };
  const key = hintIn(next);
  return key && key !== hintIn(state) ? announce(next, key) : next;
}

/** The one hint that matters most: a key of the words. @param {State} state */
export function hintIn({ hints }) {
  const first = HINTS.find((name) => hints[name]);
  return first ? `hint.${first}` : null;
}

/**
 * Where somebody whose code is good goes first. A page that already went on stays where it is.
 * @param {State} state
 * @param {Message} message
 * @returns {State}
 */
function arrive(state, message) {
  if (message.state === "early") return AHEAD.includes(state.screen) ? state : { ...state, screen: "early" };
  if (!["looking", ...AHEAD, "code", "problem"].includes(state.screen)) return state;
  return { ...state, screen: message.role === "doctor" ? "check" : "welcome", hints: NO_HINTS };
}

/** @param {State} state @param {Message} message @returns {State} */
function takeSeat(state, message) {
  // The snapshot follows: who is present is told anew.
  const partners = Object.values(state.peers).filter((peer) => holds(message, peer));
  return {
    ...invited(state, message),
    screen: message.role === "doctor" && partners.length === 0 ? "room" : "call",
    joining: false,
    back: false,
    occupied: false,
    sentBack: false,
    relayedOnly: message.relayedOnly,
    problem: null,
    end: null,
    knocks: [],
    hands: state.hands.filter((seat) => partners.some((peer) => peer.seat === seat)),
    peers: Object.fromEntries(partners.map((peer) => [peer.seat, { ...peer, away: true }])),
  };
}

/**
 * Whether a partner as this page knows it is still admitted: its `gone` may have come while the socket was lost.
 * @param {Message} welcome
 * @param {{ seat: number, incarnation: number }} partner
 */
export function holds({ holders }, partner) {
  return holders.some((/** @type {typeof partner} */ holder) =>
    holder.seat === partner.seat && holder.incarnation === partner.incarnation);
}

/** Who invites, and when. @param {State} state @param {Message} message @returns {State} */
function invited(state, message) {
  return { ...times(state, message), inviter: message.practice ?? null };
}

/** Who is named to the user. @param {State} state */
export function practiceOf({ inviter, practice }) {
  return inviter ?? practice;
}

/** @param {State} state @param {Message} message @returns {State} */
function times(state, { role = state.role, seat = state.seat, startsAt, opensAt, expiresAt }) {
  return {
    ...state,
    role,
    seat,
    startsAt: startsAt ?? state.startsAt,
    opensAt: opensAt ?? state.opensAt,
    expiresAt: expiresAt ?? state.expiresAt,
  };
}

/** @param {State} state @param {Message} message @returns {State} */
function meet(state, { seat, role, incarnation }) {
  const known = state.peers[seat];
  if (known?.incarnation === incarnation) return changePeer(state, seat, { away: false });
  /** @type {PeerState} */
  const peer = {
    seat,
    role,
    incarnation,
    away: false,
    link: "connecting",
    path: "unknown",
    microphone: null,
    camera: null,
    picture: "on",
    hand: false,
    hearsUs: null,
    trying: null,
    check: { level: "open", by: null, words: null, language: null },
    transport: null,
    line: null,
    theirLine: null,
    verdict: null,
    name: known?.name ?? state.admitted[seat] ?? (role === "doctor" ? practiceOf(state).name : null),
    locked: null,
  };
  return {
    ...state,
    screen: "call",
    peers: { ...state.peers, [seat]: peer },
    hands: state.hands.filter((other) => other !== seat),
    notice: null,
  };
}

/** @param {State} state @param {number} seat @param {string} reason @returns {State} */
function part(state, seat, reason) {
  if (!state.peers[seat]) return state;
  const { [seat]: gone, ...peers } = state.peers;
  const alone = Object.keys(peers).length === 0;
  const screen = alone && state.role === "doctor" ? "room" : state.screen;
  const panel = screen === "room" ? "none" : state.panel;
  const hands = state.hands.filter((other) => other !== seat);
  return note({ ...state, peers, hands, screen, panel, swapped: false }, `gone.${reason}`, whoseName(gone));
}

/** @param {State} state @param {Message} message @returns {State} */
function hear(state, { knock, seat, role, since, device }) {
  const known = state.knocks.find((entry) => entry.knock === knock);
  /** @type {Knock} */
  const entry = { name: null, locked: null, ...known, knock, seat, role, since, device };
  const knocks = [...state.knocks.filter((other) => other.knock !== knock), entry];
  const quiet = known || state.screen === "call"; // R08: during a call a silent counter only
  return quiet ? { ...state, knocks } : announce({ ...state, knocks }, "room.somebodyKnocks");
}

/**
 * The name that came with the knock stays until the page in the seat seals it anew.
 * @param {State} state
 * @param {string} knock
 * @returns {State}
 */
function admit(state, knock) {
  const entry = state.knocks.find((other) => other.knock === knock);
  if (!entry) return state;
  return { ...dropKnock(state, knock), admitted: { ...state.admitted, [entry.seat]: entry.name } };
}

/** @param {State} state @param {string} knock @returns {State} */
function dropKnock(state, knock) {
  return { ...state, knocks: state.knocks.filter((entry) => entry.knock !== knock) };
}

/** @param {State} state @param {Action} action  `knock` or `seat`, and `name` or `locked` @returns {State} */
function nameSomebody(state, { knock, seat, name = null, locked = null }) {
  if (seat !== undefined) return changePeer(state, seat, { name, locked });
  const knocks = state.knocks.map((entry) => (entry.knock === knock ? { ...entry, name, locked } : entry));
  return { ...state, knocks };
}

/** @param {State} state @param {number} seat @param {Partial<PeerState>} change @returns {State} */
function changePeer(state, seat, change) {
  const peer = state.peers[seat];
  return peer ? { ...state, peers: { ...state.peers, [seat]: { ...peer, ...change } } } : state;
}

/**
 * Keeps the order in which hands were raised; the doctor hears of each once.
 * @param {State} state
 * @param {number} seat
 * @param {boolean} [before]  whether this one was
 * @returns {State}
 */
function raise(state, seat, before) {
  const peer = state.peers[seat];
  if (!peer || peer.hand === before) return state;
  const others = state.hands.filter((other) => other !== seat);
  if (!peer.hand) return { ...state, hands: others };
  const raised = { ...state, hands: [...others, seat] };
  return state.role === "doctor" ? announce(raised, "hand.told", whoseName(peer)) : raised;
}

/**
 * Only a doctor, as the broker told us, may ask for silence; switching off is left to the one who is asked.
 * @param {State} state
 * @param {number} seat
 * @returns {State}
 */
function ask(state, seat) {
  if (state.peers[seat]?.role !== "doctor" || state.media.microphone !== "on" || state.asked) return state;
  return announce({ ...state, asked: true }, "ask.mute");
}

/** @param {State} state @param {State["picture"]} picture  the own one @returns {State} */
function changePicture(state, picture) {
  return picture === state.picture ? state : announce({ ...state, picture }, `picture.${picture}`);
}

/** @param {State} state @param {PeerState} [before]  a partner before the change @returns {State} */
function hearPicture(state, before) {
  const peer = before && state.peers[before.seat];
  return !peer || peer.picture === before.picture ? state : announce(state, `picture.their.${peer.picture}`, whoseName(peer));
}

/** @param {State} state @param {number} seat @param {PeerState["link"]} link @returns {State} */
function changeLink(state, seat, link) {
  const peer = state.peers[seat];
  if (!peer || peer.link === link) return state;
  if (link !== "connected" && peer.link === "blocked") return state; // until it works, the firewall sentence stays
  return announce(changePeer(state, seat, { link }), `link.${link}`, whoseName(peer));
}

/**
 * What was measured of the lines; a new sentence about one is said once, that it is calm again is not.
 * @param {State} state
 * @param {{ seat: number, change: Partial<PeerState> }[]} changes
 * @returns {State}
 */
function changeLines(state, changes) {
  const next = changes.reduce((changed, { seat, change }) => changePeer(changed, seat, change), state);
  const [before, said] = [state, next].map(({ peers }) => verdictOf(Object.values(peers)));
  return said && (said.key !== before?.key || said.peer.seat !== before.peer.seat) ? announce(next, said.key, whoseName(said.peer)) : next;
}

/**
 * A check has come to a result. By the link nobody needs to hear of it.
 * @param {State} state
 * @param {string} level
 * @param {string | null} by
 */
function learn(state, level, by) {
  if (level === "words") return announce(state, "lock.choice");
  return by === "words" && state.panel === "lock" ? announce(state, "lock.checked.words") : state;
}

/**
 * @param {State} state
 * @param {State["signaling"]} signaling
 * @param {number} [code]  of the close, if it is final
 * @returns {State}
 */
function changeSignaling(state, signaling, code) {
  const before = state.signaling;
  const next = { ...state, signaling };
  if (signaling === "closed") {
    if (state.screen === "end" || state.screen === "problem") return next;
    const problem = code === 1008 ? "too-many" : "unavailable";
    return state.screen === "call" ? next : { ...next, screen: "problem", problem, joining: false };
  }
  if (signaling === "down" && before !== "down") return announce(next, "signaling.down");
  return signaling === "up" && before === "down" ? announce(next, "signaling.up") : next;
}

/** @param {State} state @param {Message} message @returns {State} */
function err(state, message) {
  const next = { ...times(state, message), joining: false };
  if (message.error === "code-early") return { ...next, screen: "early", back: false };
  if (CODE_FIELD.includes(message.error)) return { ...next, screen: "code", problem: message.error, back: false };
  if (["code-expired", "code-revoked", "code-used", "crowded"].includes(message.error)) {
    return { ...next, screen: "problem", problem: message.error, back: false };
  }
  if (["too-fast", "too-late", "too-many-errors"].includes(message.error)) {
    return state.screen === "call" ? next : { ...next, screen: "problem", problem: "too-many", back: false };
  }
  if (message.error === "unavailable") return next; // the socket closes and is opened again: said as "server away"
  if (message.error === "unknown-knock" || message.error === "unknown-seat") return note(next, "room.notThere");
  return next; // malformed, unexpected: ours to mend, nothing the user could do
}

/** @param {State} state @param {string} end @returns {State} */
function finish(state, end) {
  const { notice: _, ...rest } = state;
  return { ...rest, notice: null, screen: "end", end, peers: {}, knocks: [], panel: "none", about: null, joining: false, back: false, swapped: false, hand: false, hands: [], asked: false, pinned: null, speaker: null };
}

/**
 * A sentence for the live region alone.
 * @param {State} state
 * @param {string} key
 * @param {Record<string, string>} [values]
 * @returns {State}
 */
function announce(state, key, values = {}) {
  return { ...state, announcement: { id: (state.announcement?.id ?? 0) + 1, key, values } };
}

/**
 * A sentence on the screen and for the live region.
 * @param {State} state
 * @param {string} key
 * @param {Record<string, string>} [values]
 * @returns {State}
 */
function note(state, key, values = {}) {
  const next = announce(state, key, values);
  return { ...next, notice: next.announcement };
}

/** @param {PeerState} peer */
function whoseName(peer) {
  return { name: peer.name ?? "", role: peer.role };
}
