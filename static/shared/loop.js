/**
 * Whether this network lets a call through: the page calls itself, over the relay alone, and sends one message there and
 * back. Two connections, both here; nobody else takes part, and no picture or sound passes.
 */

const WORD = "visavis";

/**
 * @param {RTCIceServer[]} iceServers
 * @param {AbortSignal} signal  ends it
 * @returns {Promise<boolean>}  whether the message came back
 */
export async function loop(iceServers, signal) {
  const ends = [0, 1].map(() => new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" }));
  try {
    return await new Promise((resolve) => {
      const fail = () => resolve(false);
      if (signal.aborted) fail();
      signal.addEventListener("abort", fail);
      for (const end of ends) watch(end, fail);
      echo(ends[1]);
      ask(ends[0], () => resolve(true));
      connect(ends[0], ends[1]).catch(fail);
    });
  } finally {
    for (const end of ends) end.close();
  }
}

/** Not every browser ends a connection that has no candidate. @param {RTCPeerConnection} end @param {() => void} fail */
function watch(end, fail) {
  let candidates = 0;
  end.addEventListener("icecandidate", ({ candidate }) => {
    if (candidate?.candidate) candidates++;
    else if (!candidate && candidates === 0) fail();
  });
  end.addEventListener("iceconnectionstatechange", () => end.iceConnectionState === "failed" && fail());
}

/** @param {RTCPeerConnection} far */
function echo(far) {
  far.ondatachannel = ({ channel }) => {
    channel.onmessage = ({ data }) => channel.send(data);
  };
}

/** @param {RTCPeerConnection} near @param {() => void} answered */
function ask(near, answered) {
  const channel = near.createDataChannel("loop");
  channel.onopen = () => channel.send(WORD);
  channel.onmessage = ({ data }) => data === WORD && answered();
}

/**
 * Offer, answer and candidates, passed by hand.
 * @param {RTCPeerConnection} near
 * @param {RTCPeerConnection} far
 */
async function connect(near, far) {
  const offered = near.setLocalDescription().then(() => far.setRemoteDescription(descriptionOf(near)));
  const answered = offered.then(() => far.setLocalDescription()).then(() => near.setRemoteDescription(descriptionOf(far)));
  pass(near, far, offered);
  pass(far, near, answered);
  await answered;
}

/**
 * @param {RTCPeerConnection} from
 * @param {RTCPeerConnection} to
 * @param {Promise<void>} ready  `to` knows whom the candidates belong to
 */
function pass(from, to, ready) {
  from.addEventListener("icecandidate", ({ candidate }) => {
    if (candidate) ready.then(() => to.addIceCandidate(candidate)).catch(() => {}); // closed meanwhile
  });
}

/** @param {RTCPeerConnection} end */
function descriptionOf(end) {
  return /** @type {RTCSessionDescription} */ (end.localDescription);
}
