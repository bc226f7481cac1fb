/**
 * The set of partners: one {@link Lines} for each admitted seat, from its first message to its end. It hands the broker's
 * messages to the right connection and back, shares tracks and servers out to all, mends what breaks (R27), and knows
 * what the partners' pages tell ({@link TOLD}). What the screen has to know comes out as actions through `dispatch`.
 */

import { soundSent, Supply } from "../shared/flow.js";
import { Lines } from "../shared/lines.js";
import { Gauge, Sending } from "../shared/sending.js";
import { messages } from "../shared/signaling.js";
import { holds } from "./state.js";
import { trust } from "./trust.js";
import { WeakLines } from "./weak-lines.js";

/** @typedef {import("../shared/signaling.js").Message} Message */
/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Told} Told */
/**
 * @typedef {object} Partner
 * @property {Lines} peer
 * @property {number} seat
 * @property {number} incarnation
 * @property {string} key  the page's public key, for sealing
 * @property {import("../shared/check.js").Check} [check]  the one whose result is shown
 * @property {MediaStream | null} stream
 * @property {Gauge} gauge
 * @property {Sending} sending
 * @property {State["picture"]} picture  as it goes to this partner
 * @property {string} said  the state that its page was told last
 * @property {boolean} [dead]  its line is being mended
 * @property {ReturnType<typeof setTimeout>} [blocked]
 */
/**
 * What the set needs of its page.
 * @typedef {object} Page
 * @property {import("../shared/media.js").Media} media
 * @property {import("../shared/signaling.js").Signaling} signaling
 * @property {() => State} state
 * @property {(action: import("./types.js").Action) => void} dispatch
 * @property {() => RTCCertificate[]} certificates  one for all connections of this page life, or none
 * @property {() => void} onStreams                 a partner's stream came or went
 * @property {(seat: number) => { consultation: string, keys: import("../shared/seal.js").Keys, secret: string | null, pair: string | null }} trusted
 *   what a check of this seat rests on
 * @property {(seat: number, pair: string) => void} keepPair
 * @property {(end: string) => void} endCall
 */

/** No line after so long: the network does not let it through, and the user can do something about it. */
const BLOCKED_MS = 15_000;
/** A TURN credential lives 15 minutes: with an older one a new line waits for a new one. */
const CREDENTIAL_MS = 10 * 60_000;
const PACE_MS = 1000;
const NOTHING_MEASURED = { available: null, loss: null, roundTrip: null, sent: null, limited: false };
/** So long a last word over the data channel may take. */
const GOODBYE_MS = 500;

