/**
 * Wires the consultation page: what the user does and what the broker says goes through `reduce` and is drawn; this file
 * keeps the handles (socket, tracks, peer connections, keys) and does what the outside world must notice. The code
 * stays in the fragment until the broker has let this device wait or in; then it lives in sessionStorage, or in memory.
 */

import { format, fromFragment, fromInput, problem } from "../shared/code.js";
import { Media } from "../shared/media.js";
import { Peer } from "../shared/peer.js";
import { generateKeys, randomDevice, seal, unseal } from "../shared/seal.js";
import { messages, Signaling } from "../shared/signaling.js";
import { CORNERS, initialState, reduce } from "./state.js";
import * as view from "./view.js";

/** @typedef {import("../shared/signaling.js").Message} Message */
/** @typedef {import("./state.js").Action} Action */

const TICK_MS = 15_000;
const NOTICE_MS = 10_000;
/** No line after so long: the network does not let it through, and the user can do something about it. */
const BLOCKED_MS = 15_000;
/** A TURN credential lives 15 minutes; an older one is renewed before an ICE restart. */
const CREDENTIAL_MS = 10 * 60_000;
/** No word from the broker for so long after a question: the socket is dead, whatever it says. */
const ANSWER_MS = 2500;

/**
 * What outlives a reload of this tab (never the tab itself), without cookies or lasting storage (R33).
 * @typedef {object} Kept
 * @property {string} code
 * @property {string | null} secret   the link's
 * @property {string} device
 * @property {string | null} token    resumes an admitted seat
 * @property {string} name
 * @property {"waiting" | "call" | "end"} stage
 * @property {string | null} end
 * @property {boolean} microphone     wanted on
 * @property {boolean} camera
 */

let state = initialState();
/** @type {Record<string, string> | null} */
let words = null;
/** @type {Kept} */
let kept = { code: "", secret: null, device: randomDevice(), token: null, name: "", stage: "waiting", end: null, microphone: true, camera: true };
/** Whether this page asked to join: from then on every new socket does so again. */
let joined = false;
let consultation = "";
let incarnation = /** @type {number | undefined} */ (undefined);
let iceServers = /** @type {RTCIceServer[]} */ ([]);
let iceAt = 0;
let heardAt = 0;
/** @type {Map<number, { peer: Peer, incarnation: number, key: string, stream: MediaStream | null, blocked: ReturnType<typeof setTimeout> | undefined }>} */
const peers = new Map();
/** Doctor's pages that may read our name while we wait. @type {Map<number, string>} */
const doctors = new Map();
let relook = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
let wakeLock = /** @type {WakeLockSentinel | null} */ (null);

const keys = generateKeys();
const certificates = RTCPeerConnection.generateCertificate?.({ name: "ECDSA", namedCurve: "P-256" });
const signaling = new Signaling(location.origin.replace(/^http/, "ws") + "/ws", () => greeting);
let greeting = /** @type {Message | null} */ (null);
const store = openStore();
