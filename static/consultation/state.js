/**
 * Everything the consultation page knows, as plain data, and how it changes: `reduce(state, action)` is pure, and
 * `view.js` draws whatever it returns. Handles (sockets, tracks, keys) live in `main.js`. {@link STATES} names every
 * screen and every trouble with a sample, so that a test can draw and check each one.
 */

/** @typedef {import("../shared/signaling.js").Message} Message */
/** @typedef {import("../shared/media.js").Summary} Summary */
/** @typedef {"doctor" | "patient" | "guest"} Role */
/**
 * @typedef {"looking" | "code" | "welcome" | "early" | "problem" | "browser" | "check" | "waiting" | "room" | "call"
 *   | "end"} Screen
 */
/** @typedef {{ id: number, key: string, values: Record<string, string> }} Sentence  a key of the words, said once an id */
/**
 * @typedef {object} Knock
 * @property {string} knock
 * @property {number} seat
 * @property {Role} role
 * @property {string} since
 * @property {"first" | "another"} device
 * @property {string | null} name
 * @property {"no-secret" | "mismatch" | null} locked  why the name cannot be read
 */
/**
 * @typedef {object} PeerState
 * @property {number} seat
 * @property {Role} role
 * @property {number} incarnation
 * @property {boolean} away                 its socket is lost; media may well flow
 * @property {import("../shared/peer.js").Link | "blocked"} link
 * @property {import("../shared/peer.js").Path} path
 * @property {boolean | null} microphone    null: not told yet
 * @property {boolean | null} camera
 * @property {string | null} name
 * @property {"no-secret" | "mismatch" | null} locked
 */
/**
 * @typedef {object} State
 * @property {Screen} screen
 * @property {"de" | "en"} language
 * @property {number} now                   ms since 1970, of the last action
 * @property {{ name: string | null, phone: string | null }} practice
 * @property {string} code                  as typed or from the link
 * @property {string} name                  the user's own
 * @property {string | null} problem        what is wrong, on the screens `code`, `welcome`, `problem` and `browser`
 * @property {Role | null} role
 * @property {number | null} seat
 * @property {string | null} startsAt
 * @property {string | null} opensAt
 * @property {string | null} expiresAt
 * @property {boolean} back                 a reload is coming back to where it was
 * @property {boolean} joining
 * @property {Summary} media
 * @property {boolean} hushed               sound waits for a click
 * @property {"idle" | "connecting" | "up" | "down" | "closed"} signaling
 * @property {boolean} doctor               a doctor's page is open
 * @property {boolean} occupied             another device holds this seat
 * @property {boolean} sentBack
 * @property {Knock[]} knocks
 * @property {Record<number, string | null>} admitted  names of those let in, by seat
 * @property {Record<number, PeerState>} peers
 * @property {"none" | "more" | "arrivals"} panel
 * @property {boolean} swapped              the own picture is the large one
 * @property {"end-top" | "end-bottom" | "start-bottom" | "start-top"} corner  where the small picture lies
 * @property {string | null} end            how the consultation ended for this page
 * @property {Sentence | null} notice       a small line on the screen
 * @property {Sentence | null} announcement  for the one polite live region
 */
/** @typedef {{ type: string, [field: string]: any }} Action */

/** @type {State["corner"][]} */
export const CORNERS = ["end-top", "end-bottom", "start-bottom", "start-top"];
/** What a person can mend in the code field; the rest needs a screen of its own. */
const CODE_FIELD = ["code-empty", "code-length", "code-typo", "code-unknown"];

/** @returns {State} */
export function initialState() {
  return {
    screen: "looking",
    language: "de",
    now: 0,
    practice: { name: null, phone: null },
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
    media: {
      microphone: "off",
      camera: "off",
      trouble: { microphone: null, camera: null },
      devices: { microphones: [], cameras: [], speakers: [] },
      chosen: { microphone: "", camera: "", speaker: "" },
      mirror: true,
    },
    hushed: false,
    signaling: "idle",
    doctor: false,
    occupied: false,
    sentBack: false,
    knocks: [],
    admitted: {},
    peers: {},
    panel: "none",
    swapped: false,
    corner: "end-top",
    end: null,
    notice: null,
    announcement: null,
  };
}

