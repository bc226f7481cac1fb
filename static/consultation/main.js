/**
 * Wires the consultation page: what the user does and what the broker says goes through `reduce` and is drawn; this file
 * keeps the handles (socket, tracks, peer connections, keys) and does what the outside world must notice. The code
 * stays in the fragment until the broker has let this device wait or in; then it lives in sessionStorage, or in memory.
 */

import { format, fromFragment, fromInput, problem } from "../shared/code.js";
import { Media } from "../shared/media.js";
import { loudness, Sound } from "../shared/sound.js";
import { generateKeys, seal, unseal } from "../shared/seal.js";
import { askForCode, isRoom, letGo } from "../shared/room.js";
import { messages, Signaling } from "../shared/signaling.js";
import { keepLanguage, language } from "../shared/tab.js";
import { forget, forgetOpener, fresh, load, save } from "./kept.js";
import { AHEAD, asksForWhom, CORNERS, initialState, reduce } from "./state.js";
import * as view from "./view.js";

/** @typedef {import("../shared/signaling.js").Message} Message */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Kept} Kept */
/** @typedef {import("./peers.js").Peers} Peers */

const TICK_MS = 15_000;
const COUNTDOWN_MS = 1000;
const DRAW_MS = 60;
const NOTICE_MS = 10_000;
/** Whoever does not want to is not asked for ever. */
const ASKED_MS = 60_000;
const METER_MS = 80;
/** So long the partner's page has to hear why a call is stopped, before it hears that this one has left. */
const LAST_WORD_MS = 300;

let state = initialState();
let words = /** @type {Record<string, string> | null} */ (null);
let kept = fresh();
/** Said first on every new socket: `look` until the user acts, `join` from then on. */
let greeting = /** @type {() => Message | null} */ (() => null);
/** @type {Promise<import("../shared/seal.js").Keys>} */
let keysMade;
let setLoaded = /** @type {Promise<void> | null} */ (null);
/** One for all connections of this page life: that is what the encryption is checked by. */
let certificates = /** @type {RTCCertificate[]} */ ([]);
/** @type {Promise<void>} */
let certificatesMade;
let consultation = "";
/** The code that the practice's page gave instead of one that was refused. */
let renewed = "";
/** Of this page in its seat; a page that never held it has none. */
let incarnation = /** @type {number | undefined} */ (undefined);
/** The set of partners; its modules come while the user is still busy with name and camera. */
let peers = /** @type {Peers | null} */ (null);
let comforts = /** @type {import("./comforts.js").Comforts | null} */ (null);
/** The check before the appointment; its modules come when somebody wants it. */
let trial = /** @type {Promise<import("./trial.js").Trial> | null} */ (null);
let soundBlocked = false;
let relook = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
let drawing = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
let undrawn = false;
let hideNotice = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
let unask = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
let metering = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);

const media = new Media({ microphone: true, camera: true });
const sound = new Sound();
const signaling = new Signaling(location.origin.replace(/^http/, "ws") + "/ws", () => greeting());

start();

function start() {
  speak(language());
  view.mount(act);
  fetch("/practice.json")
    .then((answer) => answer.json())
    .then((practice) => dispatch({ type: "practice", practice }))
    .catch(report); // without it the page shows no name and no phone
  if (!window.isSecureContext) return dispatch({ type: "unsupported", problem: "insecure" });
  if (!Media.supported()) return dispatch({ type: "unsupported", problem: "in-app" });
  listen();
  keysMade = generateKeys();
  certificatesMade = makeCertificates();
  certificatesMade.catch(report);
  enter();
}

/** What the user does. @param {Action} action */
function act(action) {
  (ON_ACTION[action.type] ?? dispatch)(action);
  // The next press starts from what this one has changed. A bare click changes nothing yet: a choice it makes comes as the next event.
  if (action.type !== "gesture") draw(true);
}

