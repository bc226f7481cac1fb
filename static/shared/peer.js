/**
 * One line to one seat, an RTCPeerConnection: perfect negotiation (W3C WebRTC §10.7), the data channel between the two pages, and
 * the watch that notices a silent line long before `connectionState` does. It never sees the broker: what it wants to say
 * comes out as `send`, what was said goes into {@link Peer#describe} and {@link Peer#addCandidate}. SDP and candidates
 * pass unchanged (R23). What the pages tell each other (docs/protocol.md "Between the pages") it carries and does not read.
 *
 * Events, each with a detail: `send` ({ description } or { candidate }), `stream` (the partner's MediaStream), `open`
 * (null: {@link Peer#tell} is heard from now on), `told` (a message of the partner's page: from a stranger, an object with
 * a `type` and nothing else sure), `mismatch` (null: a description names other fingerprints than the first), `link` (a
 * {@link Link}), `path` (a {@link Path}). A line that has died is not mended but replaced by another (lines.js).
 */

import { Flow, selectedPair, WATCH_MS } from "./flow.js";
import { fingerprints } from "./transport.js";

/** @typedef {"connecting" | "connected" | "interrupted"} Link */
/** @typedef {"direct" | "relayed" | "unknown"} Path */
/** @typedef {"audio" | "video"} Kind */
/** @typedef {import("./sending.js").Plan} Plan */

/** Of a message between the pages, in characters: far below what every browser passes at once. */
const MESSAGE_MAX = 16_384;
/**
 * Browsers begin at about 300 kbit/s and hold a large first picture back; a small one is there at once. So the picture
 * starts at half its size and grows as soon as the line has carried it for a moment.
 */
const FIRST_PICTURE = { scale: 2, ms: 1000 };

/** A look that takes so long is one too many: the page is busy, and the next are left out, so many at most. */
const SLOW_MS = 40;
const MOST_SKIPS = 2;
/** So old may statistics be that are not asked for anew. */
const RECENT_MS = 500;

export class Peer extends EventTarget {
  #connection;
  #channel = /** @type {RTCDataChannel | null} */ (null);
  #offers;
  #stream;
  #remote = new MediaStream();
  /** @type {Record<Kind, MediaStreamTrack | null>} */
  #tracks;
  /** @type {Partial<Record<Kind, RTCRtpTransceiver>>} */
  #transceivers = {};
  /** @type {(RTCIceCandidateInit | null)[]} */
  #early = [];
  #small = true;
  #plan = /** @type {Plan | null} */ (null);
  #skips = 0;
  #asked = { at: -Infinity, report: /** @type {Promise<RTCStatsReport> | null} */ (null) };
  /** What each sender was told last and holds, as text. @type {WeakMap<RTCRtpSender, string>} */
  #encoded = new WeakMap();
  #changedAt = 0;
  #makingOffer = false;
  #ignoreOffer = false;
  #settingRemoteAnswer = false;
  #broken = false;
  #vouched;
  /** @type {() => void} */
  #setDescribed = () => {};
  /** The partner's first description is in force. @type {Promise<void>} */
  #described = new Promise((done) => (this.#setDescribed = done));
  /** @type {Link} */
  #link = "connecting";
  /** @type {Path} */
  #path = "unknown";
  #flow = new Flow();
  #watching;

  /**
   * @param {object} options
   * @param {boolean} options.offers  true for who opens the line: it offers first and is impolite; the other is polite
   * @param {RTCIceServer[]} options.iceServers
   * @param {boolean} options.relayedOnly  neither side learns the other's address
   * @param {RTCCertificate[]} options.certificates  one for all connections of a page life, or none
   * @param {MediaStream} options.stream  names the sent tracks as belonging together (lip sync)
   * @param {Record<Kind, MediaStreamTrack | null>} options.tracks
   * @param {{ theirs: string | null }} [options.vouched]  the partner's fingerprints as first told; shared by all connections to the same page
   */
  constructor({ offers, iceServers, relayedOnly, certificates, stream, tracks, vouched = { theirs: null } }) {
    super();
    this.#vouched = vouched;
    this.#offers = offers;
    this.#stream = stream;
    this.#tracks = { ...tracks };
    const iceTransportPolicy = relayedOnly ? "relay" : "all";
    this.#connection = new RTCPeerConnection({ iceServers, iceTransportPolicy, certificates, bundlePolicy: "max-bundle" });
    this.#listen(this.#connection);
    // The other side adds nothing before the first offer, or both would offer at once.
    if (offers) this.#open();
    this.#watching = setInterval(() => this.#watch(), WATCH_MS);
  }

