/**
 * What a test adds to a page from outside, before any script of the page runs: eyes on its connections and sockets, and
 * the conditions of the experiment (relay only, devices that fail, storage that is blocked, a page that disobeys its broker).
 * The page itself has no switch for any of this. The function is sent to the browser as text: it may use nothing of this file.
 */

/**
 * @typedef {object} Conditions
 * @property {boolean} [relayOnly]     `iceTransportPolicy: "relay"` on every connection
 * @property {Partial<Record<"camera" | "microphone", [name: string, message: string]>>} [failing]  what getUserMedia throws, for `camera` or `microphone`
 * @property {boolean} [noStorage]     sessionStorage, localStorage and cookies throw
 * @property {string} [firstCandidate]  a candidate of the partner that every connection gets before any other
 * @property {number} [firstPreference]  relayed candidates of the partner with another type preference (the priority's first byte, RFC 8445
 *   §5.1.2.1; Chromium: 3 for a relay over UDP, 1 TCP, 0 TLS) come only after `__seen.release()`
 * @property {{ width: number, height: number, frameRate: number } | "whole"} [picture]  the largest the camera is asked for; `whole`: what the page asks for
 * @property {boolean} [crowd]  one machine carries many pages: sound is not processed, and no page looks for its first frame
 * @property {boolean} [plainSound]  sound goes as G.711, which costs next to nothing to encode
 */