/** *Start*, or a link, or a reload in the middle, or nothing: then the code is asked for. */
function enter() {
  if (isRoom()) return void enterRoom().catch(report);
  const link = fromFragment(location.hash);
  const saved = load();
  if (saved && (!link || link.code === saved.code)) {
    kept = saved;
    media.wish({ microphone: kept.microphone, camera: kept.camera });
    dispatch({ type: "quality", quality: kept.quality });
    dispatch({ type: "set", change: { shortcuts: kept.shortcuts } });
    if (kept.stage === "end") dispatch({ type: "ended", end: kept.end, role: kept.role });
    else if (kept.stage === "ahead") look();
    else rejoin();
  } else if (link) {
    open(link);
  } else {
    dispatch({ type: "askCode" });
  }
}

/** The doctor's tab: its code comes from the page that opened it, and stands in no address. */
async function enterRoom() {
  forgetOpener();
  history.replaceState(null, "", location.pathname);
  const handed = await askForCode(null);
  if (!handed) return dispatch({ type: "askCode" });
  takeCode(handed);
  look();
}

/** @param {import("../shared/room.js").Handed} handed */
function takeCode({ consultation: room, code, secret }) {
  kept = { ...kept, code, secret, room, stage: "ahead" };
  save(kept);
}

/**
 * A code of *Start* is good for some minutes and one device (R09). Whoever takes longer gets another from the page that opened this tab.
 * @param {Message} message
 */
async function renewCode(message) {
  const refused = kept.code;
  const handed = await askForCode(kept.room);
  if (kept.code !== refused || state.screen === "end") return;
  if (!handed) return take(message);
  takeCode(handed);
  renewed = handed.code;
  talk();
}

/** @param {{ code: string, secret: string | null }} link */
function open({ code, secret }) {
  const wrong = problem(code);
  if (wrong) return dispatch({ type: "askCode", problem: wrong, code });
  kept = { ...fresh(), code, secret, quality: state.quality };
  history.replaceState(null, "", `#${format(code)}${secret ? `.${secret}` : ""}`);
  look();
}

/** Asks which seat the code opens, and when. Changes nothing at the broker (R15). */
function look() {
  greeting = () => messages.look(kept.code);
  dispatch({ type: "look", code: kept.code });
  talk();
}

/** The user acts: from here on the broker knows this device. */
async function join() {
  dispatch({ type: "join" });
  const { key } = await keysMade;
  const complete = await Promise.all([needSet(), certificatesMade]).then(() => true, () => false);
  if (!complete) return dispatch({ type: "unsupported", problem: "incomplete" });
  greeting = () => messages.join(kept.code, kept.device, key, kept.token ?? undefined, incarnation, signaling.attempt);
  talk();
}

/** Back to where this device was: after a reload, or by the button of the last screen. */
function rejoin() {
  dispatch({ type: "resume", code: kept.code, name: kept.name });
  media.start();
  join();
}

function talk() {
  const first = greeting();
  if (first && signaling.send(first)) return;
  dispatch({ type: "signaling", signaling: "connecting" });
  signaling.open();
}

/**
 * The one way by which anything changes.
 * @param {Action} action
 */
function dispatch(action) {
  const before = state;
  state = reduce({ ...state, now: Date.now() }, action);
  draw(state.screen !== "call" || before.screen !== "call" || before.panel !== state.panel);
  if (before.screen !== state.screen) onScreen(before.screen);
  if (before.panel !== state.panel) meter();
  if (state.notice && state.notice !== before.notice) {
    clearTimeout(hideNotice);
    hideNotice = setTimeout(() => dispatch({ type: "clearNotice" }), NOTICE_MS);
  }
  if (state.asked && !before.asked) {
    clearTimeout(unask);
    unask = setTimeout(() => dispatch({ type: "set", change: { asked: false } }), ASKED_MS);
  }
}

/**
 * At once outside of a call and after what the user does; what comes within a moment in a call is drawn together: many partners have
 * much to tell.
 * @param {boolean} [now]
 */
