/**
 * A broker that sits between: in one page, two real {@link Peer}s with their checks, and two connections of its own that
 * swap both fingerprints, end both DTLS connections and pass on tracks and messages. All of it runs in the page and is sent
 * there as text: it may use nothing of this file.
 */

/**
 * What it does with the check's messages: keeps them, passes them on, answers with checks of its own and a forged secret,
 * or answers as one who has none.
 * @typedef {"none" | "pass" | "forge" | "strip"} Plan
 */

/** Loads the page's modules and tracks. */
export async function prepare() {
  const load = (/** @type {string} */ path) => import(path);
  const [{ Peer }, { Check }, { trust }, { generateKeys, randomDevice }] = await Promise.all(
    ["/shared/peer.js", "/shared/check.js", "/consultation/trust.js", "/shared/seal.js"].map(load));
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 180 } });
  const certificates = await Promise.all([0, 1, 2, 3].map(() => RTCPeerConnection.generateCertificate(/** @type {any} */ ({ name: "ECDSA", namedCurve: "P-256" }))));
  const keys = await Promise.all([0, 1].map(generateKeys));
  const tracks = { audio: stream.getAudioTracks()[0], video: stream.getVideoTracks()[0] };
  const seats = [{ seat: 1, role: "doctor" }, { seat: 2, role: "patient" }];
  Object.assign(window, { __between: { Peer, Check, trust, randomDevice, stream, tracks, certificates, keys, seats } });
}

/**
 * One attack from the first offer to its outcome.
 * @param {{ secret: boolean, plan: Plan, watch?: boolean }} options  `watch`: until both have decoded pictures
 */