  /**
   * Sends another track of this kind, or none, without negotiating anew.
   * @param {Kind} kind
   * @param {MediaStreamTrack | null} track
   */
  async setTrack(kind, track) {
    if (this.#tracks[kind] === track) return;
    this.#tracks[kind] = track;
    this.#flow.reset(); // reports about what we send may have been all that came
    await this.#transceivers[kind]?.sender.replaceTrack(track);
    if (kind === "video") this.#encode();
  }

  /**
   * How picture and sound are sent from now on. Said again it mends what a negotiation undid.
   * @param {Plan} plan
   */
  send(plan) {
    this.#plan = plan;
    this.#encode();
  }

  /**
   * Says something to the partner's page; lost while the channel is not open (`open` tells when it is).
   * @param {import("../consultation/types.js").Told} message
   * @returns {boolean} whether it was open
   */
  tell(message) {
    const open = this.#channel?.readyState === "open";
    if (open) this.#channel?.send(JSON.stringify(message));
    return open;
  }

  /** The partner has just switched something off: no packets for a while prove nothing. */
  expectSilence() {
    this.#flow.reset();
  }

  /** Of both sides, in the descriptions in force (R22). @returns {import("./transport.js").Fingerprints} */
  fingerprints() {
    const { localDescription, remoteDescription } = this.#connection;
    return { own: fingerprints(localDescription?.sdp), theirs: fingerprints(remoteDescription?.sdp) };
  }

  /**
   * What getStats tells, and when (ms): asked once for all who read it, since with many partners every asking costs.
   * @returns {Promise<{ at: number, report: RTCStatsReport }>}
   */
  async statistics() {
    if (performance.now() - this.#asked.at > RECENT_MS) this.#ask();
    const { at, report } = this.#asked;
    return { at, report: await /** @type {Promise<RTCStatsReport>} */ (report) };
  }

  get connection() {
    return this.#connection;
  }

  /** What the partner sends. */
  get stream() {
    return this.#remote;
  }

  get link() {
    return this.#link;
  }

  get path() {
    return this.#path;
  }

  /** Whether {@link Peer#tell} is heard. */
  get isOpen() {
    return this.#channel?.readyState === "open";
  }

  get #isClosed() {
    return this.#connection.signalingState === "closed";
  }

  /** The browser has given it up, or could not apply what the partner said, whether or not it ever worked. */
  get failed() {
    return this.#broken || stateOf(this.#connection) === "failed";
  }

  /**
   * The partner's offer or answer.
   * @param {RTCSessionDescriptionInit} description
   */
  async describe(description) {
    try {
      await this.#apply(description);
    } catch (error) {
      if (!this.#isClosed) throw error; // hung up meanwhile
    }
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #apply(description) {
    const connection = this.#connection;
    const ready = !this.#makingOffer && (connection.signalingState === "stable" || this.#settingRemoteAnswer);
    this.#ignoreOffer = this.#offers && description.type === "offer" && !ready;
    if (this.#ignoreOffer || !this.#isVouched(description)) return;
    this.#settingRemoteAnswer = description.type === "answer";
    try {
      await connection.setRemoteDescription(description);
    } catch (error) {
      this.#broken = true; // however connected it looks, nothing will come over it
      if (!this.#isClosed) this.#judge();
      throw error;
    } finally {
      this.#settingRemoteAnswer = false;
    }
    if (!this.#isVouched(connection.remoteDescription)) return; // as the browser has read it
    this.#setDescribed();
    for (const candidate of this.#early.splice(0)) await this.addCandidate(candidate);
    if (description.type !== "offer") return;
    if (!this.#offers) this.#adopt();
    await connection.setLocalDescription();
    this.#say({ description: connection.localDescription });
  }

  /**
   * The partner's candidate, or `null` after the last; one that overtook its description waits for it.
   * @param {RTCIceCandidateInit | null} candidate
   */
  async addCandidate(candidate) {
    if (!this.#connection.remoteDescription) {
      if (!this.#ignoreOffer) this.#early.push(candidate);
      return;
    }
    try {
      await this.#connection.addIceCandidate(candidate ?? undefined);
    } catch (error) {
      // Belongs to an ignored offer, or to a line that is being replaced or closed: no loss.
      if (!this.#ignoreOffer && this.#link !== "interrupted" && !this.#isClosed) throw error;
    }
  }

  close() {
    clearInterval(this.#watching);
    this.#channel?.close();
    this.#connection.close();
    for (const track of this.#remote.getTracks()) track.stop();
  }

  /**
   * The first fingerprints count for the whole life of the partner's page, whose certificate never changes: with others,
   * browsers would begin DTLS anew, and another connection might lead to somebody else.
   * @param {RTCSessionDescriptionInit | null} description
   */
  #isVouched(description) {
    const theirs = fingerprints(description?.sdp).join();
    this.#vouched.theirs ??= theirs;
    if (theirs === this.#vouched.theirs) return true;
    this.#emit("mismatch", null);
    return false;
  }

  /** @param {RTCPeerConnection} connection */
  #listen(connection) {
    connection.onnegotiationneeded = async () => {
      try {
        this.#makingOffer = true;
        await connection.setLocalDescription();
        this.#say({ description: connection.localDescription });
      } catch (error) {
        if (!this.#isClosed) throw error; // hung up while the offer was being made
      } finally {
        this.#makingOffer = false;
      }
    };
    connection.onicecandidate = ({ candidate }) => this.#say({ candidate: candidate?.toJSON() ?? null });
    connection.ontrack = ({ track }) => {
      this.#remote.addTrack(track);
      this.#emit("stream", this.#remote);
    };
    connection.onsignalingstatechange = () => (this.#encoded = new WeakMap()); // a negotiation may undo what was set
    connection.onconnectionstatechange = connection.oniceconnectionstatechange = () => this.#judge();
  }

  /** Who opens: the first step: places for sound and picture, whether or not there is a track for them yet. */
  #open() {
    for (const kind of /** @type {Kind[]} */ (["audio", "video"])) {
      this.#transceivers[kind] = this.#connection.addTransceiver(this.#tracks[kind] ?? kind, {
        direction: "sendrecv",
        streams: [this.#stream],
        sendEncodings: kind === "video" ? [{ scaleResolutionDownBy: FIRST_PICTURE.scale }] : [],
      });
    }
    this.#openChannel();
  }

  /** Who is offered to: puts its own tracks into the places that the first offer made. */
  #adopt() {
    for (const transceiver of this.#connection.getTransceivers()) {
      const kind = /** @type {Kind} */ (transceiver.receiver.track.kind);
      if (this.#transceivers[kind]) continue;
      this.#transceivers[kind] = transceiver;
      transceiver.direction = "sendrecv";
      transceiver.sender.setStreams?.(this.#stream); // Firefox before 113 has none
      if (this.#tracks[kind]) transceiver.sender.replaceTrack(this.#tracks[kind]);
      if (kind === "video") this.#encode();
    }
    if (!this.#channel) this.#openChannel();
  }

  /** How picture and sound are sent. Without `active: false` Firefox goes on with black pictures when there is no track. */
  #encode() {
    const track = this.#tracks.video;
    const { active = true, maxBitrate, maxFramerate, height = Infinity, degradationPreference, sound } = this.#plan ?? {};
    if (track && !track.contentHint) track.contentHint = "motion"; // faces; whoever shows a finding has said "detail"
    const preference = track?.contentHint === "detail" ? "maintain-resolution" : degradationPreference;
    const scale = Math.max(this.#small ? FIRST_PICTURE.scale : 1, shortSide(track) / height);
    this.#tune(this.#transceivers.video, { active: active && track !== null, maxBitrate, maxFramerate, scaleResolutionDownBy: scale }, preference);
    this.#tune(this.#transceivers.audio, { priority: "high", maxBitrate: sound ?? undefined });
  }

  /**
   * What a sender is known to hold is not asked for again: getParameters stops the page until the browser's media thread answers.
   * @param {RTCRtpTransceiver | undefined} transceiver
   * @param {RTCRtpEncodingParameters} wanted
   * @param {string} [degradationPreference]
   */
  #tune(transceiver, wanted, degradationPreference) {
    const text = JSON.stringify({ ...wanted, degradationPreference });
    if (!transceiver || this.#encoded.get(transceiver.sender) === text) return;
    const { sender } = transceiver;
    const parameters = /** @type {any} */ (sender.getParameters());
    const encoding = parameters.encodings?.[0];
    if (!encoding) return; // Firefox before 110 may have none: then it is as it is
    const is = { ...encoding, degradationPreference: parameters.degradationPreference };
    const change = degradationPreference ? { ...wanted, degradationPreference } : wanted;
    if (Object.entries(change).every(([name, value]) => is[name] === value)) return void this.#encoded.set(sender, text);
    this.#encoded.delete(sender);
    Object.assign(encoding, wanted);
    if (degradationPreference) parameters.degradationPreference = degradationPreference;
    const held = this.#encoded;
    sender.setParameters(parameters).then(() => held.set(sender, text), () => {}); // negotiated anew meanwhile: said again soon
  }

  #openChannel() {
    const channel = this.#connection.createDataChannel("visavis", { negotiated: true, id: 0, ordered: true });
    this.#channel = channel;
    // Under load Chromium opens the channel while it still applies the answer, and knows no fingerprints of the partner yet.
    channel.onopen = () => this.#described.then(() => this.#emit("open", null));
    channel.onmessage = ({ data }) => {
      const message = parse(data);
      if (message) this.#emit("told", message);
    };
  }

  #ask() {
    this.#asked = { at: performance.now(), report: this.#connection.getStats() };
  }

  async #watch() {
    if (this.#skips-- > 0) return;
    this.#skips = Infinity; // until this look has come: many that come at once would tell of a silence that is only the page's own
    this.#ask();
    const { at, report } = await this.statistics();
    if (this.#isClosed) return;
    const pair = selectedPair(report);
    const now = performance.now();
    this.#skips = Math.min(MOST_SKIPS, Math.floor((now - at) / SLOW_MS));
    this.#flow.note(pair?.at ?? performance.timeOrigin + now, pair ? `${pair.id}|${pair.received}` : null);
    if (pair && pair.path !== this.#path) {
      this.#path = pair.path;
      this.#emit("path", pair.path);
    }
    this.#judge();
    this.#grow(now);
  }

  /** @param {number} now */
  #grow(now) {
    if (!this.#small || this.#link !== "connected" || now - this.#changedAt < FIRST_PICTURE.ms) return;
    this.#small = false;
    this.#encode();
  }

  /** Connected is what carries packets; the state alone would call a dead line connected for seconds. */
  #judge() {
    const connected = stateOf(this.#connection) === "connected" && !this.#flow.silent && !this.#broken;
    const link = connected ? "connected" : this.#link === "connecting" ? "connecting" : "interrupted";
    if (link === this.#link) return;
    this.#link = link;
    this.#changedAt = performance.now();
    this.#emit("link", link);
  }

  /** @param {{ description: RTCSessionDescription | null } | { candidate: RTCIceCandidateInit | null }} words */
  #say(words) {
    this.#emit("send", words);
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * Firefox before 113 has no `connectionState`; its ICE state says the same in other words.
 * @param {RTCPeerConnection} connection
 */
function stateOf(connection) {
  if (connection.connectionState) return connection.connectionState;
  return connection.iceConnectionState === "completed" ? "connected" : connection.iceConnectionState;
}

/** The lines of a track's picture, held upright or not. @param {MediaStreamTrack | null} track */
function shortSide(track) {
  const { width = 0, height = 0 } = track?.getSettings() ?? {};
  return Math.min(width, height);
}

/** @param {unknown} data @returns {import("../consultation/types.js").Told | null} nothing for what no page of ours says */
function parse(data) {
  try {
    const message = typeof data === "string" && data.length <= MESSAGE_MAX ? JSON.parse(data) : null;
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