function draw(now = false) {
  undrawn = !now && drawing !== undefined;
  if (undrawn || !words) return;
  view.render(state, words);
  clearTimeout(drawing);
  drawing = setTimeout(() => {
    drawing = undefined;
    if (undrawn) draw();
  }, DRAW_MS);
}

/** @param {import("./types.js").Screen} before */
function onScreen(before) {
  const { screen } = state;
  clearTimeout(relook);
  if (AHEAD.includes(screen)) planRelook();
  if (!["trial", "ready"].includes(screen)) leaveTrial();
  if (["code", "problem", "early", "ready", "end"].includes(screen) || before === "trial") media.stop();
  if (screen === "welcome" || screen === "check") needSet().catch(report);
  if (screen === "check" || screen === "trial") media.start();
  comforts?.attend(screen === "call");
  meter();
  if (screen === "room") sound.tune();
  if (screen === "call" && before === "waiting") sound.comeIn();
  showHushed();
}

/** The level is on the screen where devices are checked or chosen. */
function meter() {
  const metered = ["check", "trial"].includes(state.screen) || state.panel === "devices";
  if (metered === (metering !== undefined)) return;
  clearInterval(metering);
  metering = metered ? setInterval(() => view.level(loudness(sound.level()?.rms ?? 0)), METER_MS) : undefined;
  if (state.screen !== "call") sound.measure(metered ? media.ear() : null); // in the call it is measured anyway
}

/** The check before the appointment, from the beginning. */
function tryEverything() {
  leaveTrial();
  media.wish({ microphone: true, camera: true });
  dispatch({ type: "trial" });
  trial = import("./trial.js").then(({ Trial }) => new Trial({ code: kept.code, sound, dispatch }));
  trial.catch(() => dispatch({ type: "unsupported", problem: "incomplete" }));
}

function leaveTrial() {
  trial?.then((left) => left.leave(), () => {});
  trial = null;
}

async function judge() {
  const begun = await trial;
  if (state.screen === "trial") begun?.judge(state.media);
}

