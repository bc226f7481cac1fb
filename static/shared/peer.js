/**
 * One RTCPeerConnection to one seat: perfect negotiation (W3C WebRTC §10.7), the data channel with the partner's
 * device states, and the watch that notices a silent line long before `connectionState` does. It never sees the
 * broker: what it wants to say comes out as `send`, what was said goes into {@link Peer#describe} and
 * {@link Peer#addCandidate}. SDP and candidates pass unchanged (R23).
 *
 * Events, each with a detail: `send` ({ description } or { candidate }), `stream` (the partner's MediaStream),
 * `partner` ({ microphone, camera }), `link` (a {@link Link}), `path` (a {@link Path}), `stuck` (null; again and again
 * while the line is dead: whoever owns signaling decides about {@link Peer#restart}).
 */

/** @typedef {"connecting" | "connected" | "interrupted"} Link */
/** @typedef {"direct" | "relayed" | "unknown"} Path */
/** @typedef {{ microphone: boolean, camera: boolean }} Devices */
/** @typedef {"audio" | "video"} Kind */

const WATCH_MS = 250;
/** A line that carried packets and carries none for so long is silent (decisions.md: the state lags by seconds). */
const SILENT_MS = 1200;
/** So many looks in a row with new packets make a steady flow; reports and keep-alives alone never do. */
const STEADY_LOOKS = 8;
/**
 * Browsers begin at about 300 kbit/s and hold a large first picture back; a small one is there at once. So the picture
 * starts at half its size and grows as soon as the line has carried it for a moment.
 */