export class Peers {
  #page;
  /** @type {Map<number, Partner>} */
  #partners = new Map();
  #ice = { servers: /** @type {RTCIceServer[]} */ ([]), at: 0 };
  #supply = new Supply();
  /** On the socket that is open: before, nothing may be said to partners. */
  #welcome = false;
  /** How the lines are, and how the server is reached. */
  weakLines;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    setInterval(() => this.pace(), PACE_MS);
    page.signaling.addEventListener("up", () => (this.#welcome = false));
    this.weakLines = new WeakLines(page, () => this.#partners.values());
  }

  /** The partners' streams, by seat. @returns {Map<number, MediaStream>} */
  streams() {
    return new Map([...this.#partners.values()].flatMap(({ seat, stream }) => (stream ? [[seat, stream]] : [])));
  }

  /** For whoever reads their statistics, by seat. @returns {Map<number, RTCPeerConnection>} */
  connections() {
    return new Map([...this.#partners.values()].map(({ seat, peer }) => [seat, peer.connection]));
  }

  /** @param {number} seat @param {Told} message @returns {boolean} whether it could be said */
  tell(seat, message) {
    return this.#partners.get(seat)?.peer.tell(message) ?? false;
  }

  /**
   * `peer`: a partner is present, as the page already known or as a new one.
   * @param {Message} message
   * @returns {boolean} whether it is a new one
   */
  meet({ seat, role, key, incarnation }) {
    const known = this.#partners.get(seat);
    if (known && known.incarnation === incarnation) {
      known.peer.hurry();
      return false;
    }
    this.drop(seat);
    const { media, state, certificates } = this.#page;
    const own = state();
    const peer = new Lines({
      first: (own.seat ?? 0) < seat,
      reachable: () => this.#reaches(seat),
      iceServers: this.#ice.servers,
      relayedOnly: own.relayedOnly,
      certificates: certificates(),
      stream: media.stream,
      tracks: { audio: media.track("audio"), video: media.track("video") },
      onLine: (line) => trust(line, { seat, role, key }, this.#page, () => this.#ifStill(seat, incarnation)),
    });
    const partner = { peer, seat, incarnation, key, stream: null, gauge: new Gauge(), sending: new Sending(), picture: own.picture, said: "" };
    this.#partners.set(seat, partner);
    this.#follow(partner);
    this.#send(partner, NOTHING_MEASURED);
    return true;
  }

  /** @param {Message} message  `description` */
  describe({ from, incarnation, description }) {
    return this.#ifStill(from, incarnation)?.peer.describe(description);
  }

  /** @param {Message} message  `candidate` */
  addCandidate({ from, incarnation, candidate }) {
    return this.#ifStill(from, incarnation)?.peer.addCandidate(candidate);
  }

  /** @param {Message} welcome  its `gone` may have come while the socket was lost */
  keepHolders(welcome) {
    this.#welcome = true;
    for (const partner of [...this.#partners.values()]) if (!holds(welcome, partner)) this.drop(partner.seat);
  }

  /** @param {RTCIceServer[]} servers */
  useIce(servers) {
    this.#ice = { servers, at: performance.now() };
    for (const { peer } of this.#partners.values()) peer.setServers(servers);
  }

  /** The own tracks or their states have changed. */
  async useMedia() {
    const { media } = this.#page;
    const taking = [...this.#partners.values()].flatMap(({ peer }) => [
      peer.setTrack("audio", media.track("audio")),
      peer.setTrack("video", media.track("video")),
    ]);
    this.tellState();
    await Promise.all(taking);
  }

  /** Tells every partner what we send and show, if that is new. */
  tellState() {
    for (const partner of this.#partners.values()) this.#tellState(partner);
  }

  /** Once a second, and when the user wants another quality: what each line carries decides what goes over it. */
  async pace() {
    const { state, dispatch, media } = this.#page;
    let sent = 0;
    let connections = 0;
    for (const partner of [...this.#partners.values()]) {
      const { report } = await partner.peer.statistics();
      const connected = state().peers[partner.seat]?.link === "connected" && this.#partners.get(partner.seat) === partner;
      if (!connected) continue;
      this.#send(partner, partner.gauge.read(report));
      sent += soundSent(report);
      connections++;
    }
    if (this.#supply.starves(sent, connections > 0 && media.sending().microphone)) await media.renew("microphone");
    const pictures = [...this.#partners.values()].map(({ picture }) => picture);
    const picture = pictures.length > 0 && pictures.every((one) => one === pictures[0]) ? pictures[0] : "on";
    if (pictures.length > 0 && picture !== state().picture) dispatch({ type: "picture", picture });
  }

  /**
   * Asks a partner to switch the microphone off, or all of them but doctors.
   * @param {number} [only]
   */
  askMute(only) {
    const peers = this.#page.state().peers;
    for (const { seat, peer } of this.#partners.values()) {
      if (only === seat || (!only && peers[seat]?.role !== "doctor")) peer.tell({ type: "ask", what: "mute" });
    }
  }

  /** The person here has compared the words. @param {number} seat @param {boolean} same */
  vouch(seat, same) {
    const check = this.#partners.get(seat)?.check;
    if (same) check?.confirm();
    else check?.refuse();
  }

  /** @param {number} seat @param {number} [lingers]  ms until its connection closes; at once, unless something is still being said */
  drop(seat, lingers) {
    const partner = this.#partners.get(seat);
    if (!partner) return;
    this.#partners.delete(seat);
    clearTimeout(partner.blocked);
    if (lingers) setTimeout(() => partner.peer.close(), lingers);
    else partner.peer.close();
    this.#hasten();
    this.#page.onStreams();
  }

  /** Says goodbye without the broker; the connections live on for the moment that this takes. */
  leave() {
    for (const { peer, seat } of [...this.#partners.values()]) {
      peer.tell({ type: "left" });
      this.drop(seat, GOODBYE_MS);
    }
  }

  close() {
    for (const seat of [...this.#partners.keys()]) this.drop(seat);
  }

  /**
   * Starts or stops the clock after which a line that does not come is put down to the network.
   * @param {number} seat
   */
  watch(seat) {
    const { state, dispatch } = this.#page;
    const partner = this.#partners.get(seat);
    const shown = state().peers[seat];
    if (!partner || !shown) return;
    clearTimeout(partner.blocked);
    if (shown.link !== "connecting" || shown.away) return; // what has worked once will do so again
    partner.blocked = setTimeout(() => {
      if (state().signaling === "up") dispatch({ type: "link", seat, link: "blocked" });
    }, BLOCKED_MS);
  }

  /** The network may have changed, or the page has slept: what is dead is tried anew at once. */
  awake() {
    if (this.#partners.size > 0) this.#page.signaling.prove(messages.ice());
    for (const { peer } of this.#partners.values()) peer.hurry();
  }

  /** @param {Partner} partner */
  #follow(partner) {
    const { peer, seat, incarnation } = partner;
    const { signaling, dispatch, onStreams } = this.#page;
    /** @type {(type: string, listener: (detail: any) => void) => void} */
    const on = (type, listener) =>
      peer.addEventListener(type, (event) => {
        if (this.#partners.get(seat) === partner) listener(/** @type {CustomEvent} */ (event).detail);
      });
    on("send", (said) => {
      signaling.send("description" in said
        ? messages.description(seat, incarnation, said.description)
        : messages.candidate(seat, incarnation, said.candidate));
    });
    on("stream", (stream) => {
      partner.stream = stream;
      onStreams();
    });
    on("open", () => {
      partner.said = "";
      partner.gauge = new Gauge(); // another line counts from zero
      this.#tellState(partner);
    });
    on("told", (message) => {
      TOLD[message.type]?.(partner, message, dispatch, this.weakLines);
      if (message.type === "left") this.drop(seat);
    });
    on("path", (path) => dispatch({ type: "peer", seat, change: { path } }));
    on("link", (link) => {
      dispatch({ type: "link", seat, link });
      this.watch(seat);
    });
    on("trying", (trying) => {
      partner.dead = trying !== null;
      this.#hasten();
      dispatch({ type: "peer", seat, change: { trying } });
    });
    on("stuck", () => signaling.prove(messages.ice()));
  }

  /** A dead call waits for nothing but the broker. */
  #hasten() {
    this.#page.signaling.hasten([...this.#partners.values()].some(({ dead }) => dead));
  }

  /**
   * Whether a new line can be agreed upon: without the broker nothing gets through, nor to a partner who is away.
   * @param {number} seat
   */
  #reaches(seat) {
    const { peers } = this.#page.state();
    return this.#page.signaling.isOpen && this.#welcome && !peers[seat]?.away && performance.now() - this.#ice.at < CREDENTIAL_MS;
  }

  /** @param {Partner} partner @param {import("../shared/sending.js").Measure} measure */
  #send(partner, measure) {
    const { peer, seat, sending } = partner;
    const { media, state } = this.#page;
    const { quality, peers } = state();
    const now = performance.now();
    const plan = sending.step(now, measure, {
      partners: this.#partners.size,
      quality,
      camera: media.track("video") !== null,
      deaf: peers[seat]?.picture === "sound",
      wait: [...this.#partners.values()].some((other) => other !== partner && other.sending.tries(now)),
    });
    peer.send(plan);
    if (plan.ask) peer.tell({ type: "ask", what: "less" });
    if (plan.picture === partner.picture) return;
    partner.picture = plan.picture;
    this.#tellState(partner);
  }

  /** @param {Partner} partner */
  #tellState(partner) {
    const message = this.#ownState(partner);
    const text = JSON.stringify(message);
    if (text !== partner.said && partner.peer.tell(message)) partner.said = text;
  }

  /** @param {Partner} partner @returns {Told} */
  #ownState({ picture }) {
    return { type: "state", ...this.#page.media.sending(), hand: this.#page.state().hand, picture };
  }

  /** @param {number} seat @param {number} incarnation */
  #ifStill(seat, incarnation) {
    const partner = this.#partners.get(seat);
    return partner?.incarnation === incarnation ? partner : undefined;
  }
}

/**
 * What a partner's page may tell, and what it means here. It comes from a stranger: every field is checked.
 * @type {Record<string, (partner: Partner, message: Told, dispatch: Page["dispatch"], weakLines: WeakLines) => void>}
 */
const TOLD = {
  state({ peer, seat }, { microphone, camera, hand, picture }, dispatch) {
    peer.expectSilence();
    const change = {
      microphone: microphone === true,
      camera: camera === true,
      hand: hand === true,
      picture: ["weak", "sound"].includes(picture) ? picture : "on",
    };
    dispatch({ type: "peer", seat, change });
  },
  left: ({ seat }, _, dispatch) => dispatch({ type: "server", message: { type: "gone", seat, reason: "left" } }),
  ask({ seat, sending }, { what }, dispatch) {
    if (what === "mute") dispatch({ type: "asked", seat });
    if (what === "less") sending.less(performance.now());
  },
  hears: ({ seat }, { heard }, dispatch) => dispatch({ type: "peer", seat, change: { hearsUs: heard === true } }),
  line: (partner, message, _, weakLines) => weakLines.told(partner, message),
};