/**
 * @param {State} state
 * @param {Action} action
 * @returns {State}
 */
export function reduce(state, action) {
  const step = STEPS[action.type];
  return step ? step(state, action) : state;
}

/** What the user, the browser and the page's own parts report. @type {Record<string, (state: State, action: Action) => State>} */
const STEPS = {
  server: (state, { message }) => SERVER[message.type]?.(state, message) ?? state,
  language: (state, { language }) => ({ ...state, language }),
  practice: (state, { practice }) => ({ ...state, practice }),
  askCode: (state, { problem = null, code = state.code }) => ({ ...state, screen: "code", problem, code }),
  look: (state, { code }) => ({ ...state, screen: "looking", problem: null, code }),
  resume: (state, { code, name }) => ({ ...state, screen: "looking", back: true, code, name, end: null, problem: null }),
  unsupported: (state, { problem }) => ({ ...state, screen: "browser", problem }),
  ended: (state, { end, role = state.role }) => finish({ ...state, role }, end),
  submitName: (state, { name }) =>
    name.trim() === ""
      ? say({ ...state, name, problem: "name-missing" }, "welcome.nameMissing")
      : { ...state, name: name.trim(), problem: null, screen: "check" },
  join: (state) => ({ ...state, joining: true }),
  media: (state, { media }) => ({ ...state, media }),
  hushed: (state, { hushed }) => ({ ...state, hushed }),
  signaling: (state, { signaling, code }) => changeSignaling(state, signaling, code),
  link: (state, { seat, link }) => changeLink(state, seat, link),
  path: (state, { seat, path }) => changePeer(state, seat, { path }),
  partner: (state, { seat, microphone, camera }) => changePeer(state, seat, { microphone, camera }),
  named: (state, action) => nameSomebody(state, action),
  panel: (state, { panel }) => ({ ...state, panel }),
  swap: (state) => ({ ...state, swapped: !state.swapped }),
  corner: (state, { corner }) => ({ ...state, corner }),
  admit: (state, { knock }) => admit(state, knock),
  refuse: (state, { knock }) => dropKnock(state, knock),
  notice: (state, { key, values = {} }) => note(state, key, values),
  clearNotice: (state) => ({ ...state, notice: null }),
};

/** Every message of the broker (docs/protocol.md "From the broker"). @type {Record<string, (state: State, message: Message) => State>} */
export const SERVER = {
  seen: (state, message) => arrive({ ...times(state, message), problem: null }, message),
  waiting: (state, message) => ({
    ...times(state, message),
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
  doctor: (state) => say({ ...state, doctor: true }, "waiting.doctorIsHere"),
  doctorGone: (state) => ({ ...state, doctor: false }),
  welcome: (state, message) => ({
    ...times(state, message),
    screen: message.role === "doctor" && Object.keys(state.peers).length === 0 ? "room" : "call",
    joining: false,
    back: false,
    occupied: false,
    sentBack: false,
    problem: null,
    end: null,
    knocks: [],
    // The snapshot follows: who is present is told anew.
    peers: mapPeers(state.peers, (peer) => ({ ...peer, away: true })),
  }),
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
};

/**
 * Where somebody whose code is good goes first. A page that already went on stays where it is.
 * @param {State} state
 * @param {Message} message
 * @returns {State}
 */
function arrive(state, message) {
  if (message.state === "early") return { ...state, screen: "early" };
  if (!["looking", "early", "code", "problem"].includes(state.screen)) return state;
  return { ...state, screen: message.role === "doctor" ? "check" : "welcome" };
}

/**
 * @param {State} state
 * @param {Message} message
 * @returns {State}
 */
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

/**
 * @param {State} state
 * @param {Message} message
 * @returns {State}
 */
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
    name: known?.name ?? state.admitted[seat] ?? null,
    locked: null,
  };
  return {
    ...state,
    screen: "call",
    peers: { ...state.peers, [seat]: peer },
    notice: null,
  };
}

/**
 * @param {State} state
 * @param {number} seat
 * @param {string} reason
 * @returns {State}
 */
function part(state, seat, reason) {
  if (!state.peers[seat]) return state;
  const { [seat]: gone, ...peers } = state.peers;
  const alone = Object.keys(peers).length === 0;
  const screen = alone && state.role === "doctor" ? "room" : state.screen;
  const panel = screen === "room" ? "none" : state.panel;
  return note({ ...state, peers, screen, panel, swapped: false }, `gone.${reason}`, whoseName(gone));
}