/** @param {Conditions} conditions */
export function instrument(conditions) {
  const now = () => performance.timeOrigin + performance.now();
  const { relayOnly, failing, noStorage, firstCandidate, firstPreference, picture, crowd, plainSound } = conditions;
  /** A page that disobeys keeps its connections and tracks, and hears neither that it is out nor its socket close. */
  const farewells = ["sentBack", "waiting", "removed", "refused", "revoked", "ended", "replaced", "gone"];
  /** @type {any} */
  const seen = { disobeys: false, connections: [], frames: [], closes: [], tracks: [], firstFrameAt: 0, samples: [], held: [] };
  /** @type {any} */ (window).__seen = seen;
  seen.release = () => {
    for (const add of seen.held ?? []) add();
    seen.held = null;
  };

  /** @param {RTCConfiguration | undefined} wanted */
  const configured = (wanted) => (relayOnly ? { ...wanted, iceTransportPolicy: /** @type {const} */ ("relay") } : wanted);

  /** @param {RTCPeerConnection} connection */
  const noteFirstFrame = async (connection) => {
    if (seen.firstFrameAt || connection.signalingState === "closed") return;
    const report = await connection.getStats();
    const decoded = [...report.values()].some((entry) => entry.type === "inbound-rtp" && entry.framesDecoded > 0);
    if (decoded) seen.firstFrameAt ||= now();
    else setTimeout(() => noteFirstFrame(connection), 10);
  };

  window.RTCPeerConnection = class extends RTCPeerConnection {
    /** @param {RTCConfiguration} [wanted] */
    constructor(wanted) {
      super(configured(wanted));
      seen.connections.push(this);
      if (!crowd) this.addEventListener("track", ({ track }) => track.kind === "video" && noteFirstFrame(this));
    }

    /**
     * @param {string | MediaStreamTrack} what
     * @param {RTCRtpTransceiverInit} [init]
     */
    addTransceiver(what, init) {
      const transceiver = super.addTransceiver(what, init);
      const { kind } = transceiver.receiver.track;
      if (plainSound && kind === "audio") transceiver.setCodecPreferences(RTCRtpReceiver.getCapabilities(kind)?.codecs.filter(({ mimeType }) => mimeType === "audio/PCMU") ?? []);
      return transceiver;
    }

    /** @param {RTCConfiguration} [wanted] */
    setConfiguration(wanted) {
      super.setConfiguration(configured(wanted));
    }

    /** @param {any} [candidate] */
    async addIceCandidate(candidate) {
      const own = /** @type {any} */ (this);
      if (firstCandidate && candidate && !own.knowsFirst) {
        own.knowsFirst = true;
        await super.addIceCandidate({ ...candidate, candidate: firstCandidate });
      }
      const [, , , priority, , , , type] = candidate?.candidate.split(" ") ?? [];
      const isLater = !candidate || (type === "relay" && priority >>> 24 !== firstPreference);
      if (firstPreference !== undefined && seen.held && isLater) seen.held.push(() => super.addIceCandidate(candidate));
      else await super.addIceCandidate(candidate);
    }

    close() {
      /** @type {any} */ (this).closedAt ??= now();
      if (!seen.disobeys) super.close();
    }
  };
  if (plainSound) {
    const set = RTCRtpSender.prototype.setParameters;
    RTCRtpSender.prototype.setParameters = function (parameters) {
      // G.711 has one rate: with a lower limit Chromium refuses the next description.
      for (const encoding of this.track?.kind === "audio" ? parameters.encodings : []) delete encoding.maxBitrate;
      return set.call(this, parameters);
    };
  }

  const clone = MediaStreamTrack.prototype.clone;
  MediaStreamTrack.prototype.clone = function () {
    const other = clone.call(this);
    seen.tracks.push(other); // it keeps the light burning as well
    return other;
  };
  const stop = MediaStreamTrack.prototype.stop;
  MediaStreamTrack.prototype.stop = function () {
    if (!seen.disobeys) stop.call(this);
  };

  window.WebSocket = class extends WebSocket {
    /**
     * @param {string | URL} url
     * @param {string | string[]} [protocols]
     */
    constructor(url, protocols) {
      super(url, protocols);
      this.addEventListener("message", (event) => {
        seen.frames.push({ at: now(), from: "broker", data: event.data });
        if (seen.disobeys && farewells.includes(JSON.parse(event.data).type)) event.stopImmediatePropagation();
      });
      this.addEventListener("close", (event) => {
        seen.closes.push({ at: now(), code: event.code });
        if (seen.disobeys) event.stopImmediatePropagation();
      });
    }

    /** @param {string} data */
    send(data) {
      seen.frames.push({ at: now(), from: "page", data });
      super.send(data);
    }
  };

  const devices = navigator.mediaDevices; // the empty tab before the page has none
  const granted = devices?.getUserMedia.bind(devices);
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  if (granted) {
    devices.getUserMedia = async (wanted) => {
      const both = wanted?.audio && wanted.video && (failing?.camera ?? failing?.microphone);
      const trouble = both || (wanted?.audio && failing?.microphone) || (wanted?.video && failing?.camera);
      if (trouble) throw new DOMException(trouble[1], trouble[0]);
      const video = wanted?.video && { ...(wanted.video === true ? {} : wanted.video), ...(picture === "whole" ? {} : picture) };
      const stream = await granted({ ...wanted, video, audio: wanted?.audio && (crowd ? plain : wanted.audio) });
      seen.tracks.push(...stream.getTracks());
      return stream;
    };
  }

  if (noStorage) {
    const blocked = () => {
      throw new DOMException("The user denied permission to access the data.", "SecurityError");
    };
    for (const storage of ["sessionStorage", "localStorage", "indexedDB", "caches"]) {
      Object.defineProperty(window, storage, { get: blocked });
    }
    Object.defineProperty(Document.prototype, "cookie", { get: blocked, set: blocked });
  }
}

/**
 * What goes through the page's connections at the moment, by getStats. Runs in the page.
 * @returns {Promise<Flow>}
 */
/**
 * @typedef {object} Flow
 * @property {number} at
 * @property {number} open        connections that are not closed
 * @property {number} decoded     video frames, received and decoded
 * @property {number} packets     audio packets received
 * @property {number} received    RTP packets received, audio and video
 * @property {number} sent        RTP packets sent, audio and video
 * @property {number} energy      of the received sound
 * @property {string} types       of the selected pair's candidates, local and remote
 * @property {string} leg         how the own relay is reached, if one is used: udp, tcp or tls
 * @property {string} partner     the remote candidate's address
 * @property {string} own         the page's certificate, by its fingerprint
 * @property {Line[]} lines       each open connection by itself
 */