const FIRST_PICTURE = { scale: 2, ms: 1000 };
/** After a restart the next waits, each time longer: an answer over a slow line needs its time. */
const RESTART_PAUSE_MS = [2500, 5000, 8000];
/** The higher seat leaves the restart to the lower one, unless that one notices nothing. */
const COURTESY_MS = 750;

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
  #devices = { microphone: false, camera: false };
  /** @type {(RTCIceCandidateInit | null)[]} */
  #early = [];
  #small = true;
  #changedAt = 0;
  #makingOffer = false;
  #ignoreOffer = false;
  #settingRemoteAnswer = false;
  /** @type {Link} */
  #link = "connecting";
  /** @type {Path} */
  #path = "unknown";
  #flow = new Flow();
  #restartedAt = 0;
  #restarts = 0;
  #watching;

  /**
   * @param {object} options
   * @param {boolean} options.offers  true for the lower seat: it offers first and is impolite; the higher is polite
   * @param {RTCIceServer[]} options.iceServers
   * @param {RTCCertificate[]} options.certificates  one for all connections of a page life, or none
   * @param {MediaStream} options.stream  names the sent tracks as belonging together (lip sync)
   * @param {Record<Kind, MediaStreamTrack | null>} options.tracks
   * @param {Devices} options.devices
   */
  constructor({ offers, iceServers, certificates, stream, tracks, devices }) {
    super();
    this.#offers = offers;
    this.#stream = stream;
    this.#tracks = { ...tracks };
    this.#devices = { ...devices };
    this.#connection = new RTCPeerConnection({ iceServers, certificates, bundlePolicy: "max-bundle" });
    this.#listen(this.#connection);
    // The higher seat adds nothing before the first offer, or both would offer at once.
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
    await this.#transceivers[kind]?.sender.replaceTrack(track);
    if (kind === "video") this.#encode();
  }

  /**
   * Tells the partner which of our devices are on.
   * @param {Devices} devices
   */
  setDevices(devices) {
    const same = devices.microphone === this.#devices.microphone && devices.camera === this.#devices.camera;
    this.#devices = { ...devices };
    if (!same) this.#sendDevices();
  }

  /**
   * The partner's offer or answer.
   * @param {RTCSessionDescriptionInit} description
   */
  async describe(description) {
    const connection = this.#connection;
    const ready = !this.#makingOffer && (connection.signalingState === "stable" || this.#settingRemoteAnswer);
    this.#ignoreOffer = this.#offers && description.type === "offer" && !ready;
    if (this.#ignoreOffer) return;
    this.#settingRemoteAnswer = description.type === "answer";
    try {
      await connection.setRemoteDescription(description);
    } finally {
      this.#settingRemoteAnswer = false;
    }
    for (const candidate of this.#early.splice(0)) await this.addCandidate(candidate);
    if (description.type !== "offer") return;
    this.#restartedAt = performance.now(); // the partner looks for a new line already
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
      // Belongs to an ignored offer, or to a line that a restart has replaced meanwhile: both are no loss.
      if (!this.#ignoreOffer && this.#link !== "interrupted") throw error;
    }
  }

  /** Looks for a new line. */
  restart() {
    this.#restarts++;
    this.#restartedAt = performance.now();
    this.#connection.restartIce();
  }

  /** @param {RTCIceServer[]} iceServers  for the next restart */
  setServers(iceServers) {
    const connection = this.#connection;
    connection.setConfiguration?.({ ...connection.getConfiguration(), iceServers }); // Firefox before 110 cannot: it keeps the first
  }

  /** The partner's same page is back: what was said meanwhile is lost, so say it again if it still matters. */
  nudge() {
    const connection = this.#connection;
    if (connection.signalingState === "have-local-offer") this.#say({ description: connection.localDescription });
    else if (connection.remoteDescription && this.#link !== "connected") this.restart();
  }

  close() {
    clearInterval(this.#watching);
    this.#channel?.close();
    this.#connection.close();
    for (const track of this.#remote.getTracks()) track.stop();
  }

  #sendDevices() {
    if (this.#channel?.readyState !== "open") return;
    this.#channel.send(JSON.stringify({ type: "state", ...this.#devices }));
  }

  /** @param {RTCPeerConnection} connection */
  #listen(connection) {
    connection.onnegotiationneeded = async () => {
      try {
        this.#makingOffer = true;
        await connection.setLocalDescription();
        this.#say({ description: connection.localDescription });
      } catch (error) {
        if (connection.signalingState !== "closed") throw error; // hung up while the offer was being made
      } finally {
        this.#makingOffer = false;
      }
    };
    connection.onicecandidate = ({ candidate }) => this.#say({ candidate: candidate?.toJSON() ?? null });
    connection.ontrack = ({ track }) => {
      this.#remote.addTrack(track);
      this.#tell("stream", this.#remote);
    };
    connection.onconnectionstatechange = connection.oniceconnectionstatechange = () => this.#judge();
  }

  /** The lower seat's first step: places for sound and picture, whether or not there is a track for them yet. */
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

  /** The higher seat's: puts its own tracks into the places that the first offer made. */
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

  /** How the picture is sent. Without `active: false` Firefox goes on with black pictures when there is no track. */
  #encode() {
    const sender = this.#transceivers.video?.sender;
    const parameters = sender?.getParameters();
    if (!sender || !parameters?.encodings?.[0]) return; // Firefox before 110 may have none: then it is as it is
    parameters.encodings[0].active = this.#tracks.video !== null;
    parameters.encodings[0].scaleResolutionDownBy = this.#small ? FIRST_PICTURE.scale : 1;
    sender.setParameters(parameters).catch(() => {}); // negotiated anew meanwhile: the browser's own choice holds
  }

  #openChannel() {
    const channel = this.#connection.createDataChannel("visavis", { negotiated: true, id: 0, ordered: true });
    this.#channel = channel;
    channel.onopen = () => this.#sendDevices();
    channel.onmessage = ({ data }) => {
      const message = parse(data);
      if (message?.type !== "state") return;
      this.#flow.reset(); // a partner who just switched off is silent with good reason
      this.#tell("partner", { microphone: message.microphone === true, camera: message.camera === true });
    };
  }

  async #watch() {
    const pair = selectedPair(await this.#connection.getStats());
    if (this.#connection.signalingState === "closed") return;
    const now = performance.now();
    this.#flow.note(now, pair ? `${pair.id}|${pair.received}` : null);
    if (pair && pair.path !== this.#path) {
      this.#path = pair.path;
      this.#tell("path", pair.path);
    }
    this.#judge();
    this.#grow(now);
    this.#complain(now);
  }

  /** @param {number} now */
  #grow(now) {
    if (!this.#small || this.#link !== "connected" || now - this.#changedAt < FIRST_PICTURE.ms) return;
    this.#small = false;
    this.#encode();
  }

  /** Connected is what carries packets; the state alone would call a dead line connected for seconds. */
  #judge() {
    const connected = stateOf(this.#connection) === "connected" && !this.#flow.silent;
    if (connected) this.#restarts = 0;
    const link = connected ? "connected" : this.#link === "connecting" ? "connecting" : "interrupted";
    if (link === this.#link) return;
    this.#link = link;
    this.#changedAt = performance.now();
    this.#tell("link", link);
  }

  /** @param {number} now */
  #complain(now) {
    if (this.#link === "connected") return;
    if (this.#link === "connecting" && stateOf(this.#connection) !== "failed") return;
    if (!this.#offers && now - this.#changedAt < COURTESY_MS) return;
    const pause = RESTART_PAUSE_MS[Math.min(Math.max(this.#restarts, 1), RESTART_PAUSE_MS.length) - 1];
    if (now - this.#restartedAt < pause) return;
    this.#tell("stuck", null);
  }

  /** @param {{ description: RTCSessionDescription | null } | { candidate: RTCIceCandidateInit | null }} words */
  #say(words) {
    this.#tell("send", words);
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Whether packets that came steadily have stopped. A pause of the page's own clock (sleep, hidden tab) proves nothing. */
class Flow {
  silent = false;
  #mark = /** @type {string | null} */ (null);
  #noted = 0;
  #movedAt = 0;
  #moves = 0;

  reset() {
    this.#moves = 0;
    this.silent = false;
  }

  /** @param {number} now  in ms @param {string | null} mark  changes whenever a packet came */
  note(now, mark) {
    const paused = now - this.#noted > 4 * WATCH_MS;
    this.#noted = now;
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#moves = now - this.#movedAt < 2 * WATCH_MS ? this.#moves + 1 : 1;
      this.#movedAt = now;
      this.silent = false;
    } else if (paused) {
      this.#movedAt = now;
    } else if (this.#moves >= STEADY_LOOKS && now - this.#movedAt >= SILENT_MS) {
      this.silent = true;
    }
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

/**
 * The pair that carries the call, and what it says about the way (R20). In the closed relay both ends are relayed or
 * none is, so either candidate's type tells.
 * @param {RTCStatsReport} report
 */
function selectedPair(report) {
  /** @type {any[]} */
  const all = [...report.values()];
  const chosen = all.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId);
  const pair = chosen
    ? report.get(chosen.selectedCandidatePairId)
    : all.find(({ type, selected, nominated, state }) =>
        type === "candidate-pair" && (selected ?? (nominated && state === "succeeded")));
  if (!pair) return null;
  const types = [pair.localCandidateId, pair.remoteCandidateId].map((id) => report.get(id)?.candidateType);
  /** @type {Path} */
  const path = types.includes("relay") ? "relayed" : types.includes(undefined) ? "unknown" : "direct";
  return { id: pair.id, path, received: `${pair.bytesReceived}|${pair.lastPacketReceivedTimestamp}` };
}

/** @param {unknown} data */
function parse(data) {
  try {
    return JSON.parse(String(data));
  } catch {
    return null; // not from a page of ours
  }
}