/**
 * @param {State} state
 * @param {Message} message
 * @returns {State}
 */
function hear(state, { knock, seat, role, since, device }) {
  const known = state.knocks.find((entry) => entry.knock === knock);
  /** @type {Knock} */
  const entry = { name: null, locked: null, ...known, knock, seat, role, since, device };
  const knocks = [...state.knocks.filter((other) => other.knock !== knock), entry];
  const quiet = known || state.screen === "call"; // R08: during a call a silent counter only
  return quiet ? { ...state, knocks } : say({ ...state, knocks }, "room.somebodyKnocks");
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

/**
 * @param {State} state
 * @param {string} knock
 * @returns {State}
 */
function dropKnock(state, knock) {
  return { ...state, knocks: state.knocks.filter((entry) => entry.knock !== knock) };
}

/**
 * @param {State} state
 * @param {Action} action  `knock` or `seat`, and `name` or `locked`
 * @returns {State}
 */
function nameSomebody(state, { knock, seat, name = null, locked = null }) {
  if (seat !== undefined) return changePeer(state, seat, { name, locked });
  const knocks = state.knocks.map((entry) => (entry.knock === knock ? { ...entry, name, locked } : entry));
  return { ...state, knocks };
}

/**
 * @param {State} state
 * @param {number} seat
 * @param {Partial<PeerState>} change
 * @returns {State}
 */
function changePeer(state, seat, change) {
  const peer = state.peers[seat];
  return peer ? { ...state, peers: { ...state.peers, [seat]: { ...peer, ...change } } } : state;
}

/**
 * @param {State} state
 * @param {number} seat
 * @param {PeerState["link"]} link
 * @returns {State}
 */
function changeLink(state, seat, link) {
  const peer = state.peers[seat];
  if (!peer || peer.link === link) return state;
  if (link !== "connected" && peer.link === "blocked") return state; // until it works, the firewall sentence stays
  return say(changePeer(state, seat, { link }), `link.${link}`, whoseName(peer));
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
  if (signaling === "down" && before !== "down") return say(next, "signaling.down");
  return signaling === "up" && before === "down" ? say(next, "signaling.up") : next;
}

/**
 * @param {State} state
 * @param {Message} message
 * @returns {State}
 */
function err(state, message) {
  const next = { ...times(state, message), joining: false };
  if (message.error === "code-early") return { ...next, screen: "early", back: false };
  if (CODE_FIELD.includes(message.error)) return { ...next, screen: "code", problem: message.error, back: false };
  if (["code-expired", "code-revoked", "crowded"].includes(message.error)) {
    return { ...next, screen: "problem", problem: message.error, back: false };
  }
  if (["too-fast", "too-late", "too-many-errors"].includes(message.error)) {
    return state.screen === "call" ? next : { ...next, screen: "problem", problem: "too-many", back: false };
  }
  if (message.error === "unavailable") return next; // the socket closes and is opened again: said as "server away"
  if (message.error === "unknown-knock" || message.error === "unknown-seat") return note(next, "room.notThere");
  return next; // malformed, unexpected: ours to mend, nothing the user could do
}

/**
 * @param {State} state
 * @param {string} end
 * @returns {State}
 */
function finish(state, end) {
  const { notice: _, ...rest } = state;
  return { ...rest, notice: null, screen: "end", end, peers: {}, knocks: [], panel: "none", joining: false, back: false, swapped: false };
}

/**
 * A sentence for the live region alone.
 * @param {State} state
 * @param {string} key
 * @param {Record<string, string>} [values]
 * @returns {State}
 */
function say(state, key, values = {}) {
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
  const next = say(state, key, values);
  return { ...next, notice: next.announcement };
}

/** @param {PeerState} peer */
function whoseName(peer) {
  return { name: peer.name ?? "", role: peer.role };
}

/**
 * @param {State["peers"]} peers
 * @param {(peer: PeerState) => PeerState} change
 */
function mapPeers(peers, change) {
  return Object.fromEntries(Object.entries(peers).map(([seat, peer]) => [seat, change(peer)]));
}
