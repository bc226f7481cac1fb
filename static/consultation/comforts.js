/**
 * What makes a call on this page comfortable: the screen stays on, single letters do what buttons do, the levels of both
 * sides are looked at for hints (`hearing.js`) and for who speaks (`speaker.js`), and partners learn that they are heard.
 * Loaded with the set of partners.
 */

import { hear, speakerOf } from "./speaker.js";
import { Hearing, LOOK_MS } from "../shared/hearing.js";
import { Screen } from "../shared/screen.js";
import { actionOf } from "./shortcuts.js";
import { isGroup } from "./words-of.js";

/**
 * What it needs of its page.
 * @typedef {object} Page
 * @property {import("../shared/media.js").Media} media
 * @property {import("../shared/sound.js").Sound} sound
 * @property {import("./peers.js").Peers} peers
 * @property {() => import("./types.js").State} state
 * @property {(action: import("./types.js").Action) => void} dispatch  for changes of the state
 * @property {(action: import("./types.js").Action) => void} act       for what a button would do as well
 * @property {() => HTMLVideoElement | null} picture                   the large one
 */

/** Each look at a level stops the page for a moment: with many partners every third has to do. */
const GROUP_LOOKS = 3;

export class Comforts {
  #page;
  #screen = new Screen();
  #hearing = new Hearing();
  #looks = 0;
  /** @type {Map<number | "own", import("./speaker.js").Voice>} */
  #voices = new Map();
  #looking = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);
  /** What each partner's page was told last. @type {WeakMap<RTCPeerConnection, boolean>} */
  #told = new WeakMap();

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    const { state, act, dispatch } = page;
    const show = () => dispatch({ type: "set", change: { display: this.#screen.summary() } });
    this.#screen.addEventListener("change", show);
    show();
    const touch = matchMedia("(hover: none) and (pointer: coarse)"); // there the switch for it is not shown either (style.css)
    document.addEventListener("keydown", (event) => {
      const action = !touch.matches && actionOf(event, state());
      if (!action) return;
      event.preventDefault();
      act(action);
    });
  }

  /** The call is on the screen, or no longer. @param {boolean} on */
  attend(on) {
    const { media, sound, dispatch } = this.#page;
    if (on === (this.#looking !== undefined)) return;
    this.#screen.stayAwake(on);
    media.overhear(on);
    clearInterval(this.#looking);
    this.#looking = on ? setInterval(() => this.#look(), LOOK_MS) : undefined;
    if (on) return;
    sound.measure(null);
    this.#hearing = new Hearing();
    this.#voices.clear();
    dispatch({ type: "hints", change: { silent: false, mutedSpeaking: false, unheard: false, echo: false } });
    this.#screen.fill(false).catch(() => {});
    this.#screen.float(null).catch(() => {});
  }

  /** The call fills the screen, or no longer: what is there counts, not what was told of it last. */
  fill() {
    return this.#screen.fill();
  }

  /** The large picture floats above other windows, or no longer. */
  float() {
    return this.#screen.float(this.#page.picture());
  }

  #look() {
    const { media, sound, peers, state, dispatch } = this.#page;
    if (isGroup(state()) && this.#looks++ % GROUP_LOOKS !== 0) return;
    const { media: own, peers: shown, hints: before, hushed } = state();
    sound.measure(media.ear());
    const connections = [...peers.connections()].filter(([seat]) => shown[seat]?.link === "connected");
    const partners = connections.map(([seat, connection]) => ({ seat, rms: levelFrom(connection), hearsUs: shown[seat].hearsUs }));
    const { hints, heard } = this.#hearing.look({
      now: performance.now(),
      own: sound.level(),
      on: own.microphone === "on",
      partners,
      played: !hushed,
    });
    this.#mark([...partners.map(({ seat, rms }) => /** @type {const} */ ([seat, rms])), ["own", own.microphone === "on" ? (sound.level()?.rms ?? 0) : 0]]);
    const changed = Object.entries(hints).some(([name, on]) => before[/** @type {keyof typeof before} */ (name)] !== on);
    if (changed) dispatch({ type: "hints", change: hints });
    for (const [seat, connection] of connections) {
      const told = heard.get(seat) ?? false;
      if (this.#told.get(connection) !== told && peers.tell(seat, { type: "hears", heard: told })) this.#told.set(connection, told);
    }
  }

  /** Who speaks. @param {(readonly [number | "own", number])[]} levels */
  #mark(levels) {
    const { state, dispatch } = this.#page;
    const now = performance.now();
    this.#voices = new Map(levels.map(([who, level]) => [who, hear(this.#voices.get(who), level, now)]));
    const { speaker: before } = state();
    const speaker = speakerOf(before, this.#voices);
    if (speaker !== before) dispatch({ type: "set", change: { speaker } });
  }
}

/** How loud what comes from a partner is, by its last packet. @param {RTCPeerConnection} connection */
function levelFrom(connection) {
  const receiver = connection.getReceivers().find(({ track }) => track.kind === "audio");
  return receiver?.getSynchronizationSources()[0]?.audioLevel ?? 0;
}