function listen() {
  signaling.addEventListener("up", () => dispatch({ type: "signaling", signaling: "up" }));
  signaling.addEventListener("down", () => dispatch({ type: "signaling", signaling: "down" }));
  signaling.addEventListener("closed", (event) =>
    dispatch({ type: "signaling", signaling: "closed", code: /** @type {CustomEvent} */ (event).detail }));
  signaling.addEventListener("message", (event) => onMessage(/** @type {CustomEvent} */ (event).detail));
  media.addEventListener("change", (event) => onMedia(/** @type {CustomEvent} */ (event).detail));
  media.addEventListener("switched", (event) => {
    const { device, label } = /** @type {CustomEvent} */ (event).detail;
    dispatch({ type: "notice", key: `device.${device}.switched`, values: { label } });
  });
  sound.addEventListener("change", showHushed);
  setInterval(() => state.knocks.length > 0 && dispatch({ type: "tick" }), TICK_MS); // "waiting for 3 min"
  setInterval(() => Object.values(state.peers).some(({ trying }) => trying) && dispatch({ type: "tick" }), COUNTDOWN_MS);
  window.addEventListener("online", () => signaling.renew());
  window.addEventListener("hashchange", () => {
    if (location.hash === "") return;
    if (state.screen === "call") history.replaceState(null, "", location.pathname); // no link ends a call
    else location.reload(); // another link, put into the same tab
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // from the back/forward cache: sockets and tracks are gone, the place is not
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && onWake());
  document.addEventListener("resume", onWake); // thawed
  /** @type {any} */ (navigator).connection?.addEventListener("change", onWake);
}

/** The page was away or the network may have changed: nothing waits any longer. */
function onWake() {
  if (state.signaling === "down") signaling.renew();
  peers?.awake();
}

/** @param {Message} message */
function onMessage(message) {
  if (state.screen === "end") return; // the last word is on its way
  const isSpent = message.type === "error" && ["code-used", "code-revoked"].includes(message.error);
  if (isSpent && kept.room !== null && kept.code !== renewed) renewCode(message).catch(report);
  else take(message);
}

/** What the broker says. @param {Message} message */
function take(message) {
  // Before drawing: every millisecond to the first picture counts.
  if (message.type === "welcome") useWelcome(message);
  if (message.type === "peer" && peers?.meet(message)) sendName(message.seat, message.key);
  dispatch({ type: "server", message });
  ON_MESSAGE[message.type]?.(message);
}

/** What a message does beyond the screen. @type {Record<string, (message: Message) => void>} */
const ON_MESSAGE = {
  seen: () => AHEAD.includes(state.screen) && planRelook(),
  waiting(message) {
    peers?.close();
    consultation = message.consultation;
    incarnation = undefined;
    keep({ stage: "waiting", token: null, role: message.role });
  },
  doctor: ({ seat, key }) => sendName(seat, key),
  welcome: (message) => keep({ stage: "call", token: message.token, role: message.role }),
  peer: ({ seat }) => peers?.watch(seat),
  away: ({ seat }) => peers?.watch(seat),
  gone: ({ seat }) => peers?.drop(seat),
  knock: ({ knock }) => onKnock(knock),
  name: onName,
  description: (message) => peers?.describe(message)?.catch(report),
  candidate: (message) => peers?.addCandidate(message)?.catch(report),
  ice: ({ iceServers }) => peers?.useIce(iceServers),
  probe: ({ id }) => peers?.weakLines.echoed({ id }),
  sentBack: () => peers?.close(),
  refused: () => finish(),
  removed: () => finish(),
  replaced: () => finish(),
  ended: () => finish(),
  revoked: () => finish(),
  error(message) {
    if (["code", "problem", "early"].includes(state.screen)) greeting = () => messages.look(kept.code);
    if (["code-used", "code-revoked"].includes(message.error)) forget();
  },
};

/** What the user does, where it is more than a change on the screen. @type {Record<string, (action: Action) => void>} */
const ON_ACTION = {
  language({ language }) {
    keepLanguage(language);
    speak(language);
  },
  submitCode({ code: text }) {
    const typed = fromInput(text);
    open({ ...typed, secret: typed.secret ?? (typed.code === kept.code ? kept.secret : null) });
  },
  submitName(action) {
    dispatch(action);
    kept.name = state.name;
  },
  retry: look,
  reload: () => location.reload(),
  otherCode() {
    signaling.close();
    forget();
    history.replaceState(null, "", location.pathname);
    kept = fresh();
    dispatch({ type: "askCode", code: "" });
  },
  copyLink() {
    const copied = navigator.clipboard?.writeText(location.href) ?? Promise.reject();
    copied.then(
      () => dispatch({ type: "notice", key: "browser.copied" }),
      () => dispatch({ type: "notice", key: "browser.notCopied" }),
    );
  },
  trial: tryEverything,
  judge,
  tell: async () => state.readiness && (await trial)?.tell(state.readiness),
  askDevices: () => media.start(),
  tryOut: () => sound.tryOut(state.media.chosen.speaker).catch(report),
  choose: ({ kind, id }) => media.choose(kind, id),
  device({ device, on }) {
    media.set(device, on);
    Object.assign(kept, media.wanted());
    if (greeting()?.type === "join") save(kept);
  },
  quality(action) {
    dispatch(action);
    kept.quality = state.quality;
    if (greeting()?.type === "join") save(kept);
    peers?.pace();
  },
  flip() {
    dispatch({ type: "panel", panel: "none" });
    media.flip();
  },
  adjust: ({ wish }) => media.adjust(wish).catch(report),
  torch: ({ on }) => media.adjust({ torch: on }).catch(report),
  fullScreen() {
    dispatch({ type: "panel", panel: "none" });
    comforts?.fill().catch(report);
  },
  float() {
    dispatch({ type: "panel", panel: "none" });
    comforts?.float().catch(report);
  },
  shortcuts({ on }) {
    kept.shortcuts = on;
    dispatch({ type: "set", change: { shortcuts: on } });
    if (greeting()?.type === "join") save(kept);
  },
  join,
  rejoin,
  leave: () => goodbye(messages.leave(), state.screen === "room" ? "leftRoom" : "leftWaiting"),
  hangUp() {
    if (asksForWhom(state)) dispatch({ type: "panel", panel: "leave" });
    else goodbye(farewell(), state.role === "doctor" ? "ended" : "left");
  },
  hangUpAlone: () => goodbye(messages.leave(), "left"),
  endForAll: () => goodbye(messages.end(), "ended"),
  admit(action) {
    signaling.send(messages.admit(action.knock));
    dispatch(action);
  },
  refuse(action) {
    signaling.send(messages.refuse(action.knock));
    dispatch(action);
  },
  sendBack({ seat }) {
    dispatch({ type: "panel", panel: "none" });
    signaling.send(messages.sendBack(seat));
  },
  remove({ seat }) {
    dispatch({ type: "panel", panel: "none" });
    signaling.send(messages.remove(seat));
  },
  hand() {
    dispatch({ type: "set", change: { hand: !state.hand } });
    peers?.tellState();
  },
  mute: () => ON_ACTION.device({ type: "device", device: "microphone", on: false }),
  askMute({ seat }) {
    dispatch({ type: "panel", panel: "none" });
    dispatch({ type: "notice", key: "ask.asked" });
    peers?.askMute(seat);
  },
  sameWords: ({ seat }) => peers?.vouch(seat, true),
  otherWords: ({ seat }) => peers?.vouch(seat, false),
  nextCorner: () => dispatch({ type: "corner", corner: CORNERS[(CORNERS.indexOf(state.corner) + 1) % CORNERS.length] }),
  gesture: () => sound.hushed && sound.wake(),
  saveReport: () => saveReport().catch(report),
  wake() {
    soundBlocked = false;
    view.unmute();
    sound.wake().then(showHushed);
  },
  soundBlocked() {
    soundBlocked = true;
    showHushed();
  },
};

/**
 * Says it, and does not wait for the answer: tracks stop and the screen changes at once (R28).
 * @param {Message} message
 * @param {string} end
 */
function goodbye(message, end) {
  if (!signaling.isOpen) peers?.leave(); // the broker will learn it from the silence, the partners from us
  signaling.goodbye(message);
  dispatch({ type: "ended", end });
  finish();
}

/** The doctor's last word ends the consultation for all. */
function farewell() {
  return state.role === "doctor" ? messages.end() : messages.leave();
}

/** The encryption cannot be trusted: nothing is sent any more but why. @param {string} end */
function endCall(end) {
  if (state.screen === "end") return;
  const last = farewell();
  dispatch({ type: "stopped", end });
  media.stop();
  greeting = () => null;
  keep({ stage: "end", end });
  setTimeout(() => {
    signaling.goodbye(last);
    peers?.close();
  }, LAST_WORD_MS);
}

function finish() {
  peers?.close();
  media.stop();
  signaling.close();
  greeting = () => null;
  keep({ stage: "end", end: state.end });
}

// ---- partners ----

/** Begins to load what only a call needs: not before there is something to read on the screen. */
function needSet() {
  setLoaded ??= loadSet();
  return setLoaded;
}

async function loadSet() {
  const [{ Peers }, { Comforts }, keys] = await Promise.all([import("./peers.js"), import("./comforts.js"), keysMade]);
  peers = new Peers({
    media,
    signaling,
    state: () => state,
    dispatch,
    certificates: () => certificates,
    onStreams: showStreams,
    trusted: (seat) => ({ consultation, keys, secret: kept.secret, pair: kept.pairs[seat] ?? null }),
    keepPair: (seat, pair) => keep({ pairs: { ...kept.pairs, [seat]: pair } }),
    endCall,
  });
  comforts = new Comforts({ media, sound, peers, state: () => state, dispatch, act, picture: view.largePicture });
}

/** @param {Message} welcome */
function useWelcome(welcome) {
  consultation = welcome.consultation;
  incarnation = welcome.incarnation;
  peers?.useIce(welcome.iceServers);
  peers?.keepHolders(welcome);
}

/** @param {Promise<unknown>[]} taking  a track that was replaced waits for it */
function onMedia(taking) {
  dispatch({ type: "media", media: media.summary() });
  if (["check", "trial"].includes(state.screen)) sound.measure(media.ear());
  const taken = peers?.useMedia();
  taken?.catch(report);
  taking.push(...(taken ? [taken] : []));
  showStreams();
}

/** In the call nothing but the partners' voices waits for a click: what is measured there may. */
function showHushed() {
  const hushed = soundBlocked || (state.screen !== "call" && sound.hushed);
  if (hushed !== state.hushed) dispatch({ type: "hushed", hushed });
}

function showStreams() {
  view.attach({ own: media.stream, partners: peers?.streams() ?? new Map() }, state);
}

/** What goes into the file is said in report.js, which comes only now. */
async function saveReport() {
  if (!peers || !words) return;
  const { reportOf } = await import("./report.js");
  const page = { now: performance.now(), agent: navigator.userAgent };
  view.save("visavis.txt", reportOf(peers.weakLines.past(), state, words, page));
}

// ---- names ----

/** @param {number} seat @param {string} key */
async function sendName(seat, key) {
  if (kept.name === "" || state.seat === null) return;
  const envelope = { keys: await keysMade, secret: kept.secret, consultation, seat: state.seat };
  signaling.send(messages.name(seat, await seal(kept.name, key, envelope)));
}

/** @param {Message} message */
async function onName({ knock, from, sealed }) {
  const seat = from ?? state.knocks.find((entry) => entry.knock === knock)?.seat;
  if (seat === undefined) return;
  const opened = await unseal(sealed, { keys: await keysMade, secret: kept.secret, consultation, seat });
  dispatch({ type: "named", ...(from === undefined ? { knock } : { seat: from }), ...opened });
}

/** Knocks that were heard already. @type {Set<string>} */
const heard = new Set();
/** @param {string} knock */
function onKnock(knock) {
  if (state.screen !== "call" && !heard.has(knock)) sound.knock(); // R08: never during a call
  heard.add(knock);
}

// ---- this tab ----

/** Looks again when the room opens; at least once a minute, since this device's clock may be wrong. */
function planRelook() {
  clearTimeout(relook);
  const left = Date.parse(state.opensAt ?? "") + 1000 - Date.now(); // the wire rounds seconds down
  relook = setTimeout(talk, left > 0 ? Math.min(left, 60_000) : 5000);
}

/** @param {string} language */
async function speak(language) {
  const catalogue = language === "en" ? import("../shared/words/en.js") : import("../shared/words/de.js");
  words = (await catalogue).default;
  dispatch({ type: "language", language: language === "en" ? "en" : "de" });
}

/** Before it is needed. */
async function makeCertificates() {
  const kind = /** @type {EcKeyGenParams} */ ({ name: "ECDSA", namedCurve: "P-256" });
  certificates = [await RTCPeerConnection.generateCertificate(kind)];
}

/**
 * The broker let this device wait or in: the code moves from the fragment into the tab's own storage.
 * @param {Partial<Kept>} change
 */
function keep(change) {
  Object.assign(kept, change, media.wanted());
  save(kept);
  letGo();
  history.replaceState(null, "", location.pathname);
}

/** @param {unknown} error  for whoever looks into the console; never SDP, names or codes (R34) */
function report(error) {
  console.warn("visavis:", error instanceof Error ? `${error.name}: ${error.message}` : "unknown trouble");
}