export async function attack({ secret, plan, watch = false }) {
  const { Peer, Check, trust, randomDevice, stream, tracks, certificates, keys, seats } = /** @type {any} */ (window).__between;
  const shared = secret ? randomDevice() : null;
  const consultation = "019abc12-3456-7def-8123-456789abcdef";
  const outcome = { levels: ["", ""], words: /** @type {(string[] | null)[]} */ ([null, null]), ends: [0, 0], decoded: [0, 0], ms: 0 };
  let openedAt = 0;

  /** The two who are attacked. */
  const victims = [0, 1].map((at) => {
    const peer = new Peer({ offers: at === 0, iceServers: [], relayedOnly: false, certificates: [certificates[at]], stream, tracks });
    const whole = {};
    trust(peer, { ...seats[1 - at], key: keys[1 - at].key }, {
      state: () => ({ ...seats[at], language: "de", peers: {} }),
      dispatch: (/** @type {any} */ { type, level, words }) => {
        if (type !== "check") return;
        outcome.levels[at] = level;
        outcome.words[at] = words;
      },
      trusted: () => ({ consultation, keys: keys[at], secret: shared, pair: null }),
      endCall: () => outcome.ends[at]++,
    }, () => whole);
    peer.addEventListener("open", () => (openedAt ||= performance.now()));
    return { peer };
  });

  /** The one between: towards each it pretends to be the other. */
  const impostors = [0, 1].map((at) => {
    const connection = new RTCPeerConnection({ certificates: [certificates[2 + at]], bundlePolicy: "max-bundle" });
    const channel = connection.createDataChannel("visavis", { negotiated: true, id: 0 });
    const sdp = (/** @type {RTCSessionDescription | null} */ description) => [...(description?.sdp ?? "").matchAll(/^a=fingerprint:(\S+) (\S+)/gm)].map(([, name, value]) => `${name} ${value}`);
    const seen = () => ({ own: [...new Set(sdp(connection.localDescription))], theirs: [...new Set(sdp(connection.remoteDescription))] });
    const check = new Check({
      consultation, own: seats[1 - at], partner: { ...seats[at], key: keys[at].key }, keys: keys[1 - at],
      secret: plan === "forge" ? randomDevice() : null, pair: null, language: "de", fingerprints: seen,
    });
    // Who is attacked closes as soon as something does not fit, in the middle of what is said.
    const say = (/** @type {string} */ text) => channel.readyState === "open" && channel.send(text);
    check.addEventListener("say", (/** @type {CustomEvent} */ { detail }) => say(JSON.stringify(detail)));
    const open = new Promise((done) => channel.addEventListener("open", done));
    return { connection, channel, say, open, check };
  });
  for (const at of [0, 1]) {
    const { connection, channel, check } = impostors[at];
    const { peer } = victims[at];
    const other = impostors[1 - at];
    /** Candidates wait for the description. */
    let described = /** @type {() => void} */ (() => {});
    const ready = new Promise((done) => (described = () => done(null)));
    connection.ontrack = ({ track }) => other.connection.getTransceivers().find(({ receiver }) => receiver.track.kind === track.kind)?.sender.replaceTrack(track);
    connection.onicecandidate = ({ candidate }) => peer.addCandidate(candidate?.toJSON() ?? null);
    impostors[at].open.then(() => ["forge", "strip"].includes(plan) && check.begin());
    channel.onmessage = ({ data }) => {
      if (plan === "pass") other.open.then(() => other.say(data));
      else if (plan !== "none") check.hear(JSON.parse(data));
    };
    peer.addEventListener("send", async (/** @type {CustomEvent} */ { detail: { description, candidate } }) => {
      if (!description) return ready.then(() => connection.addIceCandidate(candidate ?? undefined)).catch(() => {});
      await connection.setRemoteDescription(description);
      described();
      if (description.type !== "offer") return;
      for (const transceiver of connection.getTransceivers()) transceiver.direction = "sendrecv";
      await connection.setLocalDescription();
      await peer.describe(/** @type {any} */ (connection.localDescription).toJSON());
    });
  }
  for (const kind of ["audio", "video"]) impostors[1].connection.addTransceiver(kind, { direction: "sendrecv", streams: [stream] });
  await impostors[1].connection.setLocalDescription();
  await victims[1].peer.describe(/** @type {any} */ (impostors[1].connection.localDescription).toJSON());

  const isOver = async () => {
    for (const at of watch ? [0, 1] : []) {
      const report = await victims[at].peer.connection.getStats();
      outcome.decoded[at] = [...report.values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video")?.framesDecoded ?? 0;
    }
    return watch ? Math.min(...outcome.decoded) > 0 : outcome.ends.some((ends) => ends > 0) || outcome.levels.every((level) => level !== "");
  };
  for (const deadline = performance.now() + 15_000; !(await isOver()) && performance.now() < deadline;) await new Promise((done) => setTimeout(done, 5));
  outcome.ms = performance.now() - openedAt;
  for (const { peer } of victims) peer.close();
  for (const { connection } of impostors) connection.close();
  return outcome;
}

/**
 * A check whose channel opens while the answer is still being applied, as Chromium does under load: until then the page
 * knows no fingerprints of its partner.
 */
export async function openEarly() {
  const { Peer, trust, randomDevice, stream, tracks, certificates, keys, seats } = /** @type {any} */ (window).__between;
  const secret = randomDevice();
  const results = [0, 1].map(() => ({ level: "", ends: 0 }));
  const peers = [0, 1].map((at) => new Peer({ offers: at === 0, iceServers: [], relayedOnly: false, certificates: [certificates[at]], stream, tracks }));
  const lower = peers[0].connection;
  const isOpen = new Promise((done) => {
    const timer = setInterval(() => lower.sctp?.state === "connected" && done(clearInterval(timer)), 1);
  });
  const apply = lower.setRemoteDescription.bind(lower);
  let inForce = false;
  let home = lower;
  while (!Object.hasOwn(home, "remoteDescription")) home = Object.getPrototypeOf(home);
  const real = Object.getOwnPropertyDescriptor(home, "remoteDescription")?.get;
  Object.defineProperty(lower, "remoteDescription", { get: () => (inForce ? real?.call(lower) : null) });
  lower.setRemoteDescription = async (/** @type {any} */ description) => {
    await apply(description);
    await isOpen;
    await new Promise((done) => setTimeout(done, 200));
    inForce = true;
  };
  const add = lower.addIceCandidate.bind(lower); // the candidates would wait for the description
  for (const at of [0, 1]) {
    const whole = {};
    trust(peers[at], { ...seats[1 - at], key: keys[1 - at].key }, {
      state: () => ({ ...seats[at], language: "de", peers: {} }),
      dispatch: (/** @type {any} */ { type, level }) => type === "check" && (results[at].level = level),
      trusted: () => ({ consultation: "c", keys: keys[at], secret, pair: null }),
      endCall: () => results[at].ends++,
    }, () => whole);
    peers[at].addEventListener("send", (/** @type {CustomEvent} */ { detail: { description, candidate } }) => {
      if (description) peers[1 - at].describe(description);
      else if (at === 0) peers[1].addCandidate(candidate);
      else if (candidate) add(candidate).catch(() => {});
    });
  }
  for (const deadline = performance.now() + 10_000; results.some(({ level, ends }) => level === "" && ends === 0) && performance.now() < deadline;) await new Promise((done) => setTimeout(done, 5));
  for (const peer of peers) peer.close();
  return results;
}

/** A connection as any, whose partner's next offer names other fingerprints: plainly, or beside the right ones. */
export async function swapLater() {
  const { Peer, stream, tracks, certificates } = /** @type {any} */ (window).__between;
  /** @type {any} */
  const outcome = {};
  for (const how of ["plain", "added"]) {
    const ends = [0, 1].map((at) => new Peer({ offers: at === 0, iceServers: [], relayedOnly: false, certificates: [certificates[at]], stream, tracks }));
    let offer = /** @type {any} */ (null);
    let mismatches = 0;
    const open = Promise.all(ends.map((peer) => new Promise((done) => peer.addEventListener("open", done))));
    for (const at of [0, 1]) {
      ends[at].addEventListener("send", (/** @type {CustomEvent} */ { detail: { description, candidate } }) => {
        if (description?.type === "offer") offer = description.toJSON?.() ?? description;
        if (description) ends[1 - at].describe(description);
        else ends[1 - at].addCandidate(candidate);
      });
    }
    ends[1].addEventListener("mismatch", () => mismatches++);
    await open;
    const before = ends[1].connection.remoteDescription.sdp;
    const other = certificates[2].getFingerprints?.()[0]?.value.toUpperCase() ?? Array(32).fill("AB").join(":");
    const line = `a=fingerprint:sha-256 ${other}`;
    const changed = how === "plain" ? offer.sdp.replace(/^a=fingerprint:.*$/gm, line) : offer.sdp.replace(/^m=audio/m, `${line}\r\nm=audio`);
    await ends[1].describe({ type: "offer", sdp: changed });
    outcome[how] = { mismatches, applied: ends[1].connection.remoteDescription.sdp !== before };
    for (const peer of ends) peer.close();
  }
  return outcome;
}