/**
 * @typedef {object} Line
 * @property {string} to       the partner's certificate, by its fingerprint
 * @property {string} state    of signaling, ICE and the connection
 * @property {number} decoded  as in {@link Flow}, and so on
 * @property {number} packets
 * @property {number} energy
 * @property {number} concealed  ms of sound made up for want of packets
 * @property {number} lost     packets, audio and video
 * @property {number} up       bytes sent, RTP alone
 * @property {number} down     bytes received
 * @property {number} told     messages sent to the partner's page
 */
export async function measure() {
  const flow = { at: performance.timeOrigin + performance.now(), open: 0, decoded: 0, packets: 0, received: 0, sent: 0, energy: 0, types: "", leg: "", partner: "", own: "", lines: /** @type {Line[]} */ ([]) };
  /** @param {RTCSessionDescription | null} description */
  const fingerprint = (description) => /a=fingerprint:\S+ (\S+)/.exec(description?.sdp ?? "")?.[1].toUpperCase() ?? "";
  for (const connection of /** @type {any} */ (window).__seen.connections) {
    if (connection.signalingState === "closed") continue;
    flow.open++;
    const report = await connection.getStats();
    const entries = [...report.values()];
    const state = `${connection.signalingState} ${connection.iceConnectionState} ${connection.connectionState ?? ""}`;
    const line = { to: fingerprint(connection.remoteDescription), state, decoded: 0, packets: 0, energy: 0, concealed: 0, lost: 0, up: 0, down: 0, told: 0 };
    flow.own = fingerprint(connection.localDescription);
    flow.lines.push(line);
    for (const entry of entries) {
      if (entry.type === "outbound-rtp") {
        flow.sent += entry.packetsSent ?? 0;
        line.up += entry.bytesSent ?? 0;
      }
      if (entry.type === "data-channel") line.told += entry.messagesSent ?? 0;
      if (entry.type !== "inbound-rtp") continue;
      flow.received += entry.packetsReceived ?? 0;
      line.lost += entry.packetsLost ?? 0;
      line.down += entry.bytesReceived ?? 0;
      if (entry.kind === "video") line.decoded += entry.framesDecoded ?? 0;
      if (entry.kind !== "audio") continue;
      line.packets += entry.packetsReceived ?? 0;
      line.energy += entry.totalAudioEnergy ?? 0;
      line.concealed += ((entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0)) / 48;
    }
    flow.decoded += line.decoded;
    flow.packets += line.packets;
    flow.energy += line.energy;
    const transport = entries.find((entry) => entry.type === "transport" && entry.selectedCandidatePairId);
    const pair = transport
      ? report.get(transport.selectedCandidatePairId)
      : entries.find((entry) => entry.type === "candidate-pair" && (entry.selected || (entry.nominated && entry.state === "succeeded")));
    if (!pair) continue;
    const [local, remote] = [report.get(pair.localCandidateId), report.get(pair.remoteCandidateId)];
    flow.types = `${local?.candidateType}-${remote?.candidateType}`;
    flow.leg = local?.relayProtocol ?? "";
    flow.partner = remote?.address ?? "";
  }
  return flow;
}

/**
 * Begins to note the flow, in `__seen.samples`. Runs in the page; `measure` must be there as `__measure`.
 * @param {number} every  ms
 */
export function sample(every) {
  const page = /** @type {any} */ (window);
  page.__seen.samples = [];
  clearInterval(page.__sampling);
  let busy = false;
  page.__sampling = setInterval(async () => {
    if (busy) return; // a page that is slow to answer is not asked twice at a time
    busy = true;
    page.__seen.samples.push(await page.__measure());
    busy = false;
  }, every);
}
